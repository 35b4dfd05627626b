/** Handshakes of the simulated DTLS server and client (RFC 6347 4.2, RFC 7627, RFC 9146, RFC 6066 4): what they agree on, over a good way and a bad one. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { fromHex, toHex } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { dtlsBehaviours, suiteOf, SUITES, type DtlsClientOptions, type DtlsServerOptions } from "../sim/dtls/index.js";
import { keyPairFromSeed } from "../sim/pki/keys.js";
import { issueCertificate, KeyUsage } from "../sim/pki/certificate.js";
import { distrust } from "../sim/pki/trust.js";
import { serverIdentities } from "./coaps-kit.js";
import { DtlsBench, pki, psk, pskTable, PSK, shape, trusting, type DtlsBenchOptions } from "./dtls-kit.js";

const ecdsa = { server: { identity: pki.eimTls }, client: trusting } satisfies DtlsBenchOptions;
const CHAT = { server: ["hello"], client: ["re: hello"] };

/** Connects and talks both ways. */
function talks(options: DtlsBenchOptions, prepare: (bench: DtlsBench) => void = () => undefined): DtlsBench {
  const bench = new DtlsBench(options);
  prepare(bench);
  assert.ok(bench.connect(), bench.notes);
  bench.chat();
  assert.deepEqual(bench.got, CHAT, bench.notes);
  return bench;
}

