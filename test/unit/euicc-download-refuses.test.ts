/** What the simulated eUICC refuses during a profile download: each code of each function, and why (SGP.22 v2.5 2.5, 5.5, 5.7). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeReplaceSessionKeys, joinBpp, loadSegments, openChannel, protect, replaceSessionKeys, type BppParts } from "../sim/bsp/index.js";
import { concat, fromHex, toHex } from "../sim/core/bytes.js";
import { readAll, readOne, readTlv, tlv } from "../sim/codec/tlv.js";
import { ErrorReason, type Euicc, type EuiccOptions } from "../sim/euicc/index.js";
import { keyPairFromSeed, sign } from "../sim/pki/keys.js";
import { makePki } from "../sim/pki/pki.js";
import {
  authenticated, authenticateServer, boundParts, challenge, download, HOST_ID, issued, load, metadata, NEW, pirOf, PPK, prepared, prepareDownload, profilePackage, segmentsOf, smdpKey, smdpKeys, TID,
  type BppFields, type MetadataFields, type ServerFields,
} from "./euicc-download-kit.js";
import { A, iccidHex, ordinary, pki, started } from "./euicc-kit.js";

const stranger = keyPairFromSeed("P-256", "a stranger");
const otherPki = makePki({ seed: "another world" });
const lastWhy = (euicc: Euicc): string => euicc.refusals.at(-1)?.why ?? "nothing was logged";
const cancel = (tid: Uint8Array, reason: number): Uint8Array => tlv(0xbf41, tlv(0x80, tid), tlv(0x81, [reason]));

describe("AuthenticateServer refuses", () => {
  const CASES: readonly [string, number, ServerFields, RegExp][] = [
    ["a certificate of another CI", 1, { server: otherPki.dpAuth }, /not under a CI of the list/],
    ["a certificate that says our CI, which did not sign it", 1, { server: issued("dpAuth", { issuerKey: stranger }) }, /did not sign/],
    ["a certificate for profile binding", 1, { server: pki().dpPb }, /dpAuth or dsAuth, got one with the policies 2.23.146.1.2.1.5/],
    ["a certificate without a role", 1, { server: issued("none") }, /\(none\)/],
    ["what is no certificate", 1, { server: { key: stranger, certificate: fromHex("300130") } }, /DER X.509/],
    ["a signature of another key", 2, { signer: stranger }, /serverSignature1/],
    ["a key on another curve than the CI's", 3, { server: issued("dpAuth", { keyCurve: "brainpoolP256r1" }) }, /brainpoolP256r1/],
    ["a certificate without SM-DP+ OID", 5, { server: issued("dpAuth", { withoutOid: true }) }, /registeredID/],
    ["another challenge", 6, { challenge: new Uint8Array(16) }, /the challenge was/],
    ["a CI under which it can not sign", 7, { ciPkId: new Uint8Array(20) }, /can not sign/],
    ["a truncated CI key id", 7, { ciPkId: fromHex("F541") }, /F541/],
    ["ctxParams1 without deviceInfo", 127, { ctxParams1: fromHex("A0028000") }, /deviceInfo/],
    ["a TAC of 3 octets", 127, { ctxParams1: fromHex("A009A1078003539260A100") }, /tac of 3/],
  ];
  for (const [what, code, fields, why] of CASES) {
    test(`${what}: ${code}, and the session is over`, () => {
      const { euicc, reader } = started();
      const secret = challenge(reader);
      assert.equal(toHex(reader.es10(authenticateServer(secret, fields))), toHex(tlv(0xbf38, tlv(0xa1, tlv(0x80, TID), tlv(0x02, [code])))));
      assert.match(lastWhy(euicc), why);
      assert.match(toHex(reader.es10(authenticateServer(secret))), /020104$/, "its challenge is used up");
      assert.equal(toHex(reader.es10(cancel(TID, 127))), "BF4103810105");
    });
  }

  test("without GetEuiccChallenge, after a reset, and when a server is authenticated already: 4", () => {
    const { euicc, reader } = started();
    const code = (request: Uint8Array): string => toHex(reader.es10(request)).slice(-6);
    assert.equal(code(authenticateServer(new Uint8Array(16))), "020104");
    const secret = challenge(reader);
    euicc.powerCycle();
    reader.start();
    assert.equal(code(authenticateServer(secret)), "020104");
    authenticated(reader);
    assert.equal(code(authenticateServer(secret)), "020104");
    assert.match(lastWhy(euicc), /GetEuiccChallenge comes first/);
  });

  test("a malformed request with 6A80, and changes nothing", () => {
    const { euicc, reader } = started();
    const whole = authenticateServer(challenge(reader));
    const before = euicc.snapshot().volatile.session;
    const members = readAll(readOne(whole).value).map(({ raw }) => raw);
    for (let missing = 0; missing < members.length; missing++) {
      assert.throws(() => reader.es10(tlv(0xbf38, ...members.filter((_one, at) => at !== missing))), { sw: 0x6a80 });
    }
    assert.throws(() => reader.es10(tlv(0xbf38, ...[...members].reverse())), { sw: 0x6a80 });
    assert.deepEqual(euicc.snapshot().volatile.session, before);
    assert.equal(reader.es10(whole)[2], 0x82, "the right one is still taken");
  });
});

describe("PrepareDownload refuses", () => {
  const CASES: readonly [string, number, ServerFields, RegExp][] = [
    ["a certificate of another SM-DP+", 1, { pb: issued("dpPb", { registeredId: "2.999.11" }) }, /2.999.11, CERT.DPauth was of 2.999.10/],
    ["a certificate for authentication", 1, { pb: pki().dpAuth }, /expected a certificate for dpPb/],
    ["a certificate of another CI", 1, { pb: otherPki.dpPb }, /not under a CI/],
    ["a signature of another key", 2, { signer: stranger }, /smdpSignature2/],
    ["a key on another curve", 3, { pb: issued("dpPb", { keyCurve: "brainpoolP256r1" }) }, /brainpoolP256r1/],
    ["another transactionId", 5, { signed2Tid: fromHex("99") }, /got 99/],
    ["a missing hashCc where a confirmation code is required", 127, { ccRequired: true }, /hashCc is missing/],
  ];
  for (const [what, code, fields, why] of CASES) {
    test(`${what}: ${code}, and the session can be cancelled`, () => {
      const { euicc, reader } = started();
      const signature1 = authenticated(reader);
      const request = prepareDownload(signature1, fields);
      const tid = fields.signed2Tid ?? TID;
      assert.equal(toHex(reader.es10(request)), toHex(tlv(0xbf21, tlv(0xa1, tlv(0x80, tid), tlv(0x02, [code])))));
      assert.match(lastWhy(euicc), why);
      assert.deepEqual(euicc.snapshot().nonvolatile.oneTimeKeys, []);
      assert.equal(reader.es10(cancel(TID, 127))[3], 0xa0);
    });
  }

  test("smdpSignature2 that does not cover euiccSignature1: 2", () => {
    const { reader } = started();
    authenticated(reader);
    assert.match(toHex(reader.es10(prepareDownload(new Uint8Array(0)))), /020102$/);
  });

  test("without an authenticated server, and a second time: 4", () => {
    const { euicc, reader } = started();
    challenge(reader);
    assert.match(toHex(reader.es10(prepareDownload(new Uint8Array(0)))), /020104$/);
    const signature1 = authenticated(reader);
    reader.es10(prepareDownload(signature1));
    assert.match(toHex(reader.es10(prepareDownload(signature1))), /020104$/);
    assert.match(lastWhy(euicc), /no session waits/);
  });

  test("hashCc behind the certificate with 6A80", () => {
    const { reader } = started();
    const request = prepareDownload(authenticated(reader), { hashCc: new Uint8Array(32) });
    const [signed, signature, hashCc, certificate] = readAll(readOne(request).value).map(({ raw }) => raw) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    assert.doesNotThrow(() => reader.es10(tlv(0xbf21, signed, signature, hashCc, certificate)));
    authenticated(reader);
    assert.throws(() => reader.es10(tlv(0xbf21, signed, signature, hashCc)), { sw: 0x6a80 });
  });
});

describe("CancelSession refuses", () => {
  test("an unknown transactionId with 5, an unknown reason with 127", () => {
    const { euicc, reader } = started();
    assert.equal(toHex(reader.es10(cancel(TID, 0))), "BF4103810105");
    authenticated(reader);
    assert.equal(toHex(reader.es10(cancel(fromHex("0A0B"), 0))), "BF4103810105");
    assert.equal(toHex(reader.es10(cancel(TID, 9))), "BF410381017F");
    assert.match(lastWhy(euicc), /reason 9/);
    assert.equal(reader.es10(cancel(TID, 0))[3], 0xa0, "the session was still there");
  });
});

/** BF23 by its members, signed; what is given replaces a member. */
function bf23(euiccOtpk: Uint8Array, given: { remoteOpId?: number; tid?: Uint8Array; keyType?: number; keyLength?: number; otpk?: Uint8Array; swapped?: boolean } = {}): Uint8Array {
  const first = [tlv(0x82, [given.remoteOpId ?? 1]), tlv(0x80, given.tid ?? TID)];
  const crt = tlv(0xa6, tlv(0x80, [given.keyType ?? 0x88]), tlv(0x81, [given.keyLength ?? 0x10]), tlv(0x84, HOST_ID));
  const members = concat(...(given.swapped === true ? first.reverse() : first), crt, tlv(0x5f49, given.otpk ?? smdpKey().publicKey));
  return tlv(0xbf23, members, tlv(0x5f37, sign(pki().dpPb.key, concat(members, tlv(0x5f49, euiccOtpk)))));
}

