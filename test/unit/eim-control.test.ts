/** The control interface, packages described in JSON, and the command that runs both. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { readOne, tlv } from "../sim/codec/tlv.js";
import { dataRequest, downloadTrigger, eco, parsePackage, psmo, serveControl, stateFromJson, type PackageContent, type RunningServer } from "../sim/eim/index.js";
import { command, startEim } from "../cli/eim.js";
import { runCommand, type Io } from "../cli/command.js";
import { bench, EID, epr, getEimPackage, HEADERS, ICCID, notification, OTHER_EID, pki, type Bench } from "./eim-fixtures.js";

type Reply = { status: number; body: any; allow: string | null };

async function ask(server: RunningServer, method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(server.url + path, { method, ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }) });
  return { status: response.status, body: await response.json(), allow: response.headers.get("allow") };
}

async function controlled(run: (server: RunningServer, b: Bench) => Promise<void>): Promise<void> {
  const b = bench();
  const server = await serveControl(b.eim, { ciCertificates: [pki.ci.certificate] });
  try {
    await run(server, b);
  } finally {
    await server.close();
  }
}

describe("the control interface", () => {
  test("registers a device, queues a package, and gives result, notification and audit", () =>
    controlled(async (server, b) => {
      const certificates = { euiccCertificate: toHex(pki.euicc.certificate), eumCertificate: toHex(pki.eum.certificate) };
      assert.equal((await ask(server, "POST", "/devices", { eid: OTHER_EID, counter: 9 })).status, 201);
      assert.equal((await ask(server, "POST", "/devices", { eid: "89044000000000000000000000000061", ...certificates })).status, 422);
      const queued = await ask(server, "POST", `/devices/${EID}/packages`, { psmo: [{ enable: { iccid: ICCID, rollback: true } }], options: { transactionId: "AABB" } });
      assert.deepEqual([queued.status, queued.body.transactionId, queued.body.rollback, queued.body.commands], [201, "AABB", true, ["enable"]]);
      b.poll();
      b.provide(epr(b.eim.device(EID).packages[0] as never));
      b.send(tlv(0xbf3d, tlv(0xa0, notification(2))));
      assert.equal((await ask(server, "GET", `/devices/${EID}/results`)).body[0].commands[0].name, "ok");
      assert.equal((await ask(server, "GET", `/devices/${EID}/notifications`)).body[0].relayed, toHex(notification(2)));
      assert.deepEqual((await ask(server, "GET", "/devices")).body, [
        { eid: EID, counter: 1, queued: 0, results: 1, notifications: 1 },
        { eid: OTHER_EID, counter: 9, queued: 0, results: 0, notifications: 0 },
      ]);
      assert.equal((await ask(server, "GET", `/devices/${EID}`)).body.packages[0].state, "done");
      assert.deepEqual((await ask(server, "GET", "/audit")).body.map((entry: { function: string }) => entry.function), ["GetEimPackage", "ProvideEimPackageResult", "HandleNotification"]);
    }));

  const misuse: [string, string, string, unknown, number, string][] = [
    ["an unknown path", "GET", "/device", undefined, 404, "notFound"],
    ["an unknown EID", "GET", `/devices/${OTHER_EID}`, undefined, 404, "unknownDevice"],
    ["a method that is not there", "DELETE", "/devices", undefined, 405, "methodNotAllowed"],
    ["no JSON", "POST", `/devices/${EID}/packages`, "{", 400, "description"],
    ["an unknown command", "POST", `/devices/${EID}/packages`, { psmo: [{ enabel: {} }] }, 400, "description"],
    ["a wrong EID", "POST", "/devices", { eid: "123" }, 400, "description"],
    ["an EID that is there", "POST", "/devices", { eid: EID }, 409, "conflict"],
    ["a value that can't be coded", "POST", `/devices/${EID}/packages`, { profileDownloadTriggerRequest: { activationCode: "x".repeat(256) } }, 422, "value"],
    ["a body that is too large", "POST", "/devices", `"${"x".repeat(70_000)}"`, 413, "tooLarge"],
  ];
  for (const [title, method, path, body, status, code] of misuse) {
    test(`answers ${title} with ${status} and says why`, () =>
      controlled(async (server) => {
        const reply = await ask(server, method, path, body);
        assert.deepEqual([reply.status, reply.body.error.code], [status, code]);
        assert.ok(reply.body.error.message.length > 10);
        if (status === 405) assert.equal(reply.allow, "GET, POST");
        if (status === 400) assert.ok(reply.body.error.expected !== undefined && reply.body.error.got !== undefined);
      }));
  }

  test("does not listen on other than loopback addresses", () => {
    assert.throws(() => serveControl(bench().eim, { host: "0.0.0.0" }), RangeError);
  });
});

describe("a package described in JSON", () => {
  const euiccPackage = (...commands: ReturnType<typeof psmo.getRAT>[]): PackageContent => ({ kind: "euiccPackage", commands });
  const same: [string, PackageContent][] = [
    [`{"psmo":[{"disable":{"iccid":"${ICCID}"}},{"delete":{"iccid":"${ICCID}"}},{"getRAT":{}}]}`, euiccPackage(psmo.disable(ICCID), psmo.delete(ICCID), psmo.getRAT())],
    ['{"psmo":[{"listProfileInfo":{"profileClass":2,"tags":["5A","9F70"]}}]}', euiccPackage(psmo.listProfileInfo({ profileClass: 2 }, [0x5a, 0x9f70]))],
    ['{"psmo":[{"configureImmediateEnable":{"defaultSmdpOid":"2.999.10"}}]}', euiccPackage(psmo.configureImmediateEnable({ defaultSmdpOid: "2.999.10" }))],
    [`{"psmo":[{"setFallbackAttribute":{"iccid":"${ICCID}"}},{"unsetFallbackAttribute":{}},{"setDefaultDpAddress":{"address":"a"}},{"raw":"A600"}]}`, euiccPackage(psmo.setFallbackAttribute(ICCID), psmo.unsetFallbackAttribute(), psmo.setDefaultDpAddress("a"), psmo.raw(fromHex("A600")))],
    ['{"eco":[{"addEim":{"configuration":"800165"}},{"deleteEim":{"eimId":"e"}},{"listEim":{}}]}', euiccPackage(eco.addEim(fromHex("800165")), eco.deleteEim("e"), eco.listEim())],
    ['{"ipaEuiccDataRequest":{"tags":["BF20","euiccCertificate"],"notification":{"event":[1]}}}', dataRequest({ tags: [0xbf20, 0xa6], notification: { event: [1] } })],
    ['{"profileDownloadTriggerRequest":{"contactSmds":true}}', downloadTrigger({ contactSmds: true })],
    ['{"profileDownloadTriggerRequest":{}}', downloadTrigger()],
    ['{"raw":"BF5400"}', { kind: "raw", der: fromHex("BF5400") }],
  ];
  for (const [text, content] of same) {
    test(text, () => assert.deepEqual(parsePackage(text).content, content));
  }

  test("its refusals say what was expected and what was got", () => {
    const refused: [string, RegExp][] = [
      ['{"psmo":[],"eco":[]}', /one of psmo, eco/],
      ['{"psmo":{}}', /psmo: expected a list, got \{\}/],
      ['{"psmo":[{"enable":{"iccid":12}}]}', /psmo\[0\]\.enable\.iccid: expected an ICCID of 18 to 20 digits, got 12/],
      [`{"psmo":[{"enable":{"iccid":"${ICCID}","rolback":true}}]}`, /no members but iccid, rollback, got "rolback"/],
      ['{"ipaEuiccDataRequest":{"tags":["XY"]}}', /a tag of 1 or 2 octets/],
      ['{"ipaEuiccDataRequest":{"tags":[],"notification":{}}}', /one of seqNumber, event/],
      ['{"raw":"1"}', /hexadecimal octets/],
    ];
    for (const [text, message] of refused) assert.throws(() => parsePackage(text), { code: "description", message });
  });
});

describe("tinyipa eim", () => {
  const lines = (): Io & { readonly results: string[]; readonly talk: string[] } => {
    const results: string[] = [];
    const talk: string[] = [];
    return { results, talk, out: (line) => void results.push(line), err: (line) => void talk.push(line) };
  };

  test("prints where it is and what to load into a card, tells each exchange, and goes on from its state file", async () => {
    const directory = mkdtempSync(join(tmpdir(), "eim-test-"));
    const state = join(directory, "state.json");
    const args = ["--http", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--state", state, "--json", "--package", '{"psmo":[{"getRAT":{}}]}'];
    try {
      const io = lines();
      const running = await startEim(args, io);
      const printed = JSON.parse(io.results[0] as string);
      assert.deepEqual([printed.eimId, printed.devices, readOne(fromHex(printed.eimConfigurationData)).tag], ["eim.example.com", [EID], 0x30]);
      const response = await fetch(`${printed.esipa}/gsma/rsp2/asn1`, { method: "POST", headers: HEADERS, body: Buffer.from(getEimPackage(EID)) });
      assert.equal(response.status, 200);
      assert.match(io.talk[0] as string, new RegExp(`${EID} GetEimPackage \\(21 octets\\) -> 200 \\(\\d+ octets\\) ok: gives package 1 \\(getRAT\\)`));
      assert.equal((await ask(running.control as RunningServer, "GET", "/devices")).body[0].queued, 1);
      await running.stop();
      assert.equal(stateFromJson(readFileSync(state, "utf8")).devices.get(EID)?.packages[0]?.given, 1);
      const again = await startEim(args, lines());
      assert.deepEqual(again.eim.device(EID).packages.map((record) => [record.id, record.given]), [[1, 1]]);
      await again.stop();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  const wrong: [string[], RegExp][] = [
    [["--listen", "8443"], /expected HOST:PORT for --listen, got "8443"/],
    [["--control", "0.0.0.0:1"], /expected a loopback address for --control/],
    [["--device", "123"], /expected an EID of 32 digits for --device, got "123"/],
    [["--package", "{}"], /expected one of psmo/],
    [["--curve", "P-384"], /expected P-256 or brainpoolP256r1 for --curve, got "P-384"/],
    [["--trust", "maybe"], /expected key, certificate or none for --trust/],
    [["--pki", "no-such-directory"], /no-such-directory/],
    [["--nonsense"], /nonsense/],
  ];
  for (const [args, message] of wrong) {
    test(`${args.join(" ")} is misuse: one line, exit code 2`, async () => {
      const io = lines();
      assert.equal(await runCommand(command, ["--listen", "127.0.0.1:0", ...args], io), 2);
      assert.equal(io.talk.length, 1);
      assert.match(io.talk[0] as string, message);
    });
  }

  test("--help tells of options, control interface and packages", async () => {
    const io = lines();
    assert.equal(await runCommand(command, ["--help"], io), 0);
    assert.match(io.results.join(), /--listen HOST:PORT[^]*POST \/devices[^]*profileDownloadTriggerRequest/);
  });
});
