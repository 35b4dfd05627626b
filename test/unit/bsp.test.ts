/** BPP protection: the worked vector of sgp32-types 9.1 octet by octet, RFC 4493, a second AES-CMAC and ECDH, and all that must be refused. */
import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { describe, test } from "node:test";
import { cmac as nobleCmac } from "@noble/ciphers/aes.js";
import { brainpoolP256r1 } from "@noble/curves/misc.js";
import { p256 } from "@noble/curves/nist.js";
import { concat, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { Rng } from "../sim/core/rng.js";
import { readAll, readOne, tlv } from "../sim/codec/tlv.js";
import {
  acceptSecureChannel, allBlocks, bindProfile, BppError, checkSecureChannelRequest, cmac, encodeReplaceSessionKeys, encodeSecureChannelRequest, ErrorReason, joinBpp,
  loadSegments, openChannel, protect, readSecureChannelRequest, replaceSessionKeys, sessionKeys, sharedInfo, sharedSecret, splitBpp, unbindProfile, unprotect, x963Kdf,
  type BindOptions, type UnbindOptions,
} from "../sim/bsp/index.js";
import { keyPair, keyPairFromSeed, verify, type Curve } from "../sim/pki/keys.js";

const EID = "89049032123451234512345678901235";
const HOST_ID = fromHex("01020304");
const TRANSACTION_ID = fromHex("0102030405060708");
const DP = keyPair("P-256", fromHex("1692DDA7BE5F7A7CD3242975A70FD9504E2D4AD69DB1DDD756F7E4998E8577D6"));
const EUICC = keyPair("P-256", fromHex("3225A61A8354F868BFFB979C3BE31B560657BFA5714E19DBA90E86E7EA0FDAD0"));
const METADATA = fromHex("BF25165A0A9800103254769810321491025350920454657374");
const PROFILE = fromHex("000102030405060708090A0B0C0D0E0F10111213");
const BLOCK_87 = "8718E014A5A2E2FCB4291334DA61DD69C95D4B113103E50BCBC2";
const BLOCK_88 = "8821BF25165A0A9800103254769810321491025350920454657374F267424D61DAFDC3";
const BLOCK_86 = "8628A162A37A2B644F1FBDCFE05678D842511EC3B1DD8C0A1A3E09B09C60BF895E9C02564FB471F33B71";
const BLOCK_87_A2 = "8748E777B5A65CF1EA997A21BF858ACBC8E7D31BEB2D017A21C51A104D9FD715F2383A3B83F74261E50E2909DB3C2F3153AC4046E84D95D0AF19328C6F52730218E91535FBAFE799F9C2";
const BLOCK_86_PPK = "8628BBB2F4AE7CCEDFB0D7A7CA9E71A6B8B6C56F53FA22A2983F0FCD2F9C14CB2F9FD8EE36021AC3E71A";
const PPK = { chain: fromHex("505152535455565758595A5B5C5D5E5F"), sEnc: fromHex("303132333435363738393A3B3C3D3E3F"), sMac: fromHex("404142434445464748494A4B4C4D4E4F") };

const vectorKeys = () => sessionKeys({ own: DP, peer: EUICC.publicKey, hostId: HOST_ID, eid: EID });

function bindOptions(change: Partial<BindOptions> = {}): BindOptions {
  return { eid: EID, transactionId: TRANSACTION_ID, smdpOt: DP, euiccOtpk: EUICC.publicKey, signer: keyPairFromSeed("P-256", "pb"), metadata: METADATA, profile: PROFILE, ...change };
}

function unbindOptions(change: Partial<UnbindOptions> = {}): UnbindOptions {
  const signer = keyPairFromSeed("P-256", "pb");
  return { eid: EID, transactionId: TRANSACTION_ID, euiccOt: EUICC, curve: "P-256", publicKey: signer.publicKey, ...change };
}

function refused(reason: ErrorReason, run: () => unknown, why?: RegExp): void {
  assert.throws(run, (cause: unknown) => {
    assert.ok(cause instanceof BppError, String(cause));
    assert.equal(ErrorReason[cause.reason], ErrorReason[reason]);
    if (why) assert.match(cause.message, why);
    return true;
  });
}

describe("session keys", () => {
  test("Z, SharedInfo and the three keys are those of the worked vector, from either side", () => {
    assert.equal(toHex(DP.publicKey), "0464867BB584284FBD3E8BB6F8F786C7F6D8AD5F74A01F1DDFE9BCE90204A0F4BE84BDCE0ADFAC1FC5ABDCF34734DD99383D7B2982EEE16D0E1746603A1F61D723");
    assert.equal(toHex(EUICC.publicKey), "04456287ADF702FACBA89008E681A787E14021DE27AB674638909E0D09FF03FD72CC76482048A3835A8481BDE36C58A694559104ED78E5C331626DBDCFDB9748D5");
    assert.equal(toHex(sharedSecret(DP, EUICC.publicKey)), "86685877E91D5EDE4C66E31AD4D4AE695B837F0B20A9D63DF7F7B8FAF26627EF");
    assert.equal(toHex(sharedInfo(HOST_ID, EID)), "88100401020304" + "10" + EID);
    for (const keys of [vectorKeys(), sessionKeys({ own: EUICC, peer: DP.publicKey, hostId: HOST_ID, eid: EID })]) {
      assert.equal(toHex(keys.chain), "FC51392B408429524931652E8FDDA3F7");
      assert.equal(toHex(keys.sEnc), "8B1538CD51F1A22C1D50C010D86A0DF3");
      assert.equal(toHex(keys.sMac), "FEE93581D0EA9999B596C9C722B8CA1E");
    }
  });

  test("X9.63 key derivation gives NIST's vector (ANSI X9.63-2001, SHA-256, COUNT 0)", () => {
    const z = fromHex("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08");
    assert.equal(toHex(x963Kdf(z, new Uint8Array(0), 16)), "443024C3DAE66B95E6F5670601558F71");
  });

  for (const [curve, ec] of [["P-256", p256], ["brainpoolP256r1", brainpoolP256r1]] as const) {
    test(`the shared secret on ${curve} is that of a second implementation`, () => {
      const [a, b] = [keyPairFromSeed(curve, "a"), keyPairFromSeed(curve, "b")];
      assert.equal(toHex(sharedSecret(a, b.publicKey)), toHex(ec.getSharedSecret(a.privateKey, b.publicKey).slice(1)));
    });
  }

  test("a one-time key that is no point of the curve is refused", () => {
    const off = DP.publicKey.slice();
    off[64] = (off[64] as number) ^ 1;
    refused(ErrorReason.InvalidSignature, () => sharedSecret(EUICC, off), /a point of P-256 expected/);
    refused(ErrorReason.InvalidSignature, () => sharedSecret(EUICC, keyPairFromSeed("brainpoolP256r1", "x").publicKey));
    refused(ErrorReason.InvalidSignature, () => sharedSecret(EUICC, new Uint8Array(0)));
  });
});

describe("AES-CMAC", () => {
  const key = fromHex("2b7e151628aed2a6abf7158809cf4f3c");
  const message = fromHex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
  for (const [length, mac] of [
    [0, "BB1D6929E95937287FA37D129B756746"], [16, "070A16B46B4D4144F79BDD9DD04A287C"], [40, "DFA66747DE9AE63030CA32611497C827"], [64, "51F0BEBF7E3B9D92FC49741779363CFE"],
  ] as const) {
    test(`RFC 4493: ${length} octets`, () => assert.equal(toHex(cmac(key, message.subarray(0, length))), mac));
  }

  test("every length up to 100 octets gives the MAC of a second implementation", () => {
    const rng = new Rng(4493);
    for (let length = 0; length <= 100; length++) {
      const [random, bytes] = [rng.bytes(16), rng.bytes(length)];
      assert.equal(toHex(cmac(random, bytes)), toHex(nobleCmac(bytes, random)));
    }
  });
});

describe("the worked vector", () => {
  test("87, 88 and 86 with session keys, with counter and MAC chain", () => {
    const channel = openChannel(vectorKeys());
    assert.equal(toHex(protect(channel, 0x87, fromHex("BF2400"))), BLOCK_87);
    assert.equal(toHex(channel.chain), "4B113103E50BCBC2AD4A8B40FD7A7D63");
    assert.equal(toHex(protect(channel, 0x88, METADATA)), BLOCK_88);
    assert.equal(toHex(channel.chain), "F267424D61DAFDC33414BB85DA43C8B7");
    assert.equal(toHex(protect(channel, 0x86, PROFILE)), BLOCK_86);
    assert.equal(toHex(channel.chain), "02564FB471F33B719541229436B937D8");
    assert.equal(channel.counter, 4);
  });

  test("with ReplaceSessionKeys, 86 starts again at block 1 with the profile protection keys", () => {
    const channel = openChannel(vectorKeys());
    protect(channel, 0x87, fromHex("BF2400"));
    protect(channel, 0x88, METADATA);
    const bf26 = encodeReplaceSessionKeys(PPK);
    assert.equal(toHex(bf26), "BF26368010505152535455565758595A5B5C5D5E5F8110303132333435363738393A3B3C3D3E3F8210404142434445464748494A4B4C4D4E4F");
    assert.equal(toHex(protect(channel, 0x87, bf26)), BLOCK_87_A2);
    replaceSessionKeys(channel, bf26);
    assert.equal(toHex(protect(channel, 0x86, PROFILE)), BLOCK_86_PPK);
    assert.equal(toHex(channel.chain), "D8EE36021AC3E71ABF5058127C2A2937");
  });

  test("the eUICC gets the plaintexts back from the vector's blocks", () => {
    const channel = openChannel(vectorKeys());
    assert.equal(toHex(unprotect(channel, fromHex(BLOCK_87))), "BF2400");
    assert.equal(toHex(unprotect(channel, fromHex(BLOCK_88))), toHex(METADATA));
    const plain = { ...channel };
    assert.equal(toHex(unprotect(channel, fromHex(BLOCK_86))), toHex(PROFILE));
    replaceSessionKeys(plain, unprotect(plain, fromHex(BLOCK_87_A2)));
    assert.equal(toHex(unprotect(plain, fromHex(BLOCK_86_PPK))), toHex(PROFILE));
  });

  test("bindProfile puts just these blocks into a BPP", () => {
    const plain = bindProfile(bindOptions());
    assert.deepEqual(allBlocks(plain).map(toHex), [BLOCK_87, BLOCK_88, BLOCK_86]);
    assert.deepEqual(allBlocks(bindProfile(bindOptions({ ppk: PPK }))).map(toHex), [BLOCK_87, BLOCK_88, BLOCK_87_A2, BLOCK_86_PPK]);
  });

  test("smdpSign of 14.2 verifies over 82, 80, A6, 5F49 and 5F49, and the members come out as that input", () => {
    const dpPb = fromHex("0400BC139BF7170CE0845140F079A223413C72AF5D9DB218476BF37A35DF720C4E5871FA4DB2B629AB8C8E9275907A56FC4B3E765D86D51C8731C6EF1AC6BC2EE6");
    const signature = fromHex("576AA01B6D519704203A00AC64858F5B4CB13B56E8B0A70CE0B159FF76D5BD0BEEA415B6E12A4B67D766D746FDDF40890AFB801B9563D075CCC3639C532991A1");
    const made = encodeSecureChannelRequest({ transactionId: TRANSACTION_ID, hostId: HOST_ID, smdpOtpk: DP.publicKey, euiccOtpk: EUICC.publicKey, signer: DP });
    const request = readSecureChannelRequest(made);
    assert.equal(toHex(request.signedPart), `82010180080102030405060708A60C8001888101108404010203045F4941${toHex(DP.publicKey)}`);
    const withReal = { ...request, smdpSign: signature };
    checkSecureChannelRequest(withReal, { transactionId: TRANSACTION_ID, euiccOtpk: EUICC.publicKey, curve: "P-256", publicKey: dpPb });
    assert.equal(verify("P-256", dpPb, request.signedPart, signature), false);
  });
});

describe("blocks", () => {
  const fresh = () => openChannel(vectorKeys());

  test("a flipped octet anywhere in a block is a security or structure error, and leaves the channel where it was", () => {
    const block = fromHex(BLOCK_87);
    for (let at = 0; at < block.length; at++) {
      const channel = fresh();
      const broken = block.slice();
      broken[at] = (broken[at] as number) ^ 0x10;
      assert.throws(() => unprotect(channel, broken), BppError, `octet ${at}`);
      assert.deepEqual(channel, fresh());
    }
  });

  test("a truncated block is a structure error at every length", () => {
    for (let length = 0; length < 26; length++) refused(ErrorReason.Scp03tStructureError, () => unprotect(fresh(), fromHex(BLOCK_87).subarray(0, length)));
  });

  test("blocks that change places, come twice or are left out do not verify", () => {
    const [one, two, three] = [BLOCK_87, BLOCK_88, BLOCK_86].map(fromHex) as [Uint8Array, Uint8Array, Uint8Array];
    for (const order of [[two], [one, three], [one, one], [one, two, two]]) {
      const channel = fresh();
      const last = order.pop() as Uint8Array;
      for (const block of order) unprotect(channel, block);
      refused(ErrorReason.Scp03tSecurityError, () => unprotect(channel, last), /the MAC does not verify/);
    }
  });

  test("wrong padding under a good MAC is a security error", () => {
    // S-ENC of the sender differs: the MAC holds, what is decrypted is noise.
    const sender = { ...fresh(), sEnc: new Uint8Array(16) };
    refused(ErrorReason.Scp03tSecurityError, () => unprotect(fresh(), protect(sender, 0x86, PROFILE)), /padding/);
  });

  test("padding of more than a cipher block, or of zeros alone, is a security error even under a good MAC", () => {
    for (const padded of [concat(Uint8Array.of(0x80), new Uint8Array(31)), new Uint8Array(32)]) {
      const channel = fresh();
      const cipher = (mode: string, iv: Uint8Array | null, data: Uint8Array) => new Uint8Array(createCipheriv(mode, channel.sEnc, iv).setAutoPadding(false).update(data));
      const icv = cipher("aes-128-ecb", null, concat(new Uint8Array(15), Uint8Array.of(1)));
      const head = concat(fromHex("8628"), cipher("aes-128-cbc", icv, padded));
      refused(ErrorReason.Scp03tSecurityError, () => unprotect(channel, concat(head, cmac(channel.sMac, concat(channel.chain, head)).subarray(0, 8))), /padding/);
    }
  });

  test("plaintext of every length from 0 to 64 octets comes back, and 1007 octets make a block of 1020", () => {
    const [there, back] = [fresh(), fresh()];
    const rng = new Rng(1);
    for (let length = 0; length <= 64; length++) {
      const plain = rng.bytes(length);
      assert.equal(toHex(unprotect(back, protect(there, 0x86, plain))), toHex(plain));
    }
    const longest = protect(there, 0x86, rng.bytes(1007));
    assert.equal(longest.length, 1020);
    unprotect(back, longest, { strict: true });
    assert.equal(protect(there, 0x88, rng.bytes(1008)).length, 1020);
  });

  test("1008 octets make a block of 1036, which a strict eUICC refuses and another takes", () => {
    const block = protect(fresh(), 0x86, new Uint8Array(1008));
    assert.equal(block.length, 1036);
    refused(ErrorReason.Scp03tStructureError, () => unprotect(fresh(), block, { strict: true }), /at most 1020 octets expected, got 1036/);
    assert.equal(unprotect(fresh(), block).length, 1008);
  });

  test("a block with another tag, a length that is no multiple of 16 or no room for a MAC is a structure error", () => {
    for (const block of [tlv(0x85, new Uint8Array(24)), tlv(0x86, new Uint8Array(23)), tlv(0x86, new Uint8Array(8)), tlv(0x88, new Uint8Array(7)), concat(fromHex(BLOCK_87), Uint8Array.of(0))]) {
      refused(ErrorReason.Scp03tStructureError, () => unprotect(fresh(), block));
    }
  });

  test("malformed ReplaceSessionKeys are a structure error", () => {
    for (const hex of ["BF2600", "BF2700", "BF26368010", "BF2635800F5152535455565758595A5B5C5D5E5F8110303132333435363738393A3B3C3D3E3F8210404142434445464748494A4B4C4D4E4F"]) {
      refused(ErrorReason.Scp03tStructureError, () => replaceSessionKeys(fresh(), fromHex(hex)));
    }
  });
});

describe("a whole BPP", () => {
  for (const curve of ["P-256", "brainpoolP256r1"] as const satisfies Curve[]) {
    for (const ppk of [undefined, PPK]) {
      test(`binding and unbinding gives the profile back (${curve}${ppk ? ", with ReplaceSessionKeys" : ""})`, () => {
        const [smdpOt, euiccOt, signer] = ["dp", "euicc", "pb"].map((seed) => keyPairFromSeed(curve, seed)) as [typeof DP, typeof DP, typeof DP];
        const profile = new Rng(7).bytes(5000);
        const bpp = joinBpp(bindProfile(bindOptions({ smdpOt, euiccOtpk: euiccOt.publicKey, signer, profile, ...(ppk && { ppk }) })));
        const found = unbindProfile(bpp, unbindOptions({ euiccOt, curve, publicKey: signer.publicKey, strict: true }));
        assert.equal(toHex(found.profile), toHex(profile));
        assert.equal(toHex(found.metadata), toHex(METADATA));
        assert.equal(toHex(found.configureIsdp), "BF2400");
        assert.equal(found.replaceSessionKeys !== undefined, ppk !== undefined);
      });
    }
  }

  test("a profile is cut into 86 blocks of 1007 octets of plaintext, or as wanted", () => {
    const profile = new Uint8Array(86 * 1007 - 3);
    const parts = bindProfile(bindOptions({ profile }));
    assert.equal(parts.sequenceOf86.length, 86);
    assert.ok(allBlocks(parts).every((block) => block.length <= 1020));
    const field = bindProfile(bindOptions({ profile, segment: 1008 }));
    assert.equal(field.sequenceOf86[0]?.length, 1036);
    assert.deepEqual(unbindProfile(joinBpp(field), unbindOptions()).profile, profile);
    refused(ErrorReason.Scp03tStructureError, () => unbindProfile(joinBpp(field), unbindOptions({ strict: true })), /at most 1020/);
    assert.throws(() => bindProfile(bindOptions({ segment: 0 })), RangeError);
  });

  test("metadata of more than 1008 octets take several 88 blocks, ConfigureISDP several 87 blocks where asked", () => {
    const metadata = tlv(0xbf25, tlv(0x94, new Uint8Array(1024)));
    const parts = bindProfile(bindOptions({ metadata, configureIsdp: tlv(0xbf24, tlv(0xb8, tlv(0x80, utf8("0123456789")))), configureIsdpBlocks: 3 }));
    assert.deepEqual([parts.firstSequenceOf87.length, parts.sequenceOf88.length], [3, 2]);
    const found = unbindProfile(joinBpp(parts), unbindOptions());
    assert.deepEqual(found.metadata, metadata);
    assert.equal(readOne(found.configureIsdp, 0xbf24).value.length, 14);
  });

  test("segments for the card are as the standard cuts them, and together are the BPP", () => {
    for (const ppk of [undefined, PPK]) {
      const bpp = joinBpp(bindProfile(bindOptions({ profile: new Uint8Array(3000), ...(ppk && { ppk }) })));
      const segments = loadSegments(bpp);
      const [bf23, a0, ...others] = readAll(readOne(bpp).value).map((item) => item.raw) as [Uint8Array, Uint8Array, ...Uint8Array[]];
      assert.deepEqual(concat(...segments), bpp);
      assert.equal(segments.length, 2 + (1 + 1) + (ppk ? 1 : 0) + (1 + 3));
      assert.deepEqual(segments[0]?.subarray(-bf23.length), bf23);
      assert.deepEqual([segments[1], segments[2]?.[0], segments[3]?.[0]], [a0, 0xa1, 0x88]);
      if (ppk) assert.deepEqual(segments[4], others[1]);
      assert.deepEqual(segments.slice(-4).map((segment) => segment[0]), [0xa3, 0x86, 0x86, 0x86]);
    }
  });

  test("BF23 is refused for each thing that the card checks, with its own errorReason", () => {
    const bpp = joinBpp(bindProfile(bindOptions()));
    refused(ErrorReason.InvalidSignature, () => unbindProfile(bpp, unbindOptions({ publicKey: DP.publicKey })));
    refused(ErrorReason.InvalidSignature, () => unbindProfile(bpp, unbindOptions({ euiccOt: DP })), /smdpSign/);
    refused(ErrorReason.InvalidTransactionId, () => unbindProfile(bpp, unbindOptions({ transactionId: fromHex("0909") })), /0909 expected/);
    const signer = keyPairFromSeed("P-256", "pb");
    const request = readSecureChannelRequest(bindProfile(bindOptions()).initialiseSecureChannel);
    const expected = { transactionId: TRANSACTION_ID, euiccOtpk: EUICC.publicKey, curve: "P-256", publicKey: signer.publicKey } as const;
    refused(ErrorReason.UnsupportedCrtValues, () => checkSecureChannelRequest({ ...request, keyType: 0x82 }, expected));
    refused(ErrorReason.UnsupportedCrtValues, () => checkSecureChannelRequest({ ...request, keyLength: 0x20 }, expected));
    refused(ErrorReason.UnsupportedRemoteOperationType, () => checkSecureChannelRequest({ ...request, remoteOpId: 2 }, expected));
    refused(ErrorReason.Scp03tStructureError, () => acceptSecureChannel(fromHex("BF2300"), unbindOptions()));
  });

  test("another EID or hostId on the other side makes other keys: the first MAC fails", () => {
    const bpp = joinBpp(bindProfile(bindOptions()));
    refused(ErrorReason.Scp03tSecurityError, () => unbindProfile(bpp, unbindOptions({ eid: "89049032123451234512345678901332" })));
  });

  test("members that are missing, unknown, doubled or out of order are a structure error", () => {
    const members = readAll(readOne(joinBpp(bindProfile(bindOptions({ ppk: PPK })))).value).map((item) => item.raw);
    const [bf23, a0, a1, a2, a3] = members as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    for (const wrong of [[], [bf23], [bf23, a0, a1, a2], [bf23, a1, a0, a3], [bf23, a0, a0, a1, a3], [bf23, a0, a1, a3, a3], [bf23, a0, a1, a2, a2, a3], [bf23, a0, a1, a3, tlv(0xa4)]]) {
      refused(ErrorReason.Scp03tStructureError, () => splitBpp(tlv(0xbf36, ...wrong)));
    }
    refused(ErrorReason.Scp03tStructureError, () => splitBpp(tlv(0xbf36, bf23, tlv(0xa0, fromHex(BLOCK_88)), a1, a3)), /tag 87 expected in A0, got 88/);
    refused(ErrorReason.Scp03tStructureError, () => splitBpp(fromHex("BF3700")));
  });
});