interface PackageCase {
  title: string;
  options?: EuiccOptions;
  fields?: BppFields;
  /** Changes the bound parts, or what is sent. */
  parts?: (parts: BppParts, euiccOtpk: Uint8Array) => BppParts;
  segments?: (segments: Uint8Array[], bpp: Uint8Array) => Uint8Array[];
  prepare?: (euicc: Euicc) => void;
  /** bppCommandId, errorReason, and how many segments the card took before. */
  expected: [number, number, number];
  why: RegExp;
}

const withRequest = (given: Parameters<typeof bf23>[1]) => (parts: BppParts, otpk: Uint8Array): BppParts => ({ ...parts, initialiseSecureChannel: bf23(otpk, given) });
const changed = (index: number, at: number) => (segments: Uint8Array[]): Uint8Array[] =>
  segments.map((segment, n) => (n === index ? Uint8Array.from(segment, (octet, offset) => (offset === (at < 0 ? segment.length + at : at) ? octet ^ 1 : octet)) : segment));
const joined = (from: number, to: number) => (segments: Uint8Array[]): Uint8Array[] => [...segments.slice(0, from), concat(...segments.slice(from, to + 1)), ...segments.slice(to + 1)];
const without = (index: number) => (segments: Uint8Array[]): Uint8Array[] => segments.filter((_one, n) => n !== index);
const stored = (fields: MetadataFields): BppFields => ({ metadata: fields });
/** A package whose blocks after A0 protect other octets than bindProfile would. */
const protecting = (bf24: Uint8Array, bf26?: Uint8Array) => (parts: BppParts, otpk: Uint8Array): BppParts => {
  const channel = openChannel(smdpKeys(otpk));
  const firstSequenceOf87 = [protect(channel, 0x87, bf24)];
  const sequenceOf88 = [protect(channel, 0x88, metadata())];
  const secondSequenceOf87 = bf26 && [protect(channel, 0x87, bf26)];
  if (bf26 !== undefined) replaceSessionKeys(channel, encodeReplaceSessionKeys(PPK));
  return { ...parts, firstSequenceOf87, sequenceOf88, ...(secondSequenceOf87 && { secondSequenceOf87 }), sequenceOf86: [protect(channel, 0x86, profilePackage())] };
};
const RAT = [{ pprIds: ["ppr1", "ppr2"] as const, allowedOperators: [{ mccMnc: "262-E1" }, { mccMnc: "310-410", gid1: fromHex("01") }] }];
const only = (more: EuiccOptions = {}): EuiccOptions => ordinary({ profiles: [], rat: RAT, ...more });
const HEADER = toHex(readTlv(profilePackage()).raw);
const piece = (hex: string): BppFields => ({ profile: fromHex(hex) });

