/**
 * The two peers of the public IPA suite as scripts: a card whose answers go by position, not by what was asked, and an eIM likewise.
 * Both compare every octet that they have an expectation for, and refuse anything that the script does not hold.
 */
import type { AnyCard } from "../../sim/agent/index.js";
import { concat, fromHex, toHex } from "../../sim/core/bytes.js";
import type { VirtualClock } from "../../sim/core/clock.js";
import { failed, type AnswerPiece, type Ended, type Endpoint, type Failed, type Link, type SendHow } from "../../sim/core/doors.js";
import { ScenarioError } from "../../sim/core/errors.js";

/** One position of the card's script. */
export type CardStep =
  /** Exactly this C-APDU, hexadecimal. */
  | { readonly apdu: string; readonly answer: string }
  /** A STORE DATA chain on channel 1, then its answer by GET RESPONSE. `expect`: data of the whole chain, hexadecimal; `tag`: how they begin. */
  | Es10Step;

interface Es10Step {
  readonly es10: Uint8Array;
  readonly expect?: string;
  readonly tag?: string;
}

export class ScriptedCard implements AnyCard {
  readonly #steps: readonly CardStep[];
  #at = 0;
  #command: Uint8Array = new Uint8Array(0);
  #block = 0;
  #answer: Uint8Array = new Uint8Array(0);
  /** Data of each ES10 command so far, hexadecimal. */
  readonly es10: string[] = [];
  resets = 0;

  constructor(steps: readonly CardStep[]) {
    this.#steps = steps;
  }

  /** The steps that nobody asked for. */
  get left(): readonly CardStep[] {
    return this.#steps.slice(this.#at);
  }

  powerCycle(): Uint8Array {
    this.resets++;
    return fromHex("3B9F96801FC78031A073BE21136743200718000001A5");
  }

  transmit(command: Uint8Array): Uint8Array {
    if (this.#answer.length > 0) return this.#getResponse(command);
    const step = this.#steps[this.#at];
    if (step === undefined) throw this.#refusal(command, "nothing any more");
    return "apdu" in step ? this.#exactly(command, step) : this.#storeData(command, step);
  }

  #exactly(command: Uint8Array, step: { readonly apdu: string; readonly answer: string }): Uint8Array {
    if (toHex(command) !== step.apdu.toUpperCase()) throw this.#refusal(command, step.apdu);
    this.#at++;
    return fromHex(step.answer);
  }

  #storeData(command: Uint8Array, step: Es10Step): Uint8Array {
    const head = toHex(command.subarray(0, 4));
    const last = head.startsWith("81E291");
    const number = this.#block.toString(16).toUpperCase().padStart(2, "0");
    if (head !== `81E2${last ? "91" : "11"}${number}` || command[4] !== command.length - 5) throw this.#refusal(command, `STORE DATA block ${number} on channel 1 for ${step.expect ?? "any command"}`);
    this.#command = concat(this.#command, command.subarray(5));
    this.#block++;
    if (!last) return fromHex("9000");
    const whole = toHex(this.#command);
    if (step.expect !== undefined && whole !== step.expect.toUpperCase()) throw this.#refusal(this.#command, step.expect);
    if (step.tag !== undefined && !whole.startsWith(step.tag)) throw this.#refusal(this.#command, `${step.tag}...`);
    this.es10.push(whole);
    this.#command = new Uint8Array(0);
    this.#block = 0;
    this.#answer = step.es10;
    this.#at++;
    return this.#status(this.#answer.length);
  }

  #getResponse(command: Uint8Array): Uint8Array {
    const wanted = command[4] === 0 ? 256 : (command[4] ?? 0);
    if (command.length !== 5 || toHex(command.subarray(0, 4)) !== "01C00000" || wanted > this.#answer.length) throw this.#refusal(command, `GET RESPONSE 01C00000xx for ${this.#answer.length} octets`);
    const piece = this.#answer.subarray(0, wanted);
    this.#answer = this.#answer.subarray(wanted);
    return concat(piece, this.#status(this.#answer.length));
  }

  #status(left: number): Uint8Array {
    return left === 0 ? fromHex("9000") : Uint8Array.of(0x61, left > 255 ? 0 : left);
  }

  #refusal(got: Uint8Array, expected: string): ScenarioError {
    return new ScenarioError("card script", `position ${this.#at}: expected ${expected.toUpperCase()}, got ${toHex(got)}`);
  }
}

/** One position of the eIM's script: what must come, and what is answered; "nothing" leaves the connection open and silent. */
export interface EimStep {
  readonly expect: (body: string) => boolean;
  readonly what: string;
  readonly answer: Uint8Array | "nothing";
}

export class ScriptedEim implements Link {
  readonly #steps: readonly EimStep[];
  readonly #clock: VirtualClock;
  #at = 0;
  #request: readonly Uint8Array[] = [];
  #answer: Uint8Array | "nothing" | undefined;
  #open = false;
  readonly addresses: string[] = [];
  /** Bodies so far, hexadecimal. */
  readonly bodies: string[] = [];
  connections = 0;

  constructor(steps: readonly EimStep[], clock: VirtualClock) {
    this.#steps = steps;
    this.#clock = clock;
  }

  get left(): readonly EimStep[] {
    return this.#steps.slice(this.#at);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  open(endpoint: Endpoint): Ended {
    this.#open = true;
    this.connections++;
    this.addresses.push(endpoint.address);
    return undefined;
  }

  send(piece: Uint8Array, how: SendHow): Ended {
    this.#request = how.first ? [piece] : [...this.#request, piece];
    if (!how.last) return undefined;
    const body = toHex(concat(...this.#request));
    this.bodies.push(body);
    const step = this.#steps[this.#at++];
    if (step === undefined) throw new ScenarioError("eIM script", `expected no message any more, got ${body}`);
    if (!step.expect(body)) throw new ScenarioError("eIM script", `position ${this.#at - 1}: expected ${step.what}, got ${body}`);
    this.#answer = step.answer;
    return undefined;
  }

  receive(max: number, waitMs: number): AnswerPiece | Failed {
    if (this.#answer === undefined || this.#answer === "nothing") {
      this.#clock.sleep(waitMs);
      return failed("timeout", `no answer within ${waitMs} ms`);
    }
    const payload = this.#answer.subarray(0, max);
    this.#answer = this.#answer.subarray(payload.length);
    return { code: 200, retryAfter: 0, last: this.#answer.length === 0, payload };
  }

  close(): Ended {
    this.#open = false;
    return undefined;
  }
}
