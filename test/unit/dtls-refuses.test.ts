/** What DTLS peers refuse or ignore, by name: broken rules of the handshake, downgrades, forged and repeated records (RFC 5246, RFC 6347, coap-dtls 5.1, 7). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concat, fromHex, utf8 } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { Alert, dtlsBehaviours, type DtlsBehaviour, type DtlsServerOptions } from "../sim/dtls/index.js";
import { Content, Extension, Handshake } from "../sim/dtls/constants.js";
import { cut } from "../sim/dtls/fragments.js";
import { readClientHello, writeClientHello, type ClientHello } from "../sim/dtls/messages.js";
import { newLayer, sealRecord } from "../sim/dtls/record.js";
import { DtlsBench, pki, psk, pskTable, trusting, type DtlsBenchOptions } from "./dtls-kit.js";

const ecdsa = { server: { identity: pki.eimTls }, client: trusting } satisfies DtlsBenchOptions;

/** Doesn't connect, and says why. */
function refuses(options: DtlsBenchOptions, side: "client" | "server", behaviour: DtlsBehaviour, why: RegExp): DtlsBench {
  const bench = new DtlsBench(options);
  bench[side].use(behaviour);
  assert.equal(bench.connect(), false, bench.notes);
  assert.match(bench.notes, why);
  return bench;
}

function changedHello(change: (hello: ClientHello) => Partial<ClientHello>): DtlsBehaviour {
  return { name: "changed ClientHello", handshake: (type, body) => (type === Handshake.ClientHello ? writeClientHello({ ...readClientHello(body), ...change(readClientHello(body)) }) : body) };
}

const withExtension = (type: number, hex: string): DtlsBehaviour => changedHello(({ extensions }) => ({ extensions: new Map([...extensions, [type, fromHex(hex)]]) }));

