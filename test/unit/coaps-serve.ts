/**
 * An eIM on CoAPS for people and for the tests of the C host: `node …/test/unit/coaps-serve.js [key=value …]`. Prints one line of JSON when it listens,
 * then news on stderr; ends with its stdin. Keys:
 *   port=N             default 0: any free one
 *   plain=1            CoAP without DTLS
 *   psk=ID:HEX         a PSK; may be repeated. ecdsa=0: no certificate
 *   identity=NAME      expired, foreign-ca or other-name in place of the eIM's certificate
 *   cid=OCTETS         connection ids of our own (default 4); cid=off. hvr=0: no HelloVerifyRequest. fragment=OCTETS of handshake messages
 *   ack=MS             ACK_TIMEOUT. szx=0..6: largest block
 *   package=N          queued packages (enable); echo=1: every POST is answered by its own body, on any path; bytes=N: by N octets
 *   coap=NAME[:ARG,…]  a behaviour of sim/coap/behaviours.ts; may be repeated. dtls=NAME[:ARG,…]: of sim/dtls/behaviours.ts
 */
import { randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { code, coapBehaviours, type Behaviour } from "../sim/coap/index.js";
import { serveCoap, type RunningCoaps } from "../sim/coaps/index.js";
import { toHex } from "../sim/core/bytes.js";
import { RealClock } from "../sim/core/clock.js";
import { dtlsBehaviours, type DtlsBehaviour, type DtlsServerOptions } from "../sim/dtls/index.js";
import { Eim, psmo } from "../sim/eim/index.js";
import { pskTable, serveEimCoaps } from "../sim/eim/coaps.js";
import { makePki, type Identity } from "../sim/pki/pki.js";
import { serverIdentities } from "./coaps-kit.js";

const pki = makePki({ seed: "coaps serve" });
const ICCID = "89000123456789012341";
const args = process.argv.slice(2).map((arg) => [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)] as const);
const all = (key: string): string[] => args.filter(([name]) => name === key).map(([, value]) => value);
const one = (key: string): string | undefined => all(key).at(-1);
const number = (key: string): number | undefined => (one(key) === undefined ? undefined : Number(one(key)));

function dtlsOptions(): DtlsServerOptions {
  const psk = all("psk");
  const identity = one("identity") === undefined ? pki.eimTls : serverIdentities(pki)[one("identity") as "expired"];
  const fragment = number("fragment");
  return {
    random: (octets) => new Uint8Array(randomBytes(octets)),
    ...(psk.length > 0 && { psk: pskTable(psk) }), ...(one("ecdsa") !== "0" && { identity }), cookies: one("hvr") !== "0",
    ...(one("cid") !== "off" && { connectionId: number("cid") ?? 4 }), ...(fragment !== undefined && { timing: { fragment } }),
  };
}

async function start(): Promise<RunningCoaps> {
  const ack = number("ack");
  const szx = number("szx");
  const options = {
    port: number("port") ?? 0, onNews: (text: string) => console.error(text), ...(one("plain") !== "1" && { dtls: dtlsOptions() }),
    coap: { seed: randomInt(2 ** 32), ...(ack !== undefined && { parameters: { ackTimeoutMs: ack } }), ...(szx !== undefined && { szx }) },
  };
  const bytes = number("bytes");
  if (one("echo") === "1") return serveCoap(({ payload }) => ({ code: code("2.05"), contentFormat: 42, payload }), options);
  if (bytes !== undefined) return serveCoap(() => ({ code: code("2.05"), contentFormat: 42, payload: new Uint8Array(bytes).map((_, i) => (i * 7 + (i >> 8)) & 0xff) }), options);
  const eim = new Eim({ sign: pki.eimSign, tls: pki.eimTls, clock: new RealClock() });
  eim.addDevice({ eid: pki.eid, ciCertificates: [pki.ci.certificate], euiccCertificate: pki.euicc.certificate, eumCertificate: pki.eum.certificate });
  for (let i = 0; i < (number("package") ?? 0); i++) eim.queue(pki.eid, psmo.enable(ICCID));
  return serveEimCoaps(eim, { ...options, onExchange: () => console.error(`eIM: ${eim.seen.at(-1)?.request} ${eim.seen.at(-1)?.verdict}`) });
}

/** A behaviour by its name and its arguments. */
function behaviour<B>(table: Readonly<Record<string, unknown>>, text: string): B {
  const [name, values] = text.split(":");
  const make = table[name as string] as ((...args: number[]) => B) | undefined;
  if (make === undefined) throw new RangeError(`expected one of ${Object.keys(table).join(", ")}, got ${name}`);
  return make(...(values ?? "").split(",").filter(Boolean).map(Number));
}

function writeKeys(): Record<string, string> {
  const dir = mkdtempSync(join(tmpdir(), "tinyipa-coaps-"));
  writeFileSync(join(dir, "eim-tls.der"), pki.eimTls.certificate);
  writeFileSync(join(dir, "eim-tls.pem"), pem(pki.eimTls));
  return { certificateDer: join(dir, "eim-tls.der"), certificatePem: join(dir, "eim-tls.pem"), certificateHex: toHex(pki.eimTls.certificate) };
}

function pem({ certificate }: Identity): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString("base64").match(/.{1,64}/g)?.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const running = await start();
for (const text of all("coap")) running.coap.use(behaviour<Behaviour>(coapBehaviours, text));
for (const text of all("dtls")) running.dtls?.use(behaviour<DtlsBehaviour>(dtlsBehaviours, text));
console.log(JSON.stringify({ url: running.url, port: running.port, eid: pki.eid, ...writeKeys() }));
process.stdin.on("end", () => void running.close().then(() => process.exit(0)));
process.stdin.resume();
