/** Handles of the C host's doors in Node: they end when told, they end with their last reference, and nothing is used behind their end. */
import assert from "node:assert/strict";
import { readdirSync, existsSync, mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AGAIN, doorsAddon } from "../sim/agent/native-doors.js";
import { NativeModem } from "../sim/agent/native-uicc.js";
import { isFailed } from "../sim/core/doors.js";
import { coaps, linkTo, skip, world } from "./native-kit.js";

const ENDPOINT = { peer: "eIM", binding: "ESipa CoAPS", address: "eim.example.com" } as const;
const DESCRIPTORS = "/proc/self/fd";

/** A unix socket on which nobody answers. */
async function silentLine(run: (path: string) => Promise<void>): Promise<void> {
  const path = join(mkdtempSync(join(tmpdir(), "tinyipa-line-")), "line");
  const server = createServer((socket) => void socket.resume());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await run(`unix:${path}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe("a link's handle", { skip }, () => {
  test("every function of a link that was ended throws, and a second end too", () => {
    const addon = doorsAddon();
    const link = addon.link({});
    addon.linkEnd(link);
    for (const use of [() => addon.linkOpen(link, 1, 2, "x", null, null, 0, 1), () => addon.linkSend(link, new Uint8Array(1), 1, 1, 1, 0, 1), () => addon.linkReceive(link, 1, 1), () => addon.linkClose(link), () => addon.linkHeap(link), () => addon.linkEnd(link)]) {
      assert.throws(use, /the handle was ended/);
    }
    assert.throws(() => addon.linkClose({}), /expected a handle/);
    assert.throws(() => addon.uiccClose(link), /the handle was ended|expected a handle/);
  });

  test("functions out of turn are refused, and misuse of options too", () => {
    const addon = doorsAddon();
    const link = addon.link({});
    assert.equal(addon.errName(addon.linkSend(link, new Uint8Array(1), 1, 1, 1, 0, 1000)), "IPA_ERR_LINK");
    assert.equal(addon.linkOpen(link, 1, 1, "127.0.0.1", null, null, 0, 1000) === AGAIN, false, "without anything to trust by");
    assert.equal(addon.errName(addon.linkOpen(link, 2, 2, "x", null, null, 0, 1000)), "IPA_ERR_UNSUPPORTED");
    assert.throws(() => addon.link({ modem: link }), /IPA_ERR_INVALID/);
    assert.throws(() => addon.link({ szx: 7 }), /IPA_ERR_INVALID/);
    addon.linkEnd(link);
  });

  test("a connection in progress ends with its link", async () => {
    const link = linkTo(9, { psk: { identity: "x", key: new Uint8Array(16) } });
    const opening = link.open(ENDPOINT, 5000);
    link.dispose();
    await assert.rejects(opening, /the handle was ended/);
  });

  test("links that are forgotten are freed with their sockets", { skip: existsSync(DESCRIPTORS) ? false : "the system does not tell its open files" }, async () => {
    const w = world();
    const server = await coaps(w);
    const open = (): number => readdirSync(DESCRIPTORS).length;
    const begun = open();
    const links = Array.from({ length: 20 }, () => linkTo(server.port, { caStore: [w.pki.eimTls.certificate] }));
    for (const link of links) assert.equal(await link.open(ENDPOINT, 5000), undefined);
    assert.ok(open() >= begun + 20, `expected 20 sockets more than ${begun}, got ${open()}`);
    links.length = 0;
    await collected(() => open() <= begun + 1);
    assert.ok(open() <= begun + 1, `expected ${begun} open files, got ${open()}`);
    await server.close();
  });
});

describe("a modem's handle", { skip }, () => {
  test("a silent line is a timeout, not a wait without end; an ended handle throws", () =>
    silentLine(async (path) => {
      const addon = doorsAddon();
      const modem = addon.modem({ path, family: "generic" });
      assert.equal(addon.uiccOpen(modem, new Uint8Array(16), 0), AGAIN);
      addon.modemEnd(modem);
      for (const use of [() => addon.uiccOpen(modem, new Uint8Array(16), 0), () => addon.poll(modem), () => addon.imei(modem), () => addon.modemEnd(modem)]) assert.throws(use, /the handle was ended/);
    }));

  test("a link outlives the modem whose sockets it uses, and is told that they are gone", () =>
    silentLine(async (path) => {
      const modem = new NativeModem({ path, family: "generic" });
      const link = linkTo(5684, { modem: modem.handle, psk: { identity: "x", key: new Uint8Array(16) } });
      const opening = link.open(ENDPOINT, 5000);
      modem.dispose();
      const opened = await opening;
      assert.ok(isFailed(opened) && opened.failure === "link", JSON.stringify(opened));
      link.dispose();
      assert.throws(() => linkTo(5684, { modem: modem.handle }), /IPA_ERR_INVALID/);
    }));

  test("a line that can't be had is told with the system's words", () => {
    assert.throws(() => new NativeModem({ path: "unix:nowhere" }), /expected a modem at unix:nowhere, got .*No such file/);
    assert.throws(() => new NativeModem({ path: "unix:nowhere", family: "nokia" }), /expected one of quectel, .*got "nokia"/);
  });
});

/** Collects garbage until `done`: finalizers run in a later turn. */
async function collected(done: () => boolean): Promise<void> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let turn = 0; turn < 50 && !done(); turn++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
