/**
 * CoAP and DTLS against independent programs: libcoap's clients and servers (plain, OpenSSL, GnuTLS), openssl's s_client and s_server, tshark.
 * 20 kB both ways, compared octet by octet. Each needs a Debian package and says so when it is skipped.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { equal, fromHex, toHex } from "../sim/core/bytes.js";
import { code, encode, Opt, POST, type CoapServerOptions } from "../sim/coap/index.js";
import { CoapsClient, serveCoap, type RunningCoaps } from "../sim/coaps/index.js";
import { Alert, dtlsBehaviours, SUITES, suiteOf, type DtlsClientOptions, type DtlsServerOptions } from "../sim/dtls/index.js";
import { tlv } from "../sim/codec/tlv.js";
import { psmo } from "../sim/eim/index.js";
import { serveEimCoaps } from "../sim/eim/coaps.js";
import { distrust } from "../sim/pki/trust.js";
import { CoapBench, octets } from "./coap-kit.js";
import { certificatePem, freePort, inDirectory, launch, pcap, run, without, writeIdentity, type Ran } from "./coaps-tools.js";
import { serverIdentities } from "./coaps-kit.js";
import { bench, EID, getEimPackage, ICCID } from "./eim-fixtures.js";
import { DtlsBench, pki, PSK, psk, pskTable, trusting } from "./dtls-kit.js";

const BODY = octets(20_480);
const KEY = "0123456789abcdef";
/** A server says nothing when it listens: the client's own repeats find it. */
const IMPATIENT = { timeoutMs: 100, maxTimeoutMs: 200, maxRetransmit: 40 };
const server: DtlsServerOptions = { identity: pki.eimTls, ...pskTable, connectionId: 4 };

/** A server that answers every POST by its body. */
async function echoing(act: (running: RunningCoaps) => Promise<void>, dtls: DtlsServerOptions | undefined, coap: CoapServerOptions = {}): Promise<void> {
  const running = await serveCoap(({ payload }) => ({ code: code("2.05"), contentFormat: 42, payload }), { ...(dtls && { dtls }), coap });
  try {
    await act(running);
  } finally {
    await running.close();
  }
}

/** One POST by a program of libcoap; what it wrote. */
function posts(program: string, url: string, args: readonly string[]): Promise<{ ran: Ran; body: Uint8Array | undefined }> {
  return inDirectory(async (dir) => {
    writeFileSync(join(dir, "in"), BODY);
    writeFileSync(join(dir, "ca.pem"), certificatePem(pki.eimTls.certificate));
    const ran = await run(program, ["-m", "post", "-f", join(dir, "in"), "-o", join(dir, "out"), "-B", "20", ...args.map((arg) => arg.replace("CA.PEM", join(dir, "ca.pem"))), `${url}/echo`]);
    try {
      return { ran, body: new Uint8Array(readFileSync(join(dir, "out"))) };
    } catch {
      return { ran, body: undefined };
    }
  });
}

async function echoesBack(program: string, dtls: DtlsServerOptions | undefined, args: readonly string[], coap: CoapServerOptions = {}): Promise<void> {
  await echoing(async (running) => {
    const { ran, body } = await posts(program, running.url, args);
    assert.ok(body !== undefined && equal(body, BODY), `${ran.output.slice(-500)}\n${running.dtls?.notes.map(({ text }) => text).join("\n")}\n${running.coap.notes.map(({ text }) => text).join("\n")}`);
  }, dtls, coap);
}

