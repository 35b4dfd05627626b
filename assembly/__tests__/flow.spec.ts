import { call, currentAt, currentProc, leave, mustEnd, Must, next, Proc } from "../flow";
import { clearMemory, E, FRAMES_MAX, S } from "../memory";

beforeEach(() => {
  clearMemory();
  E.result = 0;
});

describe("calls between procedures", () => {
  test("a call begins at 0, and its caller goes on where it said, with the result", () => {
    call(Proc.Main, 0);
    expect(currentProc()).toBe(Proc.Main);
    next(5);
    expect(currentAt()).toBe(5);
    call(Proc.Session, 7);
    expect(S.depth).toBe(2);
    expect(currentProc()).toBe(Proc.Session);
    expect(currentAt()).toBe(0);
    leave(42);
    expect(currentProc()).toBe(Proc.Main);
    expect(currentAt()).toBe(7);
    expect(E.result).toBe(42);
  });

  test("without Must a failure comes back to the caller", () => {
    call(Proc.Main, 0);
    call(Proc.Session, 7);
    call(Proc.Exchange, 4);
    leave(-4);
    expect(currentProc()).toBe(Proc.Session);
    expect(currentAt()).toBe(4);
    expect(E.result).toBe(-4);
    expect(mustEnd()).toBe(false);
  });

  test("with Must a failure ends every caller up to one that can go on", () => {
    call(Proc.Main, 0);
    call(Proc.Session, 7);
    call(Proc.Deliver, 6);
    call(Proc.Result, 4 | Must);
    call(Proc.Exchange, 1 | Must);
    call(Proc.Card, 2 | Must);
    expect(S.depth).toBe(6);
    leave(-200);
    expect(currentProc()).toBe(Proc.Session);
    expect(currentAt()).toBe(6);
    expect(S.depth).toBe(2);
    next(3 | Must);
    leave(-200);
    expect(currentProc()).toBe(Proc.Main);
    expect(currentAt()).toBe(7);
    expect(S.depth).toBe(1);
  });

  test("with Must a success goes on", () => {
    call(Proc.Main, 0);
    call(Proc.Result, 4 | Must);
    leave(0);
    expect(currentProc()).toBe(Proc.Main);
    expect(currentAt()).toBe(4);
    expect(mustEnd()).toBe(false);
  });

  test("the result of an op counts for the procedure that made it", () => {
    call(Proc.Main, 0);
    call(Proc.Command, 1);
    next(2 | Must);
    E.result = -7;
    expect(mustEnd()).toBe(true);
    E.result = 0;
    expect(mustEnd()).toBe(false);
    next(2);
    E.result = -7;
    expect(mustEnd()).toBe(false);
  });

  test("more calls than there are frames stay within them", () => {
    for (let i = 0; i < 40; i++) call(Proc.Main, 0);
    expect(S.depth).toBe(FRAMES_MAX);
  });
});