describe("the server refuses", () => {
  const cases: readonly (readonly [string, DtlsBenchOptions, DtlsBehaviour, RegExp])[] = [
    ["DTLS 1.0", {}, changedHello(() => ({ version: 0xfeff })), /server: DTLS 1.2 \(FEFD\) expected, got FEFF/],
    ["a client of DTLS 1.3 only", {}, withExtension(Extension.SupportedVersions, "02fefc"), /DTLS 1.2 \(FEFD\) expected, got FEFC/],
    ["a client without null compression", {}, changedHello(() => ({ compressions: Uint8Array.of(1) })), /compression method null expected among 01/],
    ["renegotiation_info with content", {}, withExtension(Extension.RenegotiationInfo, "0101"), /an empty renegotiation_info expected/],
    ["an unknown max_fragment_length", {}, withExtension(Extension.MaxFragmentLength, "05"), /max_fragment_length 1 to 4 expected, got 05/],
    ["extended_master_secret with content", {}, withExtension(Extension.ExtendedMasterSecret, "00"), /extended_master_secret: no content expected, got 1/],
    ["ECDSA without ecdsa_secp256r1_sha256", ecdsa, withExtension(Extension.SignatureAlgorithms, "00020401"), /ecdsa_secp256r1_sha256 \(0403\) expected/],
    ["ECDSA without secp256r1", ecdsa, withExtension(Extension.SupportedGroups, "0002001d"), /secp256r1 \(23\) expected in supported_groups/],
    ["ECDSA without uncompressed points", ecdsa, withExtension(Extension.PointFormats, "0101"), /uncompressed \(0\) expected in ec_point_formats/],
    ["a connection id that is cut short", { server: { ...pskTable, connectionId: 4 } }, withExtension(Extension.ConnectionId, "0401"), /4 octets expected, got 1/],
    ["a session id of 33 octets", {}, changedHello(() => ({ sessionId: new Uint8Array(33) })), /session id of at most 32 octets expected/],
    ["a hello with something behind it", {}, dtlsBehaviours.lengthens(Handshake.ClientHello), /ClientHello: nothing more expected, got 1/],
    ["a key exchange with something behind it", {}, dtlsBehaviours.lengthens(Handshake.ClientKeyExchange), /ClientKeyExchange: nothing more expected, got 1/],
    ["Finished in place of ClientKeyExchange", {}, dtlsBehaviours.leavesOut(Handshake.ClientKeyExchange), /the handshake was given up|ClientKeyExchange expected/],
    ["a Finished that does not match the handshake", {}, dtlsBehaviours.spoils(Handshake.Finished), /server: Finished: verify_data does not match the handshake/],
    ["a point that is not on the curve", ecdsa, dtlsBehaviours.spoils(Handshake.ClientKeyExchange), /a point of secp256r1 expected, got one that is not on the curve/],
    ["a short point", ecdsa, { name: "short point", handshake: (type, body) => (type === Handshake.ClientKeyExchange ? Uint8Array.of(1, 4) : body) }, /an uncompressed point of 65 octets expected, got 1/],
  ];
  for (const [name, options, behaviour, why] of cases) test(name, () => void refuses(options, "client", behaviour, why));

  test("an extension that is there twice", () => {
    const bench = new DtlsBench({});
    const hello = writeClientHello({ version: 0xfefd, random: new Uint8Array(32), sessionId: new Uint8Array(0), cookie: new Uint8Array(0), suites: [0xc0a8], compressions: Uint8Array.of(0), extensions: new Map() });
    for (const part of cut({ type: 1, seq: 0, body: concat(hello, fromHex("0008 0017 0000 0017 0000")) }, 1000)) bench.toServer(sealRecord(newLayer(), 0, Content.Handshake, part));
    assert.match(bench.notes, /extension 23 expected once, got it again/);
  });

  test("unknown extensions and suites are no reason", () => {
    const bench = new DtlsBench({});
    bench.client.use(changedHello(({ extensions, suites }) => ({ extensions: new Map([[0x2a2a, fromHex("01")], ...extensions, [0xfafa, fromHex("")]]), suites: [0x1a1a, ...suites, 0x00ff] })));
    assert.ok(bench.connect(), bench.notes);
  });

  test("a first message that is no ClientHello", () => {
    const bench = new DtlsBench({});
    for (const part of cut({ type: Handshake.ClientKeyExchange, seq: 0, body: new Uint8Array(4) }, 1000)) bench.toServer(sealRecord(newLayer(), 0, Content.Handshake, part));
    assert.match(bench.notes, /ClientHello expected first, got ClientKeyExchange/);
    assert.equal(bench.server.state.sessions.size, 0);
  });

  test("a Finished without ChangeCipherSpec, or in epoch 0", () => {
    const without = new DtlsBench({});
    without.client.use(dtlsBehaviours.leavesOutChangeCipherSpec());
    assert.equal(without.connect(), false);
    const plain = new DtlsBench({});
    let finished: Uint8Array | undefined;
    plain.client.use({
      name: "Finished in epoch 0",
      handshake: (type, body) => (type === Handshake.Finished ? ((finished = body), undefined) : body),
      flight: (number, datagrams) => (number === 5 ? [...datagrams, ...cut({ type: Handshake.Finished, seq: 3, body: finished as Uint8Array }, 100).map((part) => sealRecord(plain.client.state.association.layer, 0, Content.Handshake, part))] : datagrams),
    });
    assert.equal(plain.connect(), false);
    assert.match(plain.notes, /server: Finished expected in epoch 1, got it in epoch 0/);
  });

  test("renegotiation, by NoRenegotiation, and goes on", () => {
    const bench = new DtlsBench({});
    bench.connect();
    const { layer } = bench.client.state.association;
    const hello = cut({ type: Handshake.ClientHello, seq: 3, body: new Uint8Array(40) }, 1000)[0] as Uint8Array;
    bench.toServer(sealRecord(layer, 1, Content.Handshake, hello));
    bench.chat();
    assert.match(bench.notes, /server: renegotiation is refused\n[\s\S]*client: alert NoRenegotiation received/);
    assert.deepEqual(bench.got.server, ["hello"]);
  });
});