describe("libcoap's clients, 20 kB both ways", () => {
  test("plain, blocks of 1024", { skip: without("coap-client-notls") }, () => echoesBack("coap-client-notls", undefined, ["-b", "1024"]));
  test("plain, from 1024 down to the server's 128", { skip: without("coap-client-notls") }, () => echoesBack("coap-client-notls", undefined, ["-b", "1024"], { szx: 3 }));
  for (const program of ["coap-client-openssl", "coap-client-gnutls"]) {
    const skip = without(program);
    test(`${program}: PSK`, { skip }, () => echoesBack(program, { ...pskTable }, ["-b", "1024", "-k", KEY, "-u", "dev1"]));
    test(`${program}: PSK without HelloVerifyRequest, fragments of 40 octets`, { skip }, () => echoesBack(program, { ...pskTable, cookies: false, timing: { fragment: 40 } }, ["-b", "512", "-k", KEY, "-u", "dev1"]));
    test(`${program}: ECDSA, the certificate trusted as CA`, { skip }, () => echoesBack(program, { identity: pki.eimTls }, ["-b", "1024", "-C", "CA.PEM"]));
    test(`${program}: ECDSA, the certificate in fragments of 100 octets`, { skip }, () => echoesBack(program, { identity: pki.eimTls, timing: { fragment: 100, mtu: 256 } }, ["-b", "1024", "-C", "CA.PEM"]));
    test(`${program}: a lost flight is made up for`, { skip }, () =>
      echoing(async (running) => {
        running.dtls?.use(dtlsBehaviours.losesFlight(4));
        const { body } = await posts(program, running.url, ["-b", "1024", "-k", KEY, "-u", "dev1"]);
        assert.ok(body !== undefined && equal(body, BODY));
      }, { ...pskTable, timing: { timeoutMs: 50 } }));

    const refused: readonly (readonly [string, DtlsServerOptions, readonly string[]])[] = [
      ["a wrong key", { ...pskTable }, ["-k", "another", "-u", "dev1"]],
      ["an identity that is not known", { ...pskTable }, ["-k", KEY, "-u", "nobody"]],
      ["a certificate of another CA", { identity: serverIdentities(pki)["foreign-ca"] }, ["-C", "CA.PEM"]],
    ];
    for (const [name, dtls, args] of refused) {
      test(`${program}: ${name} gets nowhere`, { skip }, () =>
        echoing(async (running) => {
          const { body } = await posts(program, running.url, [...args, "-B", "1"]);
          assert.equal(body?.length ?? 0, 0);
          assert.equal([...(running.dtls?.state.sessions.values() ?? [])].filter(({ connected }) => connected).length, 0);
        }, dtls));
    }
  }
});

test("a poll of the eIM by coap-client-openssl: GetEimPackage over CoAPS, and its answer", { skip: without("coap-client-openssl") }, () =>
  inDirectory(async (dir) => {
    const b = bench();
    const record = b.eim.queue(EID, psmo.enable(ICCID));
    const running = await serveEimCoaps(b.eim, { dtls: server });
    try {
      writeFileSync(join(dir, "in"), getEimPackage(EID));
      const { output } = await run("coap-client-openssl", ["-m", "post", "-k", KEY, "-u", "dev1", "-f", join(dir, "in"), "-o", join(dir, "out"), "-B", "5", `${running.url}/gsma/rsp2/asn1`]);
      assert.equal(toHex(new Uint8Array(readFileSync(join(dir, "out")))), toHex(tlv(0xbf4f, record.der)), output);
    } finally {
      await running.close();
    }
  }));

describe("libcoap's servers, 20 kB both ways, by our client", () => {
  const clients: Readonly<Record<string, DtlsClientOptions>> = { PSK: psk, ECDSA: { verify: (chain) => distrust({ anchors: [{ kind: "certificate", der: pki.eimTls.certificate }], chain, host: "" }) } };
  for (const program of ["coap-server-openssl", "coap-server-gnutls"]) {
    for (const [mode, dtls] of Object.entries(clients)) {
      test(`${program}: ${mode}`, { skip: without(program) }, () =>
        inDirectory(async (dir) => {
          const port = await freePort();
          const { cert, key } = writeIdentity(dir, pki.eimTls);
          const keys = mode === "PSK" ? ["-k", KEY] : ["-c", cert, "-j", key, "-n"];
          const peer = launch(program, ["-A", "127.0.0.1", "-p", String(port - 1), "-d", "5", "-v", "6", ...keys]);
          try {
            const client = await CoapsClient.connect({ port, dtls: { ...dtls, timing: IMPATIENT } });
            const put = await client.request({ method: code("0.03"), path: "/example_data", contentFormat: 42, payload: BODY });
            assert.equal(put.code >> 5, 2);
            const got = await client.request({ method: code("0.01"), path: "/example_data" });
            assert.ok(equal(got.payload, BODY), `${got.payload.length} octets`);
            client.close();
          } finally {
            await peer.stop();
          }
        }));
    }
  }
});

