/**
 * What makes an eIM differ from a good one, one exchange at a time. A behaviour has up to three hooks: change what came in, answer in the eIM's place,
 * change what goes out. The newest is asked first. What it counts lives in the eIM's state, so that a snapshot has it.
 */
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { readAll, readOne, TlvError } from "../codec/tlv.js";
import { eidDigits } from "./identifiers.js";
import type { DeviceState } from "./state.js";

/** Numbers that a behaviour remembers; 0 at first. */
export interface Memory {
  get(name: string): number;
  set(name: string, value: number): void;
  /** A part of its own for a behaviour inside another one. */
  within(name: string): Memory;
}

export interface BehaviourContext {
  /** Tag of the request, where there is one: 0xBF4F. */
  readonly function: number | undefined;
  readonly eid: string | undefined;
  /** The device of that EID, if registered; to be read only. */
  readonly device: DeviceState | undefined;
  readonly time: number;
  readonly memory: Memory;
}

export interface Behaviour {
  readonly name: string;
  /** Whether it takes part in this exchange; asked exactly once for each. Absent: always. */
  applies?(context: BehaviourContext): boolean;
  request?(request: EsipaRequest, context: BehaviourContext): EsipaRequest;
  /** Answers in the eIM's place: the eIM does not see the request. undefined: leaves it to the next one. */
  answer?(request: EsipaRequest, context: BehaviourContext): EsipaResponse | undefined;
  response?(response: EsipaResponse, context: BehaviourContext): EsipaResponse;
}

/** Counters kept in `counters` under `prefix`. */
export function memoryIn(counters: Map<string, number>, prefix: string): Memory {
  return {
    get: (name) => counters.get(`${prefix}/${name}`) ?? 0,
    set: (name, value) => void counters.set(`${prefix}/${name}`, value),
    within: (name) => memoryIn(counters, `${prefix}/${name}`),
  };
}

/** Tag and EID of a request as far as they can be read: behaviours see broken requests too. */
export function peek(body: Uint8Array): { tag?: number; eid?: string } {
  try {
    const message = readOne(body, undefined, { lenient: true });
    const first = readAll(message.value, { lenient: true })[0];
    const eid = first?.tag === 0x5a ? eidDigits(first.value) : undefined;
    return { tag: message.tag, ...(eid !== undefined && { eid }) };
  } catch (cause) {
    if (cause instanceof TlvError) return {};
    throw cause;
  }
}
