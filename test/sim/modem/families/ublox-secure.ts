/** u-blox security profiles on sockets (modem-at 6.3): USECPRF, USECMNG, USOSEC. Left out: the vendor's root of trust, chip-to-chip keys. */
import { createHash } from "node:crypto";
import { fromHex } from "../../core/bytes.js";
import { AtError, CME } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Unit } from "../family.js";
import type { SecureOptions } from "../net.js";
import { taken, type Run } from "../run.js";
import type { ModemSocket } from "../sockets.js";

/** Parameters of +USECPRF. */
const Op = { verify: 0, version: 1, suite: 2, ca: 3, host: 4, certificate: 5, key: 6, psk: 8, identity: 9, sni: 10 } as const;
const IANA_SUITE = 99;

function profile(unit: Unit, params: Params): void {
  const number = params.int(0, 0, 4);
  if (params.count === 1) {
    for (const name of [...unit.settings.keys()]) if (name.startsWith(`usec ${number} `)) unit.settings.delete(name);
    return;
  }
  const op = params.int(1, 0, 14);
  const isSuite = op === Op.suite && params.int(2, 0, 255) === IANA_SUITE;
  const isHexPsk = op === Op.psk && params.int(3, 0, 1, 0) === 1;
  const value = isSuite ? params.str(3) + params.str(4, "") : params.str(2, "");
  unit.settings.set(`usec ${number} ${op}`, op === Op.psk && !isHexPsk ? Buffer.from(value, "latin1").toString("hex") : value);
}

function* manage(unit: Unit, params: Params): Run {
  const what = params.int(0, 0, 3);
  const type = params.int(1, 0, 5);
  const name = params.str(2, undefined, true);
  if (what === 2) {
    if (!unit.files.delete(`usec ${type} ${name}`)) throw new AtError(`no file ${name}`, CME.notFound);
    return undefined;
  }
  if (what !== 0) throw new AtError(`expected 0 or 2, got ${what}`, CME.notSupported);
  const bytes = yield* taken({ prompt: ">", length: params.int(3, 1, 8192) });
  if (bytes === undefined) throw new AtError("the file did not come whole", CME.notAllowed);
  unit.files.set(`usec ${type} ${name}`, bytes);
  unit.line(`+USECMNG: 0,${type},"${name}","${createHash("md5").update(bytes).digest("hex")}"`);
  return undefined;
}

/** Puts a profile on a socket, before it is connected. */
function secure(unit: Unit, params: Params): void {
  const socket = unit.sockets.get(params.int(0, 0, 6));
  if (socket === undefined || socket.net !== undefined) throw new AtError("expected a socket that is not connected", CME.notAllowed);
  if (params.int(1, 0, 1) === 0) socket.settings.delete("profile");
  else socket.settings.set("profile", String(params.int(2, 0, 4, 0)));
}

/** What a socket with a profile connects by; undefined without one. */
export function secureOptions(unit: Unit, socket: ModemSocket): SecureOptions | undefined {
  const number = socket.settings.get("profile");
  if (number === undefined) return undefined;
  const get = (op: number): string | undefined => unit.settings.get(`usec ${number} ${op}`);
  const file = (type: number, op: number): Uint8Array | undefined => unit.files.get(`usec ${type} ${get(op) ?? ""}`);
  const [ca, certificate, key] = [file(0, Op.ca), file(1, Op.certificate), file(2, Op.key)];
  const [psk, identity, host, sni, suite] = [get(Op.psk), get(Op.identity), get(Op.host), get(Op.sni), get(Op.suite)];
  const level = get(Op.verify) ?? "0";
  const serverName = level >= "2" ? (host ?? sni) : sni;
  return {
    transport: socket.datagrams ? "DTLS" : "TLS",
    verify: level === "0" ? "nothing" : level === "1" ? "chain" : "chain and name",
    suites: suite !== undefined && suite.length === 4 ? [Number.parseInt(suite, 16)] : [],
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
    ...(psk === undefined || identity === undefined ? {} : { psk: { identity, key: fromHex(psk) } }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(level === "3" ? { now: unit.date } : {}),
  };
}

export const UBLOX_SECURE: CommandTable = {
  "+USECPRF": { set: profile },
  "+USECMNG": { set: manage },
  "+USOSEC": { set: secure },
};