/** openssl's names of SUITES. */
const OPENSSL: Readonly<Record<number, string>> = {
  0xc0ae: "ECDHE-ECDSA-AES128-CCM8", 0xc02b: "ECDHE-ECDSA-AES128-GCM-SHA256", 0xc0ac: "ECDHE-ECDSA-AES128-CCM", 0xc0a8: "PSK-AES128-CCM8", 0x00a8: "PSK-AES128-GCM-SHA256", 0xc0a4: "PSK-AES128-CCM",
};

describe("openssl", () => {
  const skip = without("openssl");
  for (const suite of SUITES) {
    const cipher = `${OPENSSL[suite.id]}:@SECLEVEL=0`;
    const pskArgs = suite.keyExchange === "PSK";

    test(`s_client: ${suite.name}, with extended master secret`, { skip }, () =>
      echoing((running) => inDirectory(async (dir) => {
        const { cert } = writeIdentity(dir, pki.eimTls);
        const keys = pskArgs ? ["-psk", toHex(PSK), "-psk_identity", "dev1"] : ["-CAfile", cert, "-verify_return_error", "-verify_hostname", "eim.example.com"];
        const client = launch("openssl", ["s_client", "-dtls1_2", "-connect", `127.0.0.1:${running.port}`, "-cipher", cipher, ...keys]);
        try {
          await client.saw(/Extended master secret: yes/);
          assert.match(client.output(), new RegExp(`Cipher is ${OPENSSL[suite.id]}`));
          if (!pskArgs) assert.match(client.output(), /Verification: OK/);
        } finally {
          await client.stop();
        }
      }), server));

    test(`s_server: ${suite.name}, by our client`, { skip }, () =>
      inDirectory(async (dir) => {
        const port = await freePort();
        const { cert, key } = writeIdentity(dir, pki.eimTls);
        const keys = pskArgs ? ["-nocert", "-psk", toHex(PSK)] : ["-cert", cert, "-key", key];
        const peer = launch("openssl", ["s_server", "-dtls1_2", "-accept", `127.0.0.1:${port}`, "-cipher", cipher, "-quiet", ...keys]);
        try {
          const client = await CoapsClient.connect({ port, dtls: { ...psk, ...trusting, suites: [suite], timing: IMPATIENT } });
          if (client.dtls === undefined) assert.fail("no DTLS");
          client.request({ method: POST, path: "/hello" }).catch(() => undefined);
          await peer.saw(/hello/);
          client.close();
        } finally {
          await peer.stop();
        }
      }));
  }

  for (const name of ["expired", "foreign-ca", "other-name"] as const) {
    test(`s_client refuses a certificate that is ${name}, as ours does`, { skip }, () =>
      echoing((running) => inDirectory(async (dir) => {
        const { cert } = writeIdentity(dir, pki.eimTls);
        const client = launch("openssl", ["s_client", "-dtls1_2", "-connect", `127.0.0.1:${running.port}`, "-CAfile", cert, "-verify_return_error", "-verify_hostname", "eim.example.com"]);
        try {
          await client.saw(/certificate verify failed/);
          assert.equal(running.dtls?.state.sessions.values().next().value?.connected ?? false, false);
        } finally {
          await client.stop();
        }
      }), { identity: serverIdentities(pki)[name] }));
  }

  test("s_client of DTLS 1.0 is refused", { skip }, () =>
    echoing(async (running) => {
      const client = launch("openssl", ["s_client", "-dtls1", "-connect", `127.0.0.1:${running.port}`, "-cipher", "ALL:@SECLEVEL=0"]);
      try {
        await client.saw(/alert protocol version|no protocols available/);
        assert.equal(running.dtls?.state.sessions.size, 0);
      } finally {
        await client.stop();
      }
    }, server));
});