describe("the client refuses", () => {
  const { picksOldVersion, picksSuite, leavesOutExtension, addsExtension, spoils, leavesOut, lengthens } = dtlsBehaviours;
  const cases: readonly (readonly [string, DtlsBenchOptions, DtlsBehaviour, RegExp])[] = [
    ["an older version", {}, picksOldVersion(), /client: DTLS 1.2 \(FEFD\) expected, got FEFF/],
    ["a suite that it did not offer", {}, picksSuite(), /one of the suites offered expected, got 003B/],
    ["a suite of SUITES that it did not offer", {}, picksSuite(0xc0ae), /one of the suites offered expected, got C0AE/],
    ["a handshake without extended master secret", {}, leavesOutExtension(), /extended_master_secret expected \(RFC 7925 16\), got none: a downgrade/],
    ["an extension that it did not offer", {}, addsExtension(), /extension 4660 was not offered, but is answered/],
    ["a connection id that it did not ask for", {}, addsExtension(54), /extension 54 was not offered/],
    ["a key exchange with a wrong signature", ecdsa, spoils(Handshake.ServerKeyExchange), /ServerKeyExchange: the signature does not hold/],
    ["a missing certificate", ecdsa, leavesOut(Handshake.Certificate), /client: Certificate expected, got ServerKeyExchange/],
    ["a missing key exchange", ecdsa, leavesOut(Handshake.ServerKeyExchange), /ServerKeyExchange expected, got ServerHelloDone/],
    ["a ServerHelloDone with content", {}, lengthens(Handshake.ServerHelloDone), /ServerHelloDone: no content expected, got 00/],
    ["a Finished that does not match the handshake", {}, spoils(Handshake.Finished), /client: Finished: verify_data does not match/],
  ];
  for (const [name, options, behaviour, why] of cases) {
    test(name, () => {
      const bench = new DtlsBench(options);
      bench.server.use(behaviour);
      bench.connect();
      assert.equal(bench.client.connected, false);
      assert.match(bench.notes, why);
      assert.match(bench.news.join("\n"), /client: closed, /);
    });
  }
});

test("the client takes no Finished without ChangeCipherSpec", () => {
  const bench = new DtlsBench({});
  bench.server.use(dtlsBehaviours.leavesOutChangeCipherSpec());
  bench.connect();
  assert.equal(bench.client.connected, false);
  assert.match(bench.news.join("\n"), /client: closed, the server did not answer: Finished expected/);
});

describe("what is not authenticated ends nothing", () => {
  test("an alert of epoch 0 in the handshake, and after it", () => {
    const bench = new DtlsBench({});
    bench.server.use(dtlsBehaviours.injectsAlert(Alert.HandshakeFailure));
    bench.server.use(dtlsBehaviours.injectsAlertLater(Alert.CloseNotify));
    bench.client.use(dtlsBehaviours.injectsAlert(Alert.CloseNotify, 5));
    bench.client.use(dtlsBehaviours.injectsAlertLater(Alert.UnexpectedMessage));
    assert.ok(bench.connect(), bench.notes);
    bench.chat();
    assert.deepEqual(bench.got, { server: ["hello"], client: ["re: hello"] });
    assert.match(bench.notes, /client: alert HandshakeFailure in epoch 0: not authenticated, ignored/);
    assert.match(bench.notes, /server: alert UnexpectedMessage in epoch 0: not authenticated, ignored/);
  });

  test("garbage of epoch 0 between data", () => {
    for (const side of ["client", "server"] as const) {
      const bench = new DtlsBench({});
      bench[side].use(dtlsBehaviours.garbage());
      assert.ok(bench.connect(), bench.notes);
      bench.chat();
      assert.deepEqual(bench.got, { server: ["hello"], client: ["re: hello"] });
    }
  });

  test("forged copies and replays of data: each message arrives once", () => {
    const bench = new DtlsBench({ server: { ...pskTable, connectionId: 4 }, client: { ...psk, connectionId: new Uint8Array(0) } });
    for (const side of ["client", "server"] as const) {
      bench[side].use(dtlsBehaviours.replaysRecords(3));
      bench[side].use(dtlsBehaviours.forgesRecords());
    }
    assert.ok(bench.connect());
    bench.chat();
    assert.deepEqual(bench.got, { server: ["hello"], client: ["re: hello"] });
    assert.match(bench.notes, /server: record \d of epoch 1: bad MAC[\s\S]*server: record \d of epoch 1 is a replay/);
  });

  test("data before Finished is not taken", () => {
    const bench = new DtlsBench({});
    bench.client.use(dtlsBehaviours.leavesOut(Handshake.Finished));
    bench.client.use({ name: "data in place of Finished", flight: (number, datagrams) => (number === 5 ? [...datagrams, sealRecord(bench.client.state.association.layer, 1, Content.Data, utf8("early"))] : datagrams) });
    assert.equal(bench.connect(), false);
    assert.deepEqual(bench.got.server, []);
    assert.match(bench.notes, /server: Finished expected first in epoch 1, got a record of type 23/);
  });

  test("records of a connection id that nobody has, and of epochs that don't exist", () => {
    const bench = new DtlsBench({ server: { ...pskTable, connectionId: 4 }, client: { ...psk, connectionId: new Uint8Array(0) } });
    bench.connect();
    bench.toServer(fromHex("19fefd0001000000000009 01020304 0011 0001000000000009 000000000000000000"));
    bench.toServer(fromHex("17fefd0002000000000009 0011 0001000000000009 000000000000000000"));
    assert.match(bench.notes, /connection id 01020304 is not known/);
    assert.match(bench.notes, /epoch 0 or 1 expected, got 2/);
    bench.chat();
    assert.deepEqual(bench.got.server, ["hello"]);
  });
});

