/**
 * The server's side of one handshake (RFC 5246 7.3, 7.4): which message is due, what it means, and the flights in answer. No datagrams, no addresses.
 * Client certificates are asked for where the options say so; without a trust anchor they are checked for possession of their key only.
 */
import { X509Certificate } from "node:crypto";
import { concat, toHex } from "../core/bytes.js";
import type { Identity } from "../pki/pki.js";
import { addChangeCipherSpec, addMessage, beginFlight, deriveKeys, newAssociation, note, verifyData, type Association } from "./association.js";
import type { Behaviours } from "./behaviour.js";
import { Alert, DTLS_1_2, Handshake, type Suite } from "./constants.js";
import { ecdhPoint, ecdhSecret, pskPremaster, signatureProblem, signEcdsa } from "./crypto.js";
import type { HandshakeMessage } from "./fragments.js";
import { checkFinished, ecdhParams, expectType, readCertificates, readCertificateVerify, readOnly, writeCertificateRequest, writeCertificates, writeServerHello, writeSignature, type ClientHello } from "./messages.js";
import { negotiate, usableSuites, type Agreement } from "./negotiate.js";
import { DtlsAlertError } from "./wire.js";

export interface ServerCredentials {
  /** Key and certificate on P-256; absent: no ECDHE_ECDSA. */
  readonly identity?: Identity;
  /** Certificates that are sent behind the identity's; DER. */
  readonly chain?: readonly Uint8Array[];
  /** PSKs by their identity; absent: no PSK. */
  readonly psk?: Readonly<Record<string, Uint8Array>>;
  readonly suites?: readonly Suite[];
  /** Default "required" (RFC 7925 16). */
  readonly extendedMasterSecret?: "required" | "optional" | "off";
  /** Default "none". */
  readonly clientCertificate?: "none" | "optional" | "required";
  /** DER of the CA that client certificates must be signed by. */
  readonly clientCa?: Uint8Array;
}

/** What is due from the client. */
export type Due = "Certificate" | "ClientKeyExchange" | "CertificateVerify" | "Finished" | "nothing";

export interface ServerHandshake {
  readonly association: Association;
  readonly agreement: Agreement;
  readonly ownCid: Uint8Array;
  readonly ecdhKey: Uint8Array;
  due: Due;
  clientChain: readonly Uint8Array[];
  pskIdentity: string | undefined;
}

export interface HelloContext {
  readonly hello: ClientHello;
  readonly message: HandshakeMessage;
  /** Sequence number of its record: ours go on from it (RFC 6347 4.2.1). */
  readonly recordSeq: number;
  readonly cid: Uint8Array | undefined;
  /** Random octets: of the server's random and its ECDHE key. */
  readonly random: (octets: number) => Uint8Array;
}

/** Takes a ClientHello with a good cookie, and prepares flight 4. Throws DtlsAlertError. */
export function acceptHello(credentials: ServerCredentials, behaviours: Behaviours, context: HelloContext): ServerHandshake {
  const { hello, message, random, cid } = context;
  const suites = usableSuites(credentials.suites, { psk: credentials.psk !== undefined, certificate: credentials.identity !== undefined });
  const agreement = negotiate(hello, { suites, extendedMasterSecret: credentials.extendedMasterSecret ?? "required", ...(cid && { connectionId: cid }) });
  const association = newAssociation();
  association.layer.write.seq[0] = context.recordSeq;
  association.layer.fragmentLimit = agreement.fragmentLimit;
  association.inbox.next = message.seq + 1;
  association.sendSeq = message.seq;
  association.clientRandom = hello.random;
  association.serverRandom = random(32);
  association.extendedMasterSecret = agreement.extendedMasterSecret;
  note(association, message);
  const handshake: ServerHandshake = {
    association, agreement, ownCid: agreement.clientCid === undefined ? new Uint8Array(0) : (cid as Uint8Array), ecdhKey: random(32),
    due: asksForCertificate(credentials, agreement) ? "Certificate" : "ClientKeyExchange", clientChain: [], pskIdentity: undefined,
  };
  prepareHelloFlight(credentials, behaviours, handshake);
  return handshake;
}

function asksForCertificate(credentials: ServerCredentials, { suite }: Agreement): boolean {
  return suite.keyExchange === "ECDHE_ECDSA" && (credentials.clientCertificate ?? "none") !== "none";
}

