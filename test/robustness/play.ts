/**
 * Plays the agent from an event of a recording until it rests (a failed card is waited out), among stand-ins, and tells what it did in the world's terms: requests to
 * the eIM, ES10 commands, journal, reports.
 */
import { Event, Flag, Op, Report } from "../sim/agent/abi.js";
import type { OpMessage } from "../sim/agent/agent.js";
import { checkOp } from "../sim/agent/op-rules.js";
import { concat, toHex } from "../sim/core/bytes.js";
import type { Material, Scene } from "./material.js";
import { Broken, describe, type AnyEvent } from "./raw-agent.js";
import { settle, type Step } from "./recordings.js";
import { Understudy } from "./understudy.js";

const MOST_OPS = 6000;

/** What was done, in order within each list; octets as hexadecimal. */
export interface Deeds {
  readonly requests: string[];
  readonly commands: string[];
  /** Payloads of LinkOpen. */
  readonly endpoints: string[];
  readonly writes: string[];
  /** Code and detail, signed. */
  readonly reports: [number, number][];
  /** Longest wait of the sleep at the end. */
  sleepMs: number;
}

/** `tune` sets up the stand-ins: how they answer the op of event `at`, and split it. */
export function play(material: Material, scene: Scene, at: number, tune: (peers: Understudy) => void = () => undefined): Deeds {
  const step = scene.steps[at] as Step;
  const { agent } = material;
  agent.load(step.image);
  const rules = { ...step.rules };
  const peers = new Understudy(scene.script, scene, at);
  tune(peers);
  const deeds: Deeds = { requests: [], commands: [], endpoints: [], writes: [], reports: [], sleepMs: 0 };
  const pieces = { request: new Uint8Array(0), command: new Uint8Array(0) };
  let now = step.now;
  let op = step.op;
  for (let ops = 0; ops < MOST_OPS; ops++) {
    const event: AnyEvent = op === null ? { ...step.event } : op.kind === Op.Sleep ? { ...peers.answer(op), kind: Event.Wake } : { ...peers.answer(op), kind: Event.Done, ref: op.ref };
    if (op !== null) settle(rules, op, event);
    now += op?.kind === Op.Sleep ? op.waitMs : 5;
    const next = agent.step(event, now);
    if (typeof next === "number") throw new Broken(`refused with ${next}: ${describe(event)}`);
    checkOp(rules, next, agent.capacity);
    note(deeds, pieces, next);
    op = next;
    if (op.kind === Op.Sleep && (op.flags & Flag.Idle) !== 0 && deeds.reports.at(-1)?.[0] !== Report.CardFailed) {
      deeds.sleepMs = op.waitMs;
      return deeds;
    }
  }
  throw new Broken(`no rest after ${MOST_OPS} ops from event ${at} of "${scene.name}"`);
}

function note(deeds: Deeds, pieces: { request: Uint8Array; command: Uint8Array }, op: OpMessage): void {
  switch (op.kind) {
    case Op.LinkSend:
      pieces.request = concat((op.flags & Flag.First) !== 0 ? new Uint8Array(0) : pieces.request, op.payload);
      if ((op.flags & Flag.Last) !== 0) deeds.requests.push(toHex(pieces.request));
      return;
    case Op.UiccTransmit:
      if (op.payload[1] !== 0xe2) return;
      pieces.command = concat(op.payload[3] === 0 ? new Uint8Array(0) : pieces.command, op.payload.subarray(5, 5 + (op.payload[4] ?? 0)));
      if (op.payload[2] === 0x91) deeds.commands.push(toHex(pieces.command));
      return;
    case Op.LinkOpen:
      deeds.endpoints.push(toHex(op.payload));
      return;
    case Op.StoreWrite:
      deeds.writes.push(`${op.arg0} ${toHex(op.payload)}`);
      return;
    case Op.Report:
      deeds.reports.push([op.arg0, op.arg1 | 0]);
      return;
    default:
      return;
  }
}
