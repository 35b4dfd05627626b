/** Keys, certificates and the PKI of the simulated world, against node:crypto, node:tls and OpenSSL. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey, sign as opensslSign, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { equal, fromHex, toHex, utf8 } from "../sim/core/bytes.js";
import { tlv } from "../sim/codec/tlv.js";
import { isIssuedBy, issueCertificate, KeyUsage, parseCertificate, Policy } from "../sim/pki/certificate.js";
import { fromSpki, keyPair, keyPairFromSeed, sign, spki, verify, type Curve, type KeyPair } from "../sim/pki/keys.js";
import { loadPki, makePki, type Pki } from "../sim/pki/pki.js";

const CURVES: readonly Curve[] = ["P-256", "brainpoolP256r1"];
const SGP26 = resolve("../shared/data/sgp26-variant-o");

function ecPrivateKey(key: KeyPair): Uint8Array {
  const oid = key.curve === "P-256" ? "2A8648CE3D030107" : "2B2403030208010107";
  return tlv(0x30, tlv(0x02, [1]), tlv(0x04, key.privateKey), tlv(0xa0, tlv(0x06, fromHex(oid))), tlv(0xa1, tlv(0x03, [0], key.publicKey)));
}

function pem(label: string, der: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`;
}

describe("keys", () => {
  for (const curve of CURVES) {
    test(`a signature by a ${curve} key verifies, and not over another message or with another key`, () => {
      const key = keyPairFromSeed(curve, "a");
      const signature = sign(key, utf8("message"));
      assert.equal(signature.length, 64);
      assert.equal(verify(curve, key.publicKey, utf8("message"), signature), true);
      assert.equal(verify(curve, key.publicKey, utf8("massage"), signature), false);
      assert.equal(verify(curve, keyPairFromSeed(curve, "b").publicKey, utf8("message"), signature), false);
      assert.equal(verify(curve, key.publicKey, utf8("message"), signature.subarray(1)), false);
    });

    test(`OpenSSL's signatures with a ${curve} key verify`, () => {
      const key = keyPairFromSeed(curve, "a");
      const object = createPrivateKey({ key: Buffer.from(ecPrivateKey(key)), format: "der", type: "sec1" });
      const signature = opensslSign("sha256", utf8("message"), { key: object, dsaEncoding: "ieee-p1363" });
      assert.equal(verify(curve, key.publicKey, utf8("message"), signature), true);
    });

    test(`the SubjectPublicKeyInfo of a ${curve} key is OpenSSL's, and gives the key back`, () => {
      const key = keyPairFromSeed(curve, "a");
      const der = spki(curve, key.publicKey);
      assert.ok(equal(der, createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" }).export({ format: "der", type: "spki" })));
      assert.deepEqual(fromSpki(der), { curve, publicKey: key.publicKey });
    });
  }

  test("the nonce is RFC 6979's: the vector of A.2.5 for P-256, SHA-256, message \"sample\"", () => {
    const key = keyPair("P-256", fromHex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"));
    assert.equal(toHex(sign(key, utf8("sample"))), "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
  });

  test("a private key of zero, of n or of 31 octets is refused", () => {
    assert.throws(() => keyPair("P-256", new Uint8Array(32)), RangeError);
    assert.throws(() => keyPair("P-256", fromHex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551")), RangeError);
    assert.throws(() => keyPair("P-256", new Uint8Array(31).fill(1)), RangeError);
  });

  test("a point that is not on the curve verifies nothing", () => {
    const key = keyPairFromSeed("P-256", "a");
    const off = Uint8Array.from(key.publicKey);
    off[64] = (off[64] as number) ^ 1;
    assert.equal(verify("P-256", off, utf8("message"), sign(key, utf8("message"))), false);
  });

  test("a SubjectPublicKeyInfo of another curve or with a compressed point is refused by name", () => {
    const secp256k1 = fromHex("3056301006072A8648CE3D020106052B8104000A034200" + "04" + "11".repeat(64));
    assert.throws(() => fromSpki(secp256k1), { code: "key", message: /P-256 or brainpoolP256r1/ });
    assert.throws(() => fromSpki(fromHex("3039301306072A8648CE3D020106082A8648CE3D030107032200" + "02" + "11".repeat(32))), { code: "key", message: /uncompressed/ });
  });
});

describe("makePki", () => {
  for (const curve of CURVES) {
    test(`the ${curve} chains hold: CI - EUM - eUICC and CI - SM-DP+, and no others`, () => {
      const pki = makePki({ seed: "a", curve });
      const ci = parseCertificate(pki.ci.certificate);
      const eum = parseCertificate(pki.eum.certificate);
      const euicc = parseCertificate(pki.euicc.certificate);
      assert.ok(isIssuedBy(ci, ci));
      assert.ok(isIssuedBy(eum, ci));
      assert.ok(isIssuedBy(euicc, eum));
      for (const part of [pki.dpAuth, pki.dpPb, pki.dpTls, pki.eimSign]) assert.ok(isIssuedBy(parseCertificate(part.certificate), ci));
      assert.equal(isIssuedBy(euicc, ci), false);
      assert.equal(isIssuedBy(eum, euicc), false);
      assert.equal(isIssuedBy(eum, parseCertificate(makePki({ seed: "b", curve }).ci.certificate)), false);
    });

    test(`each ${curve} certificate is for its part's key`, () => {
      const pki = makePki({ seed: "a", curve });
      for (const part of [pki.euicc, pki.dpAuth, pki.dpPb, pki.dpTls, pki.eimSign, pki.eimTls]) {
        assert.ok(equal(parseCertificate(part.certificate).publicKey, part.key.publicKey));
      }
      assert.equal(pki.euicc.key.curve, curve);
    });
  }

  test("a certificate with one octet changed is not issued by anyone", () => {
    const pki = makePki({ seed: "a" });
    const changed = Uint8Array.from(pki.euicc.certificate);
    const at = Buffer.from(changed).indexOf(pki.eid);
    changed[at] = (changed[at] as number) ^ 1;
    assert.equal(isIssuedBy(parseCertificate(changed), parseCertificate(pki.eum.certificate)), false);
  });

  test("roles are in certificatePolicies, the EID in CERT.EUICC, the SM-DP+ OID in subjectAltName", () => {
    const pki = makePki({ seed: "a", eid: "89044045930000000000001492661243" });
    assert.deepEqual(parseCertificate(pki.ci.certificate).policies, [Policy.ci]);
    assert.deepEqual(parseCertificate(pki.eum.certificate).policies, [Policy.eum]);
    assert.deepEqual(parseCertificate(pki.euicc.certificate).policies, [Policy.euicc]);
    assert.equal(parseCertificate(pki.euicc.certificate).serialNumberAttribute, "89044045930000000000001492661243");
    assert.deepEqual(parseCertificate(pki.dpAuth.certificate).policies, [Policy.dpAuth]);
    assert.deepEqual(parseCertificate(pki.dpPb.certificate).policies, [Policy.dpPb]);
    assert.deepEqual(parseCertificate(pki.dpTls.certificate).policies, [Policy.dpTls]);
    assert.equal(parseCertificate(pki.dpAuth.certificate).registeredId, "2.999.10");
    assert.equal(parseCertificate(pki.dpPb.certificate).registeredId, "2.999.10");
    assert.deepEqual(parseCertificate(pki.eimSign.certificate).policies, []);
  });

  test("the same seed gives the same octets, another seed other keys and serial numbers", () => {
    assert.deepEqual(makePki({ seed: "a" }), makePki({ seed: "a" }));
    const [a, b] = [makePki({ seed: "a" }), makePki({ seed: "b" })];
    assert.notDeepEqual(a.euicc.key.privateKey, b.euicc.key.privateKey);
    assert.notEqual(new X509Certificate(a.ci.certificate).serialNumber, new X509Certificate(b.ci.certificate).serialNumber);
  });

  test("all certificates hold from 2020-01-01 to 2049-12-31", () => {
    const { notBefore, notAfter } = parseCertificate(makePki({ seed: "a" }).eimTls.certificate);
    assert.equal(notBefore.toISOString(), "2020-01-01T00:00:00.000Z");
    assert.equal(notAfter.toISOString(), "2049-12-31T23:59:59.000Z");
  });

  test("an EID that is not 32 digits is refused", () => {
    assert.throws(() => makePki({ seed: "a", eid: "8904" }), { name: "RangeError", message: /32 digits, got "8904"/ });
  });

  test("eimTls names localhost, eim.example.com, the given FQDNs and 127.0.0.1", () => {
    const x = new X509Certificate(makePki({ seed: "a", eimFqdns: ["eim.operator.test"] }).eimTls.certificate);
    for (const host of ["localhost", "eim.example.com", "eim.operator.test"]) assert.equal(x.checkHost(host), host);
    assert.equal(x.checkIP("127.0.0.1"), "127.0.0.1");
    assert.equal(x.checkHost("smdp.example.com"), undefined);
  });
});

describe("TLS", () => {
  const handshake = async (identity: { key: KeyPair; certificate: Uint8Array }, ca: Uint8Array, servername: string): Promise<Uint8Array> => {
    const server = createServer({ key: pem("EC PRIVATE KEY", ecPrivateKey(identity.key)), cert: pem("CERTIFICATE", identity.certificate) }, (socket) => socket.end());
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    try {
      const { port } = server.address() as { port: number };
      return await new Promise((done, fail) => {
        const socket: TLSSocket = connect({ host: "127.0.0.1", port, servername, ca: pem("CERTIFICATE", ca) }, () => {
          done(new Uint8Array(socket.getPeerCertificate().raw));
          socket.end();
        });
        socket.on("error", fail);
      });
    } finally {
      server.close();
    }
  };

  test("a server with eimTls is trusted by its own certificate as CA, and shows the pinned certificate and key", async () => {
    const pki = makePki({ seed: "a" });
    const shown = await handshake(pki.eimTls, pki.eimTls.certificate, "eim.example.com");
    assert.ok(equal(shown, pki.eimTls.certificate));
    assert.ok(equal(parseCertificate(shown).spki, spki("P-256", pki.eimTls.key.publicKey)));
  });

  test("a client that trusts another CA, or asks for another name, refuses eimTls", async () => {
    const pki = makePki({ seed: "a" });
    await assert.rejects(handshake(pki.eimTls, makePki({ seed: "b" }).eimTls.certificate, "eim.example.com"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    await assert.rejects(handshake(pki.eimTls, pki.eimTls.certificate, "other.example.com"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  test("a server with dpTls is trusted by the CI", async () => {
    const pki = makePki({ seed: "a" });
    assert.ok(equal(await handshake(pki.dpTls, pki.ci.certificate, "smdp.example.com"), pki.dpTls.certificate));
  });
});

describe("parseCertificate", () => {
  test("a truncated certificate, trailing octets and what is no certificate are refused", () => {
    const der = makePki({ seed: "a" }).euicc.certificate;
    for (const bad of [der.subarray(0, der.length - 1), Uint8Array.of(...der, 0), fromHex("30020500"), new Uint8Array(0)]) {
      assert.throws(() => parseCertificate(bad), { code: "certificate" });
    }
  });

  test("a leaf is no issuer, though its key made the signature", () => {
    const leaf = makePki({ seed: "a" }).euicc;
    const options = { serialNumber: Uint8Array.of(1), curve: "P-256" as const, notBefore: new Date(0), notAfter: new Date(1e12), keyUsage: [KeyUsage.DigitalSignature] };
    const child = issueCertificate({ ...options, subject: [["CN", "child"]], publicKey: keyPairFromSeed("P-256", "x").publicKey, issuerKey: leaf.key, issuer: leaf.certificate });
    assert.equal(isIssuedBy(parseCertificate(child), parseCertificate(leaf.certificate)), false);
  });
});

describe("loadPki", () => {
  // The GSMA's data is not part of this repository; where it lies beside the checkout, it must load.
  if (existsSync(SGP26)) test("the GSMA's SGP.26 variant O loads; TLS certificates are made and named", () => {
    const pki = loadPki(SGP26, { seed: "a" });
    assert.equal(pki.eid, "89049032123451234512345678901235");
    assert.equal(toHex(parseCertificate(pki.ci.certificate).subjectKeyId as Uint8Array), "F54172BDF98A95D65CBEB88A38A1C11D800A85C3");
    assert.equal(pki.ci.key, undefined);
    assert.deepEqual(pki.made, ["dpTls (self-signed: the CI's key is not there)", "eimTls"]);
    assert.ok(equal(pki.euicc.certificate, readFileSync(join(SGP26, "CERT_EUICC_SIG_NIST.der"))));
    assert.ok(equal(pki.eimSign.certificate, readFileSync(join(SGP26, "CERT_S_EIMsign_ECDSA_NIST.der"))));
    assert.equal(parseCertificate(pki.euicc.certificate).notAfter.getUTCFullYear(), 7500);
    for (const part of [pki.euicc, pki.dpAuth, pki.dpPb, pki.eimSign]) {
      const certificate = parseCertificate(part.certificate);
      assert.ok(equal(certificate.publicKey, part.key.publicKey));
      assert.ok(toHex(part.certificate).includes(toHex(certificate.spki)), "the SubjectPublicKeyInfo is the certificate's own octets");
    }
  });

  const inDirectory = (files: Record<string, string | Uint8Array>, run: (dir: string) => void): void => {
    const dir = mkdtempSync(join(tmpdir(), "tinyipa-pki-"));
    try {
      for (const [file, content] of Object.entries(files)) writeFileSync(join(dir, file), content);
      run(dir);
    } finally {
      rmSync(dir, { recursive: true });
    }
  };

  const filesOf = (pki: Pki): Record<string, string | Uint8Array> => ({
    "ci.pem": pem("CERTIFICATE", pki.ci.certificate),
    "EUM.der": pki.eum.certificate,
    "card.crt": pem("CERTIFICATE", pki.euicc.certificate),
    "card.key": pem("EC PRIVATE KEY", ecPrivateKey(pki.euicc.key)),
    "auth.pem": pem("CERTIFICATE", pki.dpAuth.certificate) + pem("EC PRIVATE KEY", ecPrivateKey(pki.dpAuth.key)),
    "pb.der": pki.dpPb.certificate,
    "pb-key.der": ecPrivateKey(pki.dpPb.key),
  });

  for (const curve of CURVES) {
    test(`PEM and DER files of any name load by their roles (${curve}); the eIM's signing certificate is made`, () => {
      const pki = makePki({ seed: "a", curve, eid: "89044045930000000000001492661243" });
      inDirectory(filesOf(pki), (dir) => {
        const loaded = loadPki(dir, { seed: "z", curve });
        assert.deepEqual(loaded.euicc, pki.euicc);
        assert.deepEqual(loaded.dpAuth, pki.dpAuth);
        assert.deepEqual(loaded.dpPb, pki.dpPb);
        assert.equal(loaded.eid, pki.eid);
        assert.ok(loaded.made.includes("eimSign (self-signed: the CI's key is not there)"));
      });
    });
  }

  test("with the CI's key there, missing parts are issued under the CI", () => {
    const pki = makePki({ seed: "a" });
    inDirectory({ "ci.pem": pem("CERTIFICATE", pki.ci.certificate), "ci.key": pem("EC PRIVATE KEY", ecPrivateKey(pki.ci.key as KeyPair)) }, (dir) => {
      const loaded = loadPki(dir, { seed: "z" });
      assert.ok(isIssuedBy(parseCertificate(loaded.dpAuth.certificate), parseCertificate(pki.ci.certificate)));
      assert.ok(isIssuedBy(parseCertificate(loaded.euicc.certificate), parseCertificate(loaded.eum.certificate)));
      assert.deepEqual(loaded.made, ["eum", "euicc", "dpAuth", "dpPb", "dpTls", "eimSign", "eimTls"]);
    });
  });

  test("certificates of two worlds, a missing key, another EID and an empty directory are refused by name", () => {
    const pki = makePki({ seed: "a" });
    const files = filesOf(pki);
    const other = pem("CERTIFICATE", makePki({ seed: "b" }).ci.certificate);
    inDirectory({ ...files, "ci.pem": other }, (dir) => assert.throws(() => loadPki(dir, { seed: "z" }), { code: "pki", message: /EUM .* issued by the CI/ }));
    const { "pb-key.der": _, ...withoutKey } = files;
    inDirectory(withoutKey, (dir) => assert.throws(() => loadPki(dir, { seed: "z" }), { code: "pki", message: /SM-DP\+ profile binding/ }));
    inDirectory(files, (dir) => assert.throws(() => loadPki(dir, { seed: "z", eid: "0".repeat(32) }), { code: "pki", message: /got 89049032/ }));
    inDirectory({}, (dir) => assert.throws(() => loadPki(dir, { seed: "z" }), { code: "pki", message: /got none/ }));
  });
});

describe("OpenSSL", () => {
  const missing = spawnSync("openssl", ["version"]).status !== 0;
  if (missing && process.env["CI"] === "true") throw new Error("openssl is not installed; under CI=true it must be");

  for (const curve of CURVES) {
    test(`openssl verify accepts the ${curve} chains and refuses a foreign CI`, { skip: missing ? "openssl is not installed" : false }, () => {
      const pki = makePki({ seed: "a", curve });
      const dir = mkdtempSync(join(tmpdir(), "tinyipa-pki-"));
      const write = (name: string, der: Uint8Array): string => {
        writeFileSync(join(dir, name), pem("CERTIFICATE", der));
        return join(dir, name);
      };
      const verifies = (ca: string, ...rest: string[]): boolean => spawnSync("openssl", ["verify", "-x509_strict", "-check_ss_sig", "-CAfile", ca, ...rest]).status === 0;
      try {
        const ci = write("ci", pki.ci.certificate);
        const eum = write("eum", pki.eum.certificate);
        const euicc = write("euicc", pki.euicc.certificate);
        const eimTls = write("eimTls", pki.eimTls.certificate);
        assert.ok(verifies(ci, "-untrusted", eum, euicc), "CI - EUM - eUICC");
        for (const part of ["dpAuth", "dpPb", "dpTls"] as const) assert.ok(verifies(ci, write(part, pki[part].certificate)), part);
        assert.ok(verifies(eimTls, "-purpose", "sslserver", "-verify_hostname", "eim.example.com", eimTls), "eimTls");
        const foreign = write("foreign", makePki({ seed: "b", curve }).ci.certificate);
        assert.equal(verifies(foreign, "-untrusted", eum, euicc), false);
      } finally {
        rmSync(dir, { recursive: true });
      }
    });
  }
});