function prepareHelloFlight(credentials: ServerCredentials, behaviours: Behaviours, { association, agreement, ecdhKey }: ServerHandshake): void {
  const { identity } = credentials;
  const add = (type: number, body: Uint8Array): void => addMessage(association, behaviours, type, body);
  beginFlight(association, 4);
  add(Handshake.ServerHello, writeServerHello({
    version: DTLS_1_2, random: association.serverRandom, sessionId: new Uint8Array(0), suite: agreement.suite.id, compression: 0, extensions: agreement.extensions,
  }));
  if (agreement.suite.keyExchange === "ECDHE_ECDSA" && identity !== undefined) {
    add(Handshake.Certificate, writeCertificates([identity.certificate, ...(credentials.chain ?? [])]));
    const params = ecdhParams(ecdhPoint(ecdhKey));
    const signed = concat(association.clientRandom, association.serverRandom, params);
    add(Handshake.ServerKeyExchange, concat(params, writeSignature(signEcdsa(identity.key, signed))));
    if (asksForCertificate(credentials, agreement)) add(Handshake.CertificateRequest, writeCertificateRequest());
  }
  add(Handshake.ServerHelloDone, new Uint8Array(0));
}

/** Takes the message that is due; returns true when the handshake is complete and flight 6 is ready. Throws DtlsAlertError. */
export function takeHandshakeMessage(credentials: ServerCredentials, behaviours: Behaviours, handshake: ServerHandshake, message: HandshakeMessage): boolean {
  const { association } = handshake;
  switch (handshake.due) {
    case "Certificate":
      expectType(message.type, Handshake.Certificate);
      takeCertificate(credentials, handshake, message.body);
      break;
    case "ClientKeyExchange": {
      expectType(message.type, Handshake.ClientKeyExchange);
      const premaster = premasterOf(credentials, behaviours, handshake, message.body);
      note(association, message);
      deriveKeys(association, handshake.agreement.suite, premaster, "server");
      handshake.due = handshake.clientChain.length > 0 ? "CertificateVerify" : "Finished";
      return false;
    }
    case "CertificateVerify":
      expectType(message.type, Handshake.CertificateVerify);
      takeCertificateVerify(handshake, message.body);
      break;
    case "Finished":
      expectType(message.type, Handshake.Finished);
      checkFinished(message.body, verifyData(association, "client"));
      note(association, message);
      finish(handshake, behaviours);
      return true;
    case "nothing":
      throw new DtlsAlertError(Alert.UnexpectedMessage, `no handshake message expected, got type ${message.type}`);
  }
  note(association, message);
  return false;
}

function finish(handshake: ServerHandshake, behaviours: Behaviours): void {
  const { association } = handshake;
  beginFlight(association, 6);
  addChangeCipherSpec(association);
  addMessage(association, behaviours, Handshake.Finished, verifyData(association, "server"), 1);
  handshake.due = "nothing";
}

function takeCertificate(credentials: ServerCredentials, handshake: ServerHandshake, body: Uint8Array): void {
  const chain = readCertificates(body);
  if (chain.length === 0 && credentials.clientCertificate === "required") throw new DtlsAlertError(Alert.HandshakeFailure, "a client certificate expected, got none");
  const problem = chain.length === 0 ? undefined : chainProblem(chain, credentials.clientCa);
  if (problem !== undefined) throw new DtlsAlertError(problem.alert, problem.why);
  handshake.clientChain = chain;
  handshake.due = "ClientKeyExchange";
}

function chainProblem(chain: readonly Uint8Array[], ca: Uint8Array | undefined): { alert: number; why: string } | undefined {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(chain[0] as Uint8Array);
  } catch {
    return { alert: Alert.BadCertificate, why: "an X.509 client certificate expected, got something else" };
  }
  if (ca === undefined) return undefined;
  const issuer = new X509Certificate(ca);
  return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey) ? undefined : { alert: Alert.UnknownCa, why: `a client certificate signed by ${issuer.subject.replace(/\n/g, ", ")} expected` };
}

function takeCertificateVerify(handshake: ServerHandshake, body: Uint8Array): void {
  const signature = readCertificateVerify(body);
  const problem = signatureProblem(handshake.clientChain[0] as Uint8Array, concat(...handshake.association.transcript), signature);
  if (problem !== undefined) throw new DtlsAlertError(Alert.DecryptError, `CertificateVerify: ${problem}`);
  handshake.due = "Finished";
}

function premasterOf(credentials: ServerCredentials, behaviours: Behaviours, handshake: ServerHandshake, body: Uint8Array): Uint8Array {
  if (handshake.agreement.suite.keyExchange === "ECDHE_ECDSA") return ecdhSecret(handshake.ecdhKey, readOnly(body, 1, "ClientKeyExchange"));
  const identity = readOnly(body, 2, "ClientKeyExchange");
  if (identity.length > 128) throw new DtlsAlertError(Alert.UnknownPskIdentity, `a PSK identity of at most 128 octets expected, got ${identity.length}`);
  const name = new TextDecoder().decode(identity);
  const psk = credentials.psk !== undefined && Object.hasOwn(credentials.psk, name) ? credentials.psk[name] : undefined;
  if (psk === undefined) throw new DtlsAlertError(Alert.UnknownPskIdentity, `PSK identity ${JSON.stringify(name)} (${toHex(identity)}) is not known`);
  handshake.pskIdentity = name;
  return pskPremaster(behaviours.psk(psk));
}