test("whatever octets come in, neither side throws, and a session that is there goes on (3000 damaged datagrams)", () => {
  const rng = new Rng(17);
  const sample = new DtlsBench({ ...ecdsa, server: { ...ecdsa.server, connectionId: 4, clientCertificate: "optional" }, client: { ...trusting, connectionId: new Uint8Array(0) } });
  sample.connect();
  sample.chat();
  const options: DtlsServerOptions = { ...pskTable, connectionId: 4 };
  const bench = new DtlsBench({ server: options, client: { ...psk, connectionId: new Uint8Array(0) } });
  assert.ok(bench.connect());
  for (let i = 0; i < 3000; i++) {
    const damaged = Uint8Array.from(rng.pick(sample.wire).datagram);
    for (let n = 1 + rng.int(4); n > 0; n--) damaged[rng.int(damaged.length)] = rng.int(256);
    const from = rng.int(2) === 0 ? bench.address : "192.0.2.7|7";
    bench.server.handle(from, damaged.subarray(0, rng.int(3) === 0 ? rng.int(damaged.length) : undefined), bench.now);
    bench.client.handle(damaged, bench.now);
  }
  assert.ok(bench.client.connected, bench.notes.slice(-500));
  bench.chat();
  assert.deepEqual(bench.got.server, ["hello"]);
});

test("handshakes under damaged datagrams: never connected with something else than what was agreed on (300 seeds)", () => {
  for (let seed = 0; seed < 300; seed++) {
    const rng = new Rng(seed);
    const damage: DtlsBehaviour = { name: "damage", flight: (_number, datagrams) => datagrams.map((one) => (rng.int(3) === 0 ? one.with(rng.int(one.length), rng.int(256)) : one)) };
    const bench = new DtlsBench({ server: { ...pskTable, seed }, client: { ...psk, seed } });
    bench[seed % 2 === 0 ? "client" : "server"].use(damage);
    if (!bench.connect()) continue;
    bench.chat();
    assert.deepEqual(bench.got, { server: ["hello"], client: ["re: hello"] }, `seed ${seed}`);
  }
});

test("a close_notify that is not authenticated closes nothing", () => {
  const bench = new DtlsBench({});
  bench.connect();
  bench.toServer(fromHex("15fefd00000000000000990002 0100"));
  bench.toClient(fromHex("15fefd00000000000000990002 0100"));
  bench.chat();
  assert.deepEqual(bench.got, { server: ["hello"], client: ["re: hello"] });
});