/** Runs tshark on datagrams; the fields asked for, a line a packet. */
async function tshark(datagrams: Parameters<typeof pcap>[0], options: readonly string[], fields: readonly string[]): Promise<string[]> {
  return inDirectory(async (dir) => {
    const file = join(dir, "datagrams.pcap");
    writeFileSync(file, pcap(datagrams));
    const { output, status } = await run("tshark", ["-r", file, ...options, "-T", "fields", ...fields.flatMap((field) => ["-e", field])]);
    assert.equal(status, 0, output);
    return output.split("\n").filter((line) => line.length > 0 && !line.startsWith("Running as user"));
  });
}

describe("tshark", () => {
  const skip = without("tshark");

  test("reads our CoAP as we do, both ways in blocks; all it does not know is Request-Tag, which is younger", { skip }, async () => {
    const bench = new CoapBench({ client: { szx: 2 }, server: { szx: 2 } });
    bench.answered("2.05", { payload: octets(150), contentFormat: 42, host: "eim.example" });
    const fields = ["coap.type", "coap.code", "coap.mid", "coap.token", "coap.opt.block_number", "_ws.expert.message"];
    const lines = await tshark(bench.wire.map(({ from, message }) => ({ from, datagram: encode(message) })), ["-d", "udp.port==5684,coap"], fields);
    const expected = bench.wire.map(({ from, message: { type, code: method, mid, token, options } }) => {
      const blocks = options.filter(({ number }) => number === Opt.Block1 || number === Opt.Block2).map(({ value }) => (value[0] ?? 0) >> 4);
      return [type, method, mid, toHex(token).toLowerCase(), blocks.join(), from === "client" ? "Invalid Option Number 292" : ""].join("\t");
    });
    assert.deepEqual(lines, expected);
  });

  for (const [name, own] of [["without connection ids", undefined], ["with a connection id", 4]] as const) {
    test(`decrypts our DTLS by the PSK ${name}: the CoAP in it is there`, { skip }, async () => {
      const bench = new DtlsBench({ server: { ...pskTable, ...(own !== undefined && { connectionId: own }) }, client: { ...psk, ...(own !== undefined && { connectionId: fromHex("") }) } });
      assert.ok(bench.connect());
      bench.fromClient(bench.client.send(fromHex("44020001a1b2c3d4b178ff6869")));
      bench.run();
      const lines = await tshark(bench.wire, ["-o", `dtls.psk:${toHex(PSK).toLowerCase()}`, "-d", "dtls.port==5684,coap"], ["dtls.handshake.type", "coap.mid", "coap.opt.uri_path", "_ws.malformed"]);
      assert.equal(lines.length, 7);
      assert.ok(lines.every((line) => (line.split("\t")[3] ?? "") === ""), lines.join("\n"));
      assert.deepEqual(lines.slice(0, 4).map((line) => line.split("\t")[0]), ["1", "3", "1", "2,14"]);
      assert.match(lines[6] ?? "", /1\tx/, "the request, decrypted");
    });
  }
});

test("the suites that openssl is asked for are all of them, and alerts have names", () => {
  assert.deepEqual(Object.keys(OPENSSL).map((id) => suiteOf(Number(id)).id).sort(), SUITES.map(({ id }) => id).sort());
  assert.equal(Alert.UnknownPskIdentity, 115);
});