const PACKAGES: readonly PackageCase[] = [
  { title: "smdpSign of another key", fields: { pb: { key: stranger, certificate: pki().dpPb.certificate } }, parts: (parts, otpk) => ({ ...parts, initialiseSecureChannel: boundParts(otpk, { pb: { key: stranger, certificate: pki().dpPb.certificate } }).initialiseSecureChannel }), expected: [0, 2, 0], why: /smdpSign/ },
  { title: "another transactionId in BF23", parts: withRequest({ tid: fromHex("AA") }), expected: [0, 3, 0], why: /transactionId/ },
  { title: "another keyType", parts: withRequest({ keyType: 0x80 }), expected: [0, 4, 0], why: /keyType/ },
  { title: "another keyLen", parts: withRequest({ keyLength: 0x20 }), expected: [0, 4, 0], why: /keyLen/ },
  { title: "another remoteOpId", parts: withRequest({ remoteOpId: 2 }), expected: [0, 5, 0], why: /remoteOpId/ },
  { title: "transactionId before remoteOpId", parts: withRequest({ swapped: true }), expected: [0, 7, 0], why: /82 80 A6/ },
  { title: "dpOid of another SM-DP+ in ConfigureISDP", fields: { configureIsdp: tlv(0xbf24, tlv(0xb8, tlv(0x80, fromHex("88370B")))) }, expected: [1, 1, 1], why: /dpOid 88370B/ },
  { title: "ConfigureISDP that is none", parts: protecting(fromHex("BF2500")), expected: [1, 1, 1], why: /BF24, got BF25/ },
  { title: "metadata without profileName", fields: { metadata: tlv(0xbf25, tlv(0x5a, fromHex(iccidHex(NEW))), tlv(0x91)) }, expected: [2, 1, 3], why: /profileName/ },
  { title: "a profileName of 65 octets", fields: stored({ name: "x".repeat(65) }), expected: [2, 1, 3], why: /profileName of 65/ },
  { title: "an icon of 1025 octets", fields: stored({ icon: 1025 }), expected: [2, 1, 4], why: /icon of 1025/ },
  { title: "a test Profile on a card without support for one", options: ordinary({ info: { rspCapability: fromHex("0780") } }), fields: stored({ class: 0 }), expected: [2, 6, 3], why: /class test/ },
  { title: "a profile class that does not exist", fields: stored({ class: 3 }), expected: [2, 6, 3], why: /class 3/ },
  { title: "an ICCID that is installed", fields: stored({ iccid: A }), expected: [2, 9, 3], why: /installed already/ },
  { title: "ppr1 while an operational Profile is there", options: ordinary({ rat: RAT }), fields: stored({ rules: [1], owner: "62F210" }), expected: [2, 15, 3], why: /operational Profile/ },
  { title: "a rule for an owner that the RAT does not name", options: only(), fields: stored({ rules: [2], owner: "62F220" }), expected: [2, 15, 3], why: /Rules Authorisation Table/ },
  { title: "a rule without an owner", options: only(), fields: stored({ rules: [2] }), expected: [2, 15, 3], why: /Rules Authorisation Table/ },
  { title: "a rule for an owner without the gid that the RAT wants", options: only(), fields: stored({ rules: [2], owner: "130014" }), expected: [2, 15, 3], why: /Rules Authorisation Table/ },
  { title: "a rule for an owner with a gid that the RAT does not have", options: only(), fields: stored({ rules: [2], owner: "62F210", gid1: "01" }), expected: [2, 15, 3], why: /Rules Authorisation Table/ },
  { title: "a forbidden rule", options: only({ info: { forbiddenPolicyRules: ["ppr2"] } }), fields: stored({ rules: [2], owner: "62F210" }), expected: [2, 15, 3], why: /forbidden/ },
  { title: "an unknown rule", options: only(), fields: stored({ rules: [4], owner: "62F210" }), expected: [2, 15, 3], why: /rule 4 is unknown/ },
  { title: "a damaged 87", segments: changed(1, 10), expected: [1, 8, 1], why: /MAC/ },
  { title: "a damaged 88", segments: changed(3, 20), expected: [2, 8, 3], why: /MAC/ },
  { title: "a damaged MAC of an 86", segments: changed(5, -1), expected: [5, 8, 5], why: /MAC/ },
  { title: "the two 86 in the wrong order", fields: { profile: profilePackage({ size: 1500 }), segment: 800 }, segments: (all) => [...all.slice(0, 5), all[6] as Uint8Array, all[5] as Uint8Array], expected: [5, 8, 5], why: /block 3/ },
  { title: "an 86 twice", fields: { profile: profilePackage({ size: 1500 }) }, segments: (all) => [...all.slice(0, 6), all[5] as Uint8Array], expected: [5, 7, 6], why: /left/ },
  { title: "ReplaceSessionKeys with a key of 15 octets", parts: protecting(fromHex("BF2400"), tlv(0xbf26, tlv(0x80, PPK.chain), tlv(0x81, PPK.sEnc), tlv(0x82, PPK.sMac.subarray(1)))), expected: [4, 7, 4], why: /ppkCmac/ },
  { title: "more Profile than there is memory", options: ordinary({ download: { freeMemory: 1010 } }), fields: { profile: profilePackage({ size: 1500 }) }, expected: [5, 10, 6], why: /1010 that are free/ },
  { title: "a Profile Package that begins with no header", fields: piece("B000AA00"), expected: [5, 12, 5], why: /first profile element is B0/ },
  { title: "a tag that no profile element has", fields: piece(`${HEADER}3003020100AA00`), expected: [5, 12, 5], why: /30 is not the tag/ },
  { title: "octets behind the end element", fields: piece(`${HEADER}AA00B000`), expected: [5, 12, 5], why: /follows the end element/ },
  { title: "a Profile Package without end", fields: piece(`${HEADER}B000`), expected: [5, 12, 5], why: /does not end/ },
  { title: "an element with a length that can not be", fields: piece(`${HEADER}B085`), expected: [5, 12, 5], why: /length of 5 octets/ },
  { title: "a Profile Package that ends within an element", fields: piece(`${HEADER}AA050000`), expected: [5, 12, 5], why: /does not end/ },
  { title: "a header for another ICCID than the metadata", fields: { profile: profilePackage({ iccid: A }) }, expected: [5, 13, 5], why: /is for ICCID 89000123456789012341/ },
  { title: "an invalid key of a test Profile (by fault)", prepare: (euicc) => euicc.failSegment(5, { errorReason: ErrorReason.TestProfileInvalidNaaKey }), expected: [5, 14, 5], why: /fault segment/ },
  { title: "BF36's header without BF23", segments: (all) => [(all[0] as Uint8Array).subarray(0, headOf(all[0] as Uint8Array)), ...all], expected: [0, 7, 0], why: /expected one BF23, got nothing/ },
  { title: "BF23 in a segment of its own", segments: (all) => [behindHead(all[0] as Uint8Array)], expected: [0, 7, 0], why: /expected a segment that begins with BF36/ },
  { title: "half of BF23", segments: (all) => [(all[0] as Uint8Array).subarray(0, 100)], expected: [0, 7, 0], why: /cut off/ },
  { title: "BF23 and A0 in one segment", segments: joined(0, 1), expected: [0, 7, 0], why: /expected one BF23, got BF23 A0/ },
  { title: "the whole package in one segment", segments: (_all, bpp) => [bpp], expected: [0, 7, 0], why: /got BF23 A0 A1 A3/ },
  { title: "A0's header without its 87", segments: (all) => [all[0] as Uint8Array, (all[1] as Uint8Array).subarray(0, 2)], expected: [1, 7, 1], why: /A0 says 26 octets, 0 are/ },
  { title: "the 87 without A0's header", segments: (all) => [all[0] as Uint8Array, (all[1] as Uint8Array).subarray(2)], expected: [1, 7, 1], why: /begins with A0/ },
  { title: "A0 with an 88 in it", segments: (all) => [all[0] as Uint8Array, tlv(0xa0, all[3] as Uint8Array)], expected: [1, 7, 1], why: /holds 88, expected 87/ },
  { title: "A0 twice", segments: (all) => [...all.slice(0, 2), all[1] as Uint8Array], expected: [2, 7, 2], why: /begins with A1/ },
  { title: "A1 with its 88 in one segment", segments: joined(2, 3), expected: [2, 7, 2], why: /header alone/ },
  { title: "an 88 without A1's header", segments: without(2), expected: [2, 7, 2], why: /begins with A1/ },
  { title: "two 88 in one segment", fields: stored({ icon: 1000 }), segments: joined(3, 4), expected: [2, 7, 3], why: /88 says/ },
  { title: "A3 before all 88 came", fields: stored({ icon: 1000 }), segments: without(4), expected: [2, 7, 4], why: /begins with 88/ },
  { title: "A2's header alone", fields: { withPpk: true }, segments: (all) => [...all.slice(0, 4), (all[4] as Uint8Array).subarray(0, 2)], expected: [4, 7, 4], why: /A2 says 74 octets, 0 are/ },
  { title: "A2 twice", fields: { withPpk: true }, segments: (all) => [...all.slice(0, 5), all[4] as Uint8Array], expected: [5, 7, 5], why: /begins with A3/ },
  { title: "A3 with its 86 in one segment", segments: joined(4, 5), expected: [5, 7, 4], why: /header alone/ },
  { title: "an 86 without A3's header", segments: without(4), expected: [4, 7, 4], why: /begins with A2 or A3/ },
  { title: "two 86 in one segment", fields: { profile: profilePackage({ size: 1500 }) }, segments: joined(5, 6), expected: [5, 7, 5], why: /86 says/ },
  { title: "half of an 86", segments: (all) => [...all.slice(0, 5), (all[5] as Uint8Array).subarray(0, 40)], expected: [5, 7, 5], why: /86 says/ },
  { title: "a segment that was left out", segments: without(1), expected: [1, 7, 1], why: /begins with A0/ },
  { title: "the package from its beginning again", segments: (all) => [...all.slice(0, 3), ...all], expected: [2, 7, 3], why: /begins with 88/ },
  { title: "members that are longer than BF36 says", segments: (all) => [concat(fromHex("BF3681B0"), behindHead(all[0] as Uint8Array)), ...all.slice(1)], expected: [1, 7, 1], why: /more than it says/ },
  { title: "a list that is longer than BF36 says", segments: (all) => [concat(fromHex("BF3681D0"), behindHead(all[0] as Uint8Array)), ...all.slice(1)], expected: [2, 7, 2], why: /A1 says/ },
  { title: "BF36 that says more than its members have", segments: (all) => [concat(fromHex("BF36820800"), behindHead(all[0] as Uint8Array)), ...all.slice(1)], expected: [5, 7, 5], why: /octets more than its members/ },
  { title: "a block of 1036 octets on a strict card", options: ordinary({ download: { strictBlocks: true } }), fields: { profile: profilePackage({ size: 3000 }), segment: 1008 }, expected: [5, 7, 5], why: /at most 1020/ },
];