describe("suites", () => {
  for (const suite of SUITES) {
    test(`${suite.name} by itself`, () => {
      const bench = talks({ server: { ...pskTable, identity: pki.eimTls, suites: [suite] }, client: { ...psk, ...trusting } });
      assert.equal(bench.info?.suite, suite.name);
    });
  }

  test("with all of them on both sides: ECDHE_ECDSA with CCM_8; without a certificate: PSK with CCM_8", () => {
    assert.equal(talks({ server: { ...pskTable, identity: pki.eimTls }, client: { ...psk, ...trusting } }).info?.suite, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    assert.equal(talks({ client: { ...psk, ...trusting } }).info?.suite, "TLS_PSK_WITH_AES_128_CCM_8");
  });

  test("no suite in common is refused by HandshakeFailure, with both sides' offers in the note", () => {
    const bench = new DtlsBench({ server: { ...pskTable, suites: [suiteOf(0xc0a8)] }, client: { ...psk, suites: [suiteOf(0x00a8)] } });
    assert.equal(bench.connect(), false);
    assert.match(bench.notes, /server: one of TLS_PSK_WITH_AES_128_CCM_8 expected, got 00A8/);
  });
});

describe("flights", () => {
  test("the cookie costs one round trip; then PSK is done in two more, each flight in one datagram", () => {
    const bench = talks({});
    assert.deepEqual(bench.wire.slice(0, 6).map(({ from, datagram }) => `${from[0]} ${shape(datagram)}`.replace(/:\d+/g, "")), [
      "c 22/0", "s 22/0", "c 22/0", "s 22/0 22/0", "c 22/0 20/0 22/1", "s 20/0 22/1",
    ]);
  });

  test("without HelloVerifyRequest it is one round trip less", () => {
    assert.equal(talks({ server: { ...pskTable, cookies: false } }).wire.length, 4 + 2);
  });

  test("nothing is kept of a client that does not return the cookie", () => {
    const bench = new DtlsBench({ down: { loses: () => true } });
    assert.equal(bench.connect(), false);
    assert.equal(bench.server.state.sessions.size, 0);
  });

  test("a cookie of another address is asked for again", () => {
    const bench = new DtlsBench({});
    const move = bench.client.use({ name: "moves", flight: (number, datagrams) => ((bench.address = number === 3 ? "203.0.113.9|61000" : bench.address), datagrams) });
    assert.equal(bench.connect(), false);
    assert.match(bench.notes, /server: the cookie is not ours: asked for again/);
    assert.equal(bench.server.state.sessions.size, 0);
    move();
  });

  for (const number of [2, 4, 6] as const) {
    test(`flight ${number} of the server that is lost twice is made up for`, () => {
      talks({}, (bench) => bench.server.use(dtlsBehaviours.losesFlight(number, 2)));
      talks(ecdsa, (bench) => bench.server.use(dtlsBehaviours.losesFlight(number, 2)));
    });
  }

  for (const number of [1, 3, 5] as const) {
    test(`flight ${number} of the client that is lost twice is made up for`, () => void talks({}, (bench) => bench.client.use(dtlsBehaviours.losesFlight(number, 2))));
  }

  test("repeats come after 1, 2, 4 s … at most 60 s apart, and end", () => {
    const bench = new DtlsBench({ client: { ...psk, timing: { maxRetransmit: 8 } }, up: { loses: () => true } });
    const times: number[] = [];
    const start = bench.client.start(0);
    assert.equal(start.length, 1);
    for (let now = 0; bench.client.nextTimer !== undefined; times.push(now)) bench.client.tick((now = bench.client.nextTimer));
    assert.deepEqual(times, [1, 3, 7, 15, 31, 63, 123, 183, 243].map((s) => s * 1000));
  });

  test("with 20 % loss, doubles and another order both ways it still gets there (60 seeds, certificates in fragments, connection ids)", () => {
    for (let seed = 0; seed < 60; seed++) {
      const rng = new Rng(seed);
      const bad = { loses: () => rng.int(5) === 0, doubles: () => rng.int(5) === 0, reorders: () => rng.int(4) === 0 };
      const timing = { maxRetransmit: 20, mtu: 300 };
      const bench = new DtlsBench({ server: { identity: pki.eimTls, connectionId: 4, seed, timing: { ...timing, fragment: 90 } }, client: { ...trusting, connectionId: new Uint8Array(0), seed, timing }, up: bad, down: bad });
      assert.ok(bench.connect(), `seed ${seed}\n${bench.notes}`);
    }
  });

  test("the server's certificate in fragments of 20 octets, each in its own datagram, backwards", () => {
    const timing = { fragment: 20, mtu: 100 };
    const bench = talks({ ...ecdsa, server: { ...ecdsa.server, timing } }, (made) => made.server.use(dtlsBehaviours.reversesFlight(4)));
    assert.ok(bench.wire.length > 20);
  });

  test("a ClientHello in fragments is put together", () => {
    talks({ client: { ...psk, timing: { fragment: 30 } } });
    talks({ client: { ...psk, timing: { fragment: 30 } }, server: { ...pskTable, cookies: false } });
  });

  test("doubled flights change nothing", () => {
    const double = (bench: DtlsBench): void => {
      for (const number of [1, 3, 5] as const) bench.client.use(dtlsBehaviours.doublesFlight(number));
      for (const number of [2, 4, 6] as const) bench.server.use(dtlsBehaviours.doublesFlight(number));
    };
    assert.equal(talks({}, double).news.filter((text) => text.includes("connected")).length, 2);
  });

  test("no record number is used twice in an epoch, whatever is sent again", () => {
    const bench = talks({}, (made) => {
      made.client.use(dtlsBehaviours.losesFlight(5, 2));
      made.server.use(dtlsBehaviours.losesFlight(6, 2));
    });
    for (const from of ["client", "server"] as const) {
      // The HelloVerifyRequest and the ServerHello take over the number of their ClientHello (RFC 6347 4.2.1).
      const seen = bench.wire.filter((entry) => entry.from === from).map(({ datagram }) => toHex(datagram.subarray(3, 11)));
      assert.equal(new Set(seen).size, seen.length);
    }
  });
});

describe("extensions", () => {
  test("extended master secret is agreed on; one side without it is refused unless the other says it is optional", () => {
    assert.equal(talks({}).info?.extendedMasterSecret, true);
    const old = new DtlsBench({ client: { ...psk, extendedMasterSecret: "off" } });
    assert.equal(old.connect(), false);
    assert.match(old.notes, /server: extended_master_secret expected \(RFC 7925 16\), got none/);
    assert.equal(talks({ client: { ...psk, extendedMasterSecret: "off" }, server: { ...pskTable, extendedMasterSecret: "optional" } }).info?.extendedMasterSecret, false);
    assert.equal(talks({ client: { ...psk, extendedMasterSecret: "optional" }, server: { ...pskTable, extendedMasterSecret: "off" } }).info?.extendedMasterSecret, false);
  });

  test("max_fragment_length bounds every record, of handshake and data", () => {
    const bench = talks({ ...ecdsa, client: { ...trusting, maxFragmentLength: 1 } });
    for (const { datagram } of bench.wire) for (const record of shape(datagram).split(" ")) assert.ok(Number(record.split(":")[1]) <= 512 + 16, record);
    assert.throws(() => bench.client.send(new Uint8Array(513)), RangeError);
    assert.throws(() => bench.server.send(bench.info?.session ?? "", new Uint8Array(513)), RangeError);
  });

  test("server_name reaches the server", () => assert.equal(talks(ecdsa).info?.hostName, "eim.example.com"));
});

describe("connection ids", () => {
  const cid = (own: string, server: number | undefined): DtlsBenchOptions => ({ server: { ...pskTable, ...(server !== undefined && { connectionId: server }) }, client: { ...psk, connectionId: fromHex(own) } });
  const dataTypes = (bench: DtlsBench): string[] => bench.wire.slice(-2).map(({ datagram }) => String(datagram[0]));

  test("each side's records carry the id that the other wants, of type tls12_cid", () => {
    assert.deepEqual(dataTypes(talks(cid("", 4))), ["25", "23"]);
    assert.deepEqual(dataTypes(talks(cid("0102", 4))), ["25", "25"]);
    assert.deepEqual(dataTypes(talks(cid("0102", 0))), ["23", "25"]);
    assert.deepEqual(dataTypes(talks(cid("0102", undefined))), ["23", "23"]);
    assert.deepEqual(dataTypes(talks({ server: { ...pskTable, connectionId: 4 } })), ["23", "23"]);
  });

  test("a client that moves is followed, and answered at its new address", () => {
    const bench = talks(cid("", 4));
    bench.address = "203.0.113.9|61000";
    bench.chat("moved");
    assert.equal(bench.got.client.at(-1), "re: moved");
    assert.equal(bench.server.session(bench.info?.session ?? "")?.address, bench.address);
  });

  test("only the newest record moves the address: an old or replayed one from elsewhere does not", () => {
    const bench = talks(cid("", 4));
    const [older] = bench.client.send(fromHex("61"));
    bench.chat("newer");
    const last = bench.wire.filter(({ from }) => from === "client").at(-1)?.datagram as Uint8Array;
    bench.toServer(last, "192.0.2.66|666");
    if (older?.kind === "datagram") bench.toServer(older.datagram, "192.0.2.66|666");
    assert.equal(bench.got.server.at(-1), "a");
    assert.equal(bench.server.session(bench.info?.session ?? "")?.address, bench.address);
    assert.match(bench.notes, /is a replay or too old/);
  });

  test("without connection ids a client that moves is not known", () => {
    const bench = talks({});
    bench.address = "203.0.113.9|61000";
    bench.chat("moved");
    assert.deepEqual(bench.got, CHAT);
    assert.match(bench.notes, /a record of epoch 1, but no session/);
  });
});

describe("client certificates", () => {
  const key = keyPairFromSeed("P-256", "dtls client");
  const certificate = issueCertificate({ serialNumber: Uint8Array.of(0x42), subject: [["CN", "device"]], publicKey: key.publicKey, curve: "P-256", issuerKey: pki.eimTls.key, issuer: pki.eimTls.certificate, notBefore: new Date(0), notAfter: new Date(Date.UTC(2049, 0, 1)), keyUsage: [KeyUsage.DigitalSignature] });
  const asking = (clientCertificate: "optional" | "required"): DtlsServerOptions => ({ identity: pki.eimTls, clientCertificate, clientCa: pki.eimTls.certificate });
  const having: DtlsClientOptions = { ...trusting, identity: { key, certificate } };

  test("one is asked for, sent, and proved to be the client's", () => {
    assert.deepEqual(talks({ server: asking("required"), client: having }).info?.clientChain, [certificate]);
    assert.deepEqual(talks({ server: asking("optional"), client: trusting }).info?.clientChain, []);
    assert.deepEqual(talks({ server: { identity: pki.eimTls }, client: having }).info?.clientChain, []);
  });

  const refused: readonly (readonly [string, DtlsBenchOptions, RegExp])[] = [
    ["none, where one is required", { server: asking("required"), client: trusting }, /a client certificate expected, got none/],
    ["one of another CA", { server: { ...asking("required"), clientCa: serverIdentities(pki)["foreign-ca"].certificate }, client: having }, /a client certificate signed by .* expected/],
    ["one whose key the client has not", { server: asking("required"), client: { ...trusting, identity: { key: keyPairFromSeed("P-256", "thief"), certificate } } }, /CertificateVerify: the signature does not hold/],
  ];
  for (const [name, options, why] of refused) {
    test(`${name} is refused`, () => {
      const bench = new DtlsBench(options);
      assert.equal(bench.connect(), false);
      assert.match(bench.notes, why);
    });
  }
});

describe("who the server is", () => {
  const identities = serverIdentities(pki);
  const cases = [["expired", /is valid from .* only/], ["foreign-ca", /did not sign the server's chain/], ["other-name", /is not for eim.example.com/]] as const;
  for (const [name, why] of cases) {
    test(`a certificate that is ${name} is refused before anything secret is sent`, () => {
      const bench = new DtlsBench({ server: { identity: identities[name] }, client: trusting });
      assert.equal(bench.connect(), false);
      assert.match(bench.news.join(), why);
      assert.ok(bench.wire.every(({ datagram }) => !shape(datagram).includes("/1")));
    });
  }

  test("a good one below the CA is taken; so is a pinned key", () => {
    talks({ server: { identity: identities.good }, client: trusting });
    const pinned = new X509Certificate(identities.good.certificate).publicKey.export({ type: "spki", format: "der" });
    const verify = (spki: Uint8Array) => (chain: readonly Uint8Array[]) => distrust({ anchors: [{ kind: "key", spki }], chain, host: "" });
    talks({ server: { identity: identities.good }, client: { verify: verify(new Uint8Array(pinned)) } });
    const other = new DtlsBench({ server: { identity: identities.expired }, client: { verify: verify(new Uint8Array(pinned)) } });
    assert.equal(other.connect(), false);
    assert.match(other.news.join(), /the server's key differs from the pinned key/);
  });
});

describe("PSK", () => {
  test("an identity that the server does not know is UnknownPskIdentity", () => {
    const bench = new DtlsBench({ client: { psk: { identity: "nobody", key: PSK } } });
    assert.equal(bench.connect(), false);
    assert.match(bench.notes, /server: PSK identity "nobody" \(6E6F626F6479\) is not known/);
    assert.match(bench.news.join(), /client: closed, the server did not answer: Finished expected; alert UnknownPskIdentity in epoch 0/);
  });

  test("an identity that every object has is not known either", () => {
    const bench = new DtlsBench({ client: { psk: { identity: "toString", key: PSK } } });
    assert.equal(bench.connect(), false);
    assert.match(bench.notes, /PSK identity "toString"/);
  });

  test("a wrong key is a Finished with a bad MAC, dropped in silence; the handshake ends by time", () => {
    for (const side of ["client", "server"] as const) {
      const bench = new DtlsBench({});
      bench[side].use(dtlsBehaviours.wrongPsk());
      assert.equal(bench.connect(), false);
      assert.match(bench.notes, /server: record \d+ of epoch 1: bad MAC/);
      assert.match(bench.notes, /server: the handshake was given up/);
      assert.equal(bench.server.state.sessions.size, 0);
    }
  });
});

test("a new handshake from the same address takes the place of the old session, once it is complete", () => {
  const bench = talks({});
  const former = bench.info?.session;
  const second = new DtlsBench({ client: { ...psk, seed: 9 } });
  // The same server, seen by a client that has forgotten everything.
  const carry = (datagram: Uint8Array): void => {
    for (const output of bench.server.handle(bench.address, datagram, bench.now)) {
      if (output.kind === "datagram") for (const reply of second.client.handle(output.datagram, bench.now)) if (reply.kind === "datagram") carry(reply.datagram);
      if (output.kind === "closed") bench.news.push(`server: closed, ${output.session}`);
    }
  };
  const [hello] = second.client.start(0);
  if (hello?.kind === "datagram") carry(hello.datagram);
  assert.ok(second.client.connected);
  assert.ok(bench.news.includes(`server: closed, ${former}`));
  assert.equal(bench.server.state.sessions.size, 1);
});

test("close_notify ends both sides, and is answered", () => {
  for (const side of ["client", "server"] as const) {
    const bench = talks({});
    if (side === "client") bench.fromClient(bench.client.close());
    else bench.fromServer(bench.server.close(bench.info?.session ?? "", bench.now));
    bench.run();
    assert.equal(bench.news.filter((text) => text.includes("closed")).length, 2, bench.news.join());
    assert.equal(bench.server.state.sessions.size, 0);
  }
});

test("the server's state is plain data: a copy of it goes on where it was", () => {
  const bench = talks({ server: { ...pskTable, connectionId: 4 }, client: { ...psk, connectionId: new Uint8Array(0) } });
  bench.server.state = structuredClone(bench.server.state);
  bench.chat("again");
  assert.equal(bench.got.client.at(-1), "re: again");
});

test("the same seeds give the same octets", () => {
  const octets = (): string[] => talks(ecdsa).wire.map(({ datagram }) => toHex(datagram));
  assert.deepEqual(octets(), octets());
});
