/** What plain and secure sockets of an nRF91 have in common: handles. */
import { AtError } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { Unit } from "../family.js";
import type { ModemSocket, SocketKind } from "../sockets.js";

const FAMILY_V6 = 2;

export function socketOf(unit: Unit, params: Params): ModemSocket {
  const handle = params.int(0, 0, unit.family.sockets - 1);
  const socket = unit.sockets.get(handle);
  if (socket === undefined) throw new AtError(`socket ${handle} is not open`);
  return socket;
}

export function create(unit: Unit, kind: SocketKind, params: Params, cidAt: number): ModemSocket {
  const id = unit.sockets.free;
  if (id === undefined) throw new AtError("all sockets are in use");
  if (params.int(0, 1, FAMILY_V6) === FAMILY_V6) unit.note("an IPv6 socket connects over IPv4 here");
  return unit.sockets.create(id, kind, params.int(cidAt, 0, 10, unit.family.cid));
}
