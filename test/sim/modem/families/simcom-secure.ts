/** SIMCom's secure sockets (modem-at 6.2): CSSLCFG contexts, CASSLCFG on a socket number, files by CFSWFILE. */
import { fromHex } from "../../core/bytes.js";
import { AtError, CME } from "../at-error.js";
import type { Params } from "../command-line.js";
import type { CommandTable, Unit } from "../family.js";
import type { SecureOptions } from "../net.js";
import { taken, type Run } from "../run.js";

const FILE_MOST = 10_240;
/** Last parameter of "convert". */
const CONVERTED = ["", "client certificate", "CA", "PSK table"] as const;

function* writeFile(unit: Unit, params: Params): Run {
  if (!unit.settings.has("cfs")) throw new AtError("expected +CFSINIT before", CME.notAllowed);
  params.int(0, 0, 3);
  const name = params.str(1, undefined, true);
  params.int(2, 0, 1);
  const bytes = yield* taken({ prompt: "\r\nDOWNLOAD\r\n", length: params.int(3, 1, FILE_MOST), waitMs: params.int(4, 100, 120_000, 10_000) });
  if (bytes === undefined) throw new AtError("the file did not come whole");
  unit.files.set(name, bytes);
  return undefined;
}

function deleteFile(unit: Unit, params: Params): void {
  params.int(0, 0, 3);
  if (!unit.files.delete(params.str(1, undefined, true))) throw new AtError("no such file", CME.notFound);
}

function context(unit: Unit, params: Params): void {
  const key = params.str(0, undefined, true);
  if (key === "convert") return convert(unit, params);
  const number = params.int(1, 0, 5);
  if (!["sslversion", "protocol", "ciphersuite", "sni", "ignorertctime"].includes(key)) throw new AtError(`the key "${key}" is not known`, CME.incorrectParameters);
  unit.settings.set(`cssl ${number} ${key}`, params.str(key === "ciphersuite" ? 3 : 2));
}

/** Makes an uploaded file one that secure sockets can use. */
function convert(unit: Unit, params: Params): void {
  const kind = CONVERTED[params.int(1, 1, 3)];
  const name = params.str(2, undefined, true);
  const bytes = unit.files.get(name);
  if (bytes === undefined) throw new AtError(`no file ${name}`, CME.notFound);
  unit.files.set(`${kind} ${name}`, bytes);
  const key = unit.files.get(params.str(3, ""));
  if (key !== undefined) unit.files.set(`key ${name}`, key);
}

function onSocket(unit: Unit, params: Params): void {
  const cid = params.int(0, 0, 12);
  const key = params.str(1, undefined, true);
  if (unit.settings.get("cacid") !== String(cid)) throw new AtError(`expected +CACID=${cid} before`, CME.notAllowed);
  if (!["SSL", "CRINDEX", "CACERT", "CERT", "PSKTABLE"].includes(key)) throw new AtError(`the key "${key}" is not known`, CME.incorrectParameters);
  unit.settings.set(`cassl ${cid} ${key}`, params.str(2));
}

/** What a socket number with the SSL flag connects by; undefined without it. Without "CACERT" the server is not checked. */
export function secureOptions(unit: Unit, cid: number, transport: "TLS" | "DTLS"): SecureOptions | undefined {
  const own = (key: string): string | undefined => unit.settings.get(`cassl ${cid} ${key}`);
  if (own("SSL") !== "1") return undefined;
  const get = (key: string): string | undefined => unit.settings.get(`cssl ${own("CRINDEX") ?? "0"} ${key}`);
  const ca = unit.files.get(`CA ${own("CACERT") ?? ""}`);
  const [certificate, key] = [unit.files.get(`client certificate ${own("CERT") ?? ""}`), unit.files.get(`key ${own("CERT") ?? ""}`)];
  const table = Buffer.from(unit.files.get(`PSK table ${own("PSKTABLE") ?? ""}`) ?? []).toString("latin1");
  const [, identity, psk] = /^([^:]+):([0-9A-Fa-f]+)\s*$/.exec(table) ?? [];
  const [suite, serverName] = [get("ciphersuite"), get("sni")];
  return {
    transport,
    verify: own("CACERT") === undefined ? "nothing" : "chain",
    suites: suite === undefined ? [] : [Number(suite)],
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
    ...(identity === undefined || psk === undefined ? {} : { psk: { identity, key: fromHex(psk) } }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(get("ignorertctime") === "0" ? { now: unit.date } : {}),
  };
}

export const SIMCOM_SECURE: CommandTable = {
  "+CFSINIT": { exec: (unit) => void unit.settings.set("cfs", "1") },
  "+CFSTERM": { exec: (unit) => void unit.settings.delete("cfs") },
  "+CFSWFILE": { set: writeFile },
  "+CFSDFILE": { set: deleteFile },
  "+CSSLCFG": { set: context },
  "+CASSLCFG": { set: onSocket },
};