function headOf(segment: Uint8Array): number {
  return segment[2] === 0x82 ? 5 : 4;
}

function behindHead(first: Uint8Array): Uint8Array {
  return first.subarray(headOf(first));
}

describe("LoadBoundProfilePackage refuses", () => {
  for (const one of PACKAGES) {
    const [command, reason, taken] = one.expected;
    test(`${one.title}: ${ErrorReason[reason]}`, () => {
      const { euicc, reader } = started(one.options ?? ordinary());
      const profiles = euicc.profiles.length;
      const otpk = prepared(reader);
      const parts = boundParts(otpk, one.fields);
      const bpp = joinBpp(one.parts?.(parts, otpk) ?? parts);
      one.prepare?.(euicc);
      const segments = one.segments?.(loadSegments(bpp), bpp) ?? loadSegments(bpp);
      const { answer, sent } = load(reader, segments);
      assert.ok(answer.length > 0, "no result came");
      const pir = pirOf(answer);
      assert.deepEqual([pir.result, sent], [`${command}/${reason}`, taken + 1]);
      assert.match(lastWhy(euicc), one.why);
      assert.deepEqual([euicc.profiles.length, euicc.pending.length], [profiles, 1]);
      assert.equal(pir.simaResponse, reason === 12 ? "3009A0053003800103" + "8100" : undefined);
      assert.throws(() => reader.es10(segments[0] as Uint8Array), "the session is over");
    });
  }

  test("each errorReason but interruption and unknownError is in the table", () => {
    const shown = new Set(PACKAGES.map(({ expected }) => expected[1]));
    assert.deepEqual(Object.values(ErrorReason).filter((value) => typeof value === "number" && !shown.has(value)), [11, 127]);
  });

  test("ppr1 and ppr2 are taken where the RAT allows them to the owner, with a wildcard digit and a gid", () => {
    for (const more of [{ rules: [1, 2], owner: "62F210" }, { rules: [2], owner: "62F211" }, { rules: [2], owner: "130014", gid1: "01" }]) {
      const { euicc, reader } = started(only());
      assert.equal(pirOf(download(reader, stored(more))).result, "ok", more.owner);
      assert.deepEqual(euicc.profiles.at(-1)?.metadata.policyRules, more.rules);
    }
  });

  test("segments without PrepareDownload: 6985 for the first, 6A88 for any other", () => {
    const { reader } = started();
    const segments = segmentsOf(smdpKey().publicKey);
    for (const when of [(): void => undefined, (): void => void authenticated(reader)]) {
      when();
      segments.forEach((segment, index) => assert.throws(() => reader.es10(segment), { sw: index === 0 ? 0x6985 : 0x6a88 }));
    }
  });

  test("a package that is bound to another card's key: the first MAC does not verify", () => {
    const { reader } = started();
    const otpk = prepared(reader);
    const parts = boundParts(otpk);
    const foreign = { ...boundParts(smdpKey().publicKey), initialiseSecureChannel: parts.initialiseSecureChannel };
    assert.equal(pirOf(load(reader, loadSegments(joinBpp(foreign))).answer).result, "1/8");
  });

  test("everything while the IPAe is active with 6985", () => {
    const { reader } = started(ordinary({ features: { ipae: "active" }, apdu: { gate: false } }));
    reader.card.powerCycle();
    reader.open();
    for (const command of ["BF2E00", "BF3800", "BF2100", "BF41068001008101 00", "BF3600", "A100"]) assert.throws(() => reader.es10(command), { sw: 0x6985 });
  });
});

test("the device's ctxParams1 may be without matchingId and without IMEI", () => {
  const { reader } = started();
  const bare = tlv(0xa0, tlv(0xa1, tlv(0x80, fromHex("53926011")), tlv(0xa1)));
  assert.ok(authenticated(reader, { ctxParams1: bare }).length === 67);
});
