/**
 * What makes an SM-DP+ or SM-DS differ from a good one, one exchange at a time. Up to four hooks: change what came in, answer in its place, change what
 * the function came to (before the binding writes it), change what goes out. The newest is asked first. What it counts lives in the server's state.
 */
import type { Binding, HttpRequest, HttpResponse, Outcome } from "./message.js";
import type { FunctionName } from "./status.js";

/** Numbers that a behaviour remembers; 0 at first. */
export interface Memory {
  get(name: string): number;
  set(name: string, value: number): void;
  /** A part of its own for a behaviour inside another one. */
  within(name: string): Memory;
}

export interface BehaviourContext {
  /** Where it can be told. */
  readonly function: FunctionName | undefined;
  readonly binding: Binding | undefined;
  readonly time: number;
  readonly memory: Memory;
}

export interface Behaviour {
  readonly name: string;
  /** Whether it takes part in this exchange; asked exactly once for each. Absent: always. */
  applies?(context: BehaviourContext): boolean;
  request?(request: HttpRequest, context: BehaviourContext): HttpRequest;
  /** Answers in the server's place: it does not see the request. undefined: leaves it to the next one. */
  answer?(request: HttpRequest, context: BehaviourContext): HttpResponse | undefined;
  outcome?(outcome: Outcome, context: BehaviourContext): Outcome;
  response?(response: HttpResponse, context: BehaviourContext): HttpResponse;
}

/** Counters kept in `counters` under `prefix`. */
export function memoryIn(counters: Map<string, number>, prefix: string): Memory {
  return {
    get: (name) => counters.get(`${prefix}/${name}`) ?? 0,
    set: (name, value) => void counters.set(`${prefix}/${name}`, value),
    within: (name) => memoryIn(counters, `${prefix}/${name}`),
  };
}
