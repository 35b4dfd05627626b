/**
 * What an agent may ask, op by op (host/README.md, Mailbox and Ops). An agent that breaks the contract is stopped here by name,
 * before its op reaches a door.
 */
import { readAll } from "../codec/tlv.js";
import { toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import type { OpMessage } from "./agent.js";
import { Binding, Flag, Op, Peer, Report, StoreKey } from "./abi.js";

/** The agent asked for something that the contract rules out. `code` is "op". */
export class OpError extends SimError {}

type LinkState = "closed" | "open" | "sending" | "sent" | "broken";

/** Plain data: forks copy it. */
export interface OpRulesState {
  /** Of the last op; null after Start: the agent may then begin anew or go on. */
  ref: number | null;
  channel: number | null;
  /** Switch HOST_ADDRESS: an endpoint may come without an address. */
  hostAddress: boolean;
  link: LinkState;
  sent: number;
  total: number;
  fn: number;
}

export function initialOpRules(hostAddress = false): OpRulesState {
  return { ref: null, channel: null, hostAddress, link: "closed", sent: 0, total: 0, fn: 0 };
}

interface Form {
  readonly flags: number;
  readonly payload: readonly [min: number, max: number];
  readonly args?: readonly ("arg0" | "arg1" | "aux" | "wait")[];
}

const NONE: readonly [number, number] = [0, 0];
const FORMS: Record<Op, Form> = {
  [Op.Sleep]: { flags: Flag.Idle, payload: NONE, args: ["wait"] },
  [Op.UiccReset]: { flags: Flag.AfterRefresh, payload: NONE, args: ["wait"] },
  [Op.UiccOpen]: { flags: Flag.FixedChannel | Flag.NoFci, payload: [5, 16], args: ["wait"] },
  [Op.UiccTransmit]: { flags: Flag.Basic, payload: [4, 261], args: ["wait"] },
  [Op.UiccClose]: { flags: 0, payload: NONE, args: ["wait"] },
  [Op.Bearer]: { flags: Flag.Restart, payload: NONE, args: ["wait"] },
  [Op.LinkOpen]: { flags: 0, payload: [0, Infinity], args: ["aux", "wait"] },
  [Op.LinkSend]: { flags: Flag.First | Flag.Last, payload: [0, Infinity], args: ["aux", "arg0", "wait"] },
  [Op.LinkReceive]: { flags: 0, payload: NONE, args: ["arg0", "wait"] },
  [Op.LinkClose]: { flags: 0, payload: NONE, args: ["wait"] },
  [Op.StoreRead]: { flags: 0, payload: NONE, args: ["arg0", "arg1", "wait"] },
  [Op.StoreWrite]: { flags: 0, payload: [0, Infinity], args: ["arg0", "wait"] },
  [Op.Report]: { flags: 0, payload: [0, Infinity], args: ["arg0", "arg1"] },
  [Op.Hash]: { flags: 0, payload: [0, Infinity] },
};

/** Throws OpError when `op` breaks the contract in this state; otherwise notes what it begins. */
export function checkOp(state: OpRulesState, op: OpMessage, capacity: number): void {
  const form: Form | undefined = FORMS[op.kind];
  const refuse = (why: string): never => {
    throw new OpError("op", `${Op[op.kind] ?? `kind ${op.kind}`} #${op.ref}: ${why} (host/README.md)`, { op: { ...op, payload: toHex(op.payload) } });
  };
  if (form === undefined) return refuse("no such op");
  if ((op.flags & ~form.flags) !== 0) refuse(`reserved flags ${op.flags & ~form.flags} are set`);
  if (state.ref === null ? op.ref < 1 : op.ref !== state.ref + 1) refuse(`ref ${op.ref}, expected ${state.ref === null ? "1 or more" : state.ref + 1}`);
  if (op.payload.length > capacity || op.payload.length < form.payload[0] || op.payload.length > form.payload[1]) {
    refuse(`payload of ${op.payload.length} octets, expected ${form.payload[0]} to ${Math.min(form.payload[1], capacity)}`);
  }
  for (const [name, value] of [["arg0", op.arg0], ["arg1", op.arg1], ["aux", op.aux], ["wait", op.waitMs]] as const) {
    if (value !== 0 && form.args?.includes(name) !== true) refuse(`${name} is ${value}, expected 0`);
  }
  if (op.waitMs < 0) refuse(`wait of ${op.waitMs} ms`);
  const problem = checkState(state, op, capacity);
  if (problem !== undefined) refuse(problem);
  state.ref = op.ref;
}

function checkState(state: OpRulesState, op: OpMessage, capacity: number): string | undefined {
  switch (op.kind) {
    case Op.UiccOpen:
      return state.channel === null ? undefined : `channel ${state.channel} is still open`;
    case Op.UiccTransmit:
      return checkApdu(state, op);
    case Op.LinkOpen:
      return state.link === "closed" || state.link === "broken" ? checkEndpoint(op, state.hostAddress) : "the link is already open";
    case Op.LinkSend:
      return checkSend(state, op);
    case Op.LinkReceive:
      if (op.arg0 < 1 || op.arg0 > capacity) return `${op.arg0} octets wanted, expected 1 to ${capacity}`;
      return state.link === "sent" ? undefined : `nothing to receive: the link is ${state.link}`;
    case Op.StoreRead:
      return StoreKey[op.arg0] === undefined ? `no record ${op.arg0}` : undefined;
    case Op.StoreWrite:
      if (op.arg0 === StoreKey.Provision) return "record 16 is read only";
      return StoreKey[op.arg0] === undefined ? `no record ${op.arg0}` : undefined;
    case Op.Report:
      return Report[op.arg0] === undefined ? `no report ${op.arg0}` : undefined;
    default:
      return undefined;
  }
}

function checkApdu(state: OpRulesState, op: OpMessage): string | undefined {
  const channel = channelOf(op.payload[0] as number);
  const lc = op.payload[4] ?? 0;
  if (op.payload.length > 5 && op.payload.length !== 5 + lc && op.payload.length !== 6 + lc) return `Lc ${lc} in a C-APDU of ${op.payload.length} octets`;
  if ((op.flags & Flag.Basic) !== 0) return channel === 0 ? undefined : `CLA is coded for channel ${channel}, expected the basic channel`;
  if (state.channel === null) return "no channel is open";
  return channel === state.channel ? undefined : `CLA is coded for channel ${channel}, expected ${state.channel}`;
}

/** Logical channel in a CLA octet (TS 102 221 10.1.1): 0-3 in bits 1-2, 4-19 in bits 1-4 when bit 7 is set. */
export function channelOf(cla: number): number {
  return (cla & 0x40) === 0 ? cla & 0x03 : 4 + (cla & 0x0f);
}

function checkEndpoint(op: OpMessage, hostAddress: boolean): string | undefined {
  if (Peer[op.aux & 0xff] === undefined) return `no peer ${op.aux & 0xff}`;
  if (Binding[op.aux >> 8] === undefined) return `no binding ${op.aux >> 8}`;
  const form = readAll(op.payload, { lenient: true }).map((item) => item.tag.toString(16).toUpperCase()).join(" ");
  if (form === "80" || form === "80 A6" || (hostAddress && (form === "" || form === "A6"))) return undefined;
  return `payload ${toHex(op.payload)}, expected 80 FQDN and perhaps A6`;
}

function checkSend(state: OpRulesState, op: OpMessage): string | undefined {
  const first = (op.flags & Flag.First) !== 0;
  const last = (op.flags & Flag.Last) !== 0;
  if (first && state.link !== "open") return `a request cannot begin: the link is ${state.link}`;
  if (!first && state.link !== "sending") return `no request is being sent: the link is ${state.link}`;
  if (!first && (op.arg0 !== state.total || op.aux !== state.fn)) return `body of ${op.arg0} octets for function ${op.aux}, began as ${state.total} for ${state.fn}`;
  const sent = (first ? 0 : state.sent) + op.payload.length;
  if (sent > op.arg0 || last !== (sent === op.arg0)) return `${sent} of ${op.arg0} octets sent${last ? " with LAST" : " without LAST"}`;
  if (op.payload.length === 0) return "an empty piece";
  return undefined;
}

/** Notes what a carried-out op changed. `channel`: the one that UiccOpen got; `last`: an answer's last piece. */
export function settleOp(state: OpRulesState, op: OpMessage, result: { readonly ok: boolean; readonly channel: number; readonly last: boolean }): void {
  switch (op.kind) {
    case Op.UiccReset:
    case Op.UiccClose:
      state.channel = null;
      return;
    case Op.UiccOpen:
      state.channel = result.ok ? result.channel : null;
      return;
    case Op.LinkOpen:
      state.link = result.ok ? "open" : "broken";
      return;
    case Op.LinkSend:
      state.total = op.arg0;
      state.fn = op.aux;
      state.sent = ((op.flags & Flag.First) !== 0 ? 0 : state.sent) + op.payload.length;
      state.link = !result.ok ? "broken" : (op.flags & Flag.Last) !== 0 ? "sent" : "sending";
      return;
    case Op.LinkReceive:
      if (!result.ok) state.link = "broken";
      else if (result.last) state.link = "open";
      return;
    case Op.LinkClose:
      state.link = "closed";
      return;
    default:
      return;
  }
}
