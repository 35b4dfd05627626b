/** The command line over the C host: tinyipa agent by CoAPS, by its HTTPS and by a modem; tinyipa eim --coaps; tinyipa run --host. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command as agent } from "../cli/agent.js";
import { runCommand, type Command, type Io } from "../cli/command.js";
import { command as run } from "../cli/run.js";
import { simulatedCard } from "../cli/card.js";
import { startEim, type RunningEim } from "../cli/eim.js";
import { tlv } from "../sim/codec/tlv.js";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { hasEngine } from "../sim/agent/index.js";
import { psmo } from "../sim/eim/index.js";
import { AtModem, IDEAL_PACE, LoopbackNet, serveUnix } from "../sim/modem/index.js";
import { makePki } from "../sim/pki/pki.js";
import { run as runProgram, without } from "./coaps-tools.js";
import { EIM_FQDN, skip } from "./native-kit.js";

const PSK = "device:1:30313233343536373839616263646566";
const NAME = "a poll that finds no eIM Package is one exchange and changes nothing";
const folder = mkdtempSync(join(tmpdir(), "tinyipa-native-cli-"));

async function tinyipa(command: Command, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const lines = { out: [] as string[], err: [] as string[] };
  const io: Io = { out: (line) => lines.out.push(line), err: (line) => lines.err.push(line) };
  const code = await runCommand(command, args, io);
  return { code, out: lines.out.join("\n"), err: lines.err.join("\n") };
}

describe("tinyipa agent and tinyipa eim --coaps", { skip }, () => {
  const news: string[] = [];
  let eim: RunningEim;
  before(async () => {
    eim = await startEim(["--listen", "127.0.0.1:0", "--coaps", "127.0.0.1:0", "--psk", PSK], { out: () => undefined, err: (line) => news.push(line) });
  });
  after(() => eim.stop());
  const coaps = (): string => `coaps://127.0.0.1:${eim.coaps?.port}`;
  const onceBy = (...args: string[]): Promise<{ code: number; out: string; err: string }> => tinyipa(agent, "--uicc", "sim", "--once", ...args);

  test("a package over CoAPS, trusted by the eUICC's eIM configuration", async () => {
    const [eid = ""] = eim.eim.devices;
    eim.eim.queue(eid, psmo.getRAT());
    const { code, out } = await onceBy("--eim", coaps());
    assert.equal(code, 0, out);
    assert.match(out, /^1 poll, 3 round trips.*all went well/);
    assert.match(news.join("\n"), /connected from .*TLS_ECDHE_ECDSA_WITH_AES_128_CCM/);
    assert.equal(eim.eim.results(eid).at(-1)?.verified, true);
  });

  test("CoAPS by PSK, the agent in wasm3", { skip: hasEngine("wasm3") ? false : "the binding with wasm3 was not built" }, async () => {
    news.length = 0;
    const { code } = await onceBy("--eim", coaps(), "--psk", PSK, "--host", "wasm3");
    assert.equal(code, 0);
    assert.match(news.join("\n"), /TLS_PSK_WITH_AES_128_CCM/);
  });

  test("CoAPS by --trust: the certificate of another eIM is refused by name", async () => {
    const other = join(folder, "other.der");
    writeFileSync(other, makePki({ seed: "another", eimFqdns: [EIM_FQDN] }).eimTls.certificate);
    const { code, err } = await onceBy("--eim", coaps(), "--trust", other);
    assert.equal(code, 1);
    assert.match(err, /refused eIM .*trust: .*IPA_ERR_TRUST_CERTIFICATE/);
  });

  test("HTTPS through the C host's link", async () => {
    const { code, out } = await onceBy("--eim", eim.esipa.url, "--link", "c");
    assert.equal(code, 0, out);
  });

  test("a modem on a unix socket: its card, its IMEI, and CoAPS over its sockets", async () => {
    const path = join(folder, "modem.sock");
    const modem = new AtModem({ family: "bg95", pace: IDEAL_PACE, card: simulatedCard({}), net: new LoopbackNet({ names: { [EIM_FQDN]: `127.0.0.1:${eim.coaps?.port}` } }) });
    const door = await serveUnix(modem, path);
    try {
      const { code, err, out } = await tinyipa(agent, "--uart", `unix:${path}`, "--family", "quectel", "--link", "modem", "--eim", `coaps://${EIM_FQDN}`, "--once");
      assert.equal(code, 0, err + out);
      assert.match(err, /^modem: Quectel BG95\/BG77, IMEI 356938035643809/);
    } finally {
      await door.close();
      modem.powerOff();
    }
  });

  // The last one: its package stays in the queue.
  test("libcoap's client is given the package that waits for its EID", { skip: without("coap-client-openssl") }, async () => {
    const [eid = ""] = eim.eim.devices;
    const record = eim.eim.queue(eid, psmo.getRAT());
    const [request, answer] = [join(folder, "request.ber"), join(folder, "answer.ber")];
    writeFileSync(request, tlv(0xbf4f, tlv(0x5a, fromHex(eid))));
    const { output } = await runProgram("coap-client-openssl", ["-m", "post", "-u", "device:1", "-k", "0123456789abcdef", "-f", request, "-o", answer, `${coaps()}/gsma/rsp2/asn1`]);
    assert.equal(toHex(new Uint8Array(readFileSync(answer))), toHex(tlv(0xbf4f, record.der)), output);
  });

  test("misuse is exit code 2 and says what was expected", async () => {
    for (const [args, expected] of [
      [["--uicc", "sim", "--eim", "coap://127.0.0.1"], /expected https:\/\/HOST\[:PORT\] or coaps:\/\/HOST\[:PORT\] for --eim, got "coap:\/\/127.0.0.1"/],
      [["--uicc", "sim", "--eim", "coaps://127.0.0.1", "--link", "node"], /expected --link c or modem with coaps:\/\//],
      [["--uicc", "sim", "--eim", "coaps://127.0.0.1", "--psk", "x"], /expected ID:HEX/],
      [["--uicc", "sim", "--link", "modem"], /expected --uart with --link modem/],
      [["--uicc", "sim", "--uart", "unix:x"], /expected --uart alone, got --uicc too/],
      [["--uicc", "sim", "--apn", "iot"], /expected --uart with --family, --apn and --baud/],
      [["--uart", join(folder, "none")], /expected a modem at .*none, got .*No such file/],
      [["--uart", "unix:x", "--family", "nokia"], /expected one of quectel, .*got "nokia"/],
      [["--uicc", "sim", "--host", "jit"], /expected v8, wasm3 or inplace for --host, got "jit"/],
    ] as const) {
      const { code, err } = await tinyipa(agent, ...args);
      assert.deepEqual([code, expected.test(err)], [2, true], `${args.join(" ")}: ${err}`);
    }
  });
});

for (const engine of ["wasm3", "inplace"] as const) {
  test(`tinyipa run --host ${engine}: the scenario holds in that engine`, { skip: hasEngine(engine) ? false : "the binding was not built" }, async () => {
    assert.deepEqual(await tinyipa(run, NAME, "--host", engine).then(({ code, out }) => [code, out]), [0, `holds: ${NAME}`]);
  });
}
