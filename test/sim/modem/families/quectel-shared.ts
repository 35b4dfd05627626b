/** What plain and secure sockets of a Quectel have in common: limits, error numbers, sending. */
import { AtError } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { Unit } from "../family.js";
import type { Run } from "../run.js";
import type { ModemSocket } from "../sockets.js";

export const SEND_MOST = 1460;
export const READ_MOST = 1500;
/** Numbers of +QIOPEN and +QIGETERROR. */
export const QI = { ok: 0, parameter: 552, inUse: 563, dns: 565, connect: 566, closed: 567, pdp: 561, notAllowed: 572 } as const;

/** Remembers a result for +QIGETERROR, and refuses. */
export function refuse(unit: Unit, error: number, reason: string): never {
  unit.settings.set("qierror", String(error));
  throw new AtError(reason);
}

export function socketOf(unit: Unit, params: Params): ModemSocket {
  const id = params.int(0, 0, 11);
  return unit.sockets.get(id) ?? refuse(unit, QI.closed, `socket ${id} is not open`);
}

export function* sending(unit: Unit, socket: ModemSocket, bytes: Uint8Array, to?: { host: string; port: number }): Run {
  if (unit.sendFails) return "SEND FAIL";
  const failed = yield* unit.sockets.send(socket, bytes, to);
  return failed === undefined ? "SEND OK" : "SEND FAIL";
}
