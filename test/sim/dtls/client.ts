/**
 * A DTLS 1.2 client without sockets (RFC 6347, RFC 7925, RFC 9146): PSK and ECDHE_ECDSA. One association with one server; datagrams and time come in,
 * datagrams, application data and news go out. Where it sends from is not its business: with a connection id of the server it may move.
 * Strict: what it drops it notes by name (`notes`); who the server is, the caller decides (`verify`). All state is plain data.
 * Left out: session resumption, renegotiation (refused), raw public keys.
 */
import { concat, equal, toHex } from "../core/bytes.js";
import { Rng } from "../core/rng.js";
import type { Identity } from "../pki/pki.js";
import { addChangeCipherSpec, addMessage, beginFlight, deriveKeys, expire, flightDatagrams, keepEarly, newAssociation, note, startTimer, TIMING, verifyData, type Association, type Timing } from "./association.js";
import { Behaviours, type DtlsBehaviour } from "./behaviour.js";
import { agreedTerms, clientExtensions, type HelloOptions } from "./client-hello.js";
import { Alert, alertName, Content, DTLS_1_2, Handshake, SUITES, type Suite } from "./constants.js";
import { ecdhPoint, ecdhSecret, pskPremaster, signatureProblem, signEcdsa } from "./crypto.js";
import { collect, readFragments, takeMessage, type HandshakeMessage } from "./fragments.js";
import { checkFinished, expectType, readCertificates, readEcdhe, readHelloVerifyRequest, readOnly, readServerHello, writeCertificates, writeClientHello, writeSignature } from "./messages.js";
import { openRecord, sealRecord, splitRecords, type DtlsRecord } from "./record.js";
import { DtlsAlertError, uint, vector } from "./wire.js";

export interface DtlsClientOptions extends HelloOptions {
  /** Chance is seeded, so that runs repeat; a client of real servers needs `random`. */
  readonly seed?: number;
  /** Random octets in place of the seeded ones. */
  readonly random?: (octets: number) => Uint8Array;
  readonly timing?: Partial<Timing>;
  /** Absent: no PSK suites are offered. */
  readonly psk?: { readonly identity: string; readonly key: Uint8Array };
  /**
   * Why the server's chain is not trusted, in words; undefined when it is. Absent: no ECDHE_ECDSA suites are offered.
   * The key exchange is checked to be signed by the chain's first certificate, whatever this says.
   */
  readonly verify?: (chain: readonly Uint8Array[]) => string | undefined;
  /** Our own certificate, for a server that asks for one. */
  readonly identity?: Identity;
  /** Suites to offer, of those that the keys above allow. */
  readonly suites?: readonly Suite[];
}

export type DtlsClientOutput =
  | { readonly kind: "datagram"; readonly datagram: Uint8Array }
  | { readonly kind: "connected"; readonly suite: string }
  | { readonly kind: "data"; readonly data: Uint8Array }
  /** The end: by close_notify, by an alert, by our own refusal (`alert` is then ours), or because nobody answered. */
  | { readonly kind: "closed"; readonly reason: string; readonly alert?: string };

type Due = "ServerHello" | "Certificate" | "ServerKeyExchange" | "ServerHelloDone" | "Finished" | "nothing";

export interface DtlsClientState {
  rng: [number, number, number, number];
  association: Association;
  phase: "idle" | "handshake" | "connected" | "closed";
  due: Due;
  helloRetries: number;
  suite: Suite | undefined;
  serverChain: readonly Uint8Array[];
  serverPoint: Uint8Array;
  certificateRequested: boolean;
  notes: { readonly at: number; readonly text: string }[];
}

const NONE = new Uint8Array(0);
const HELLO_RETRIES = 3;

export class DtlsClient {
  readonly #options: DtlsClientOptions;
  readonly #timing: Timing;
  readonly behaviours = new Behaviours();
  state: DtlsClientState;

  constructor(options: DtlsClientOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.state = {
      rng: new Rng(options.seed ?? 0).state, association: newAssociation(), phase: "idle", due: "nothing", helloRetries: 0, suite: undefined, serverChain: [],
      serverPoint: NONE, certificateRequested: false, notes: [],
    };
    if (this.#offered().length === 0) throw new RangeError("expected a PSK or a way to verify certificates, and a suite for it; got neither");
  }

  get connected(): boolean {
    return this.state.phase === "connected";
  }

  /** What was dropped, in order. */
  get notes(): readonly { readonly at: number; readonly text: string }[] {
    return this.state.notes;
  }

  use(behaviour: DtlsBehaviour): () => void {
    return this.behaviours.use(behaviour);
  }

  /** Begins the handshake: the first ClientHello. */
  start(now: number): DtlsClientOutput[] {
    if (this.state.phase !== "idle") throw new RangeError(`expected a client that has not begun, got one that is in its phase "${this.state.phase}"`);
    this.state.association.clientRandom = this.#random(32);
    this.state.phase = "handshake";
    return this.#hello(NONE, 1, now);
  }

  /** Takes one datagram. Never throws for what a peer sends. */
  handle(datagram: Uint8Array, now: number): DtlsClientOutput[] {
    if (this.state.phase === "idle" || this.state.phase === "closed") return [];
    const { records, problem } = splitRecords(datagram, this.state.association.layer.read.cid.length);
    const outputs = records.flatMap((record) => this.#record(record, now));
    if (problem !== undefined) this.#note(now, problem);
    return outputs;
  }

  get nextTimer(): number | undefined {
    return this.state.association.timer?.at;
  }

  /** Sends the flight again when that is due, or gives up. */
  tick(now: number): DtlsClientOutput[] {
    const what = expire(this.state.association, this.#timing, now);
    if (what === "again") return this.#sendFlight();
    if (what !== "given up") return [];
    const alert = this.state.notes.findLast(({ text }) => text.startsWith("alert "));
    return this.#end(`the server did not answer: ${this.state.due} expected${alert === undefined ? "" : `; ${alert.text}`}`);
  }

  /** Application data. Throws RangeError before the handshake is complete, and for more than a record holds. */
  send(data: Uint8Array): DtlsClientOutput[] {
    const { layer } = this.state.association;
    if (!this.connected) throw new RangeError(`expected a connected client, got one in its phase "${this.state.phase}"`);
    if (data.length > layer.fragmentLimit) throw new RangeError(`expected at most ${layer.fragmentLimit} octets for one record, got ${data.length}`);
    return this.behaviours.data([sealRecord(layer, 1, Content.Data, data)]).map((datagram) => ({ kind: "datagram", datagram }));
  }

  /** Ends the association with close_notify. */
  close(): DtlsClientOutput[] {
    if (this.state.phase !== "connected") return [];
    return [this.#alert(1, Alert.CloseNotify), ...this.#end("closed here")];
  }

  #note(at: number, text: string): void {
    this.state.notes.push({ at, text });
  }

  #random(octets: number): Uint8Array {
    if (this.#options.random !== undefined) return this.#options.random(octets);
    const rng = new Rng(0);
    rng.state = this.state.rng;
    return rng.bytes(octets);
  }

  #offered(): Suite[] {
    const { psk, verify, suites = SUITES } = this.#options;
    return suites.filter(({ keyExchange }) => (keyExchange === "PSK" ? psk !== undefined : verify !== undefined));
  }

  #hello(cookie: Uint8Array, flight: 1 | 3, now: number): DtlsClientOutput[] {
    const { association } = this.state;
    const suites = this.#offered();
    association.transcript = [];
    beginFlight(association, flight);
    const hello = { version: DTLS_1_2, random: association.clientRandom, sessionId: NONE, cookie, suites: suites.map(({ id }) => id), compressions: uint(1, 0), extensions: clientExtensions(this.#options, suites) };
    addMessage(association, this.behaviours, Handshake.ClientHello, writeClientHello(hello));
    this.state.due = "ServerHello";
    startTimer(association, this.#timing, now);
    return this.#sendFlight();
  }

  #sendFlight(): DtlsClientOutput[] {
    return flightDatagrams(this.state.association, this.behaviours, this.#timing).map((datagram) => ({ kind: "datagram", datagram }));
  }

  #record(record: DtlsRecord, now: number): DtlsClientOutput[] {
    const { association, phase } = this.state;
    if (phase === "closed") return [];
    if (record.epoch === 1 && !association.peerChanged && phase === "handshake") {
      if (!keepEarly(association, record)) this.#note(now, "too many records of epoch 1 before ChangeCipherSpec");
      return [];
    }
    const opened = openRecord(association.layer, record);
    if (typeof opened === "string") {
      this.#note(now, opened);
      return [];
    }
    const { type, content } = opened;
    if (type === Content.Handshake) return this.#handshake(record.epoch, content, now);
    return record.epoch === 0 ? this.#plain(type, content, now) : this.#protected(type, content, now);
  }

  /** Epoch 0, so unauthenticated: only ChangeCipherSpec means something, no alert ends anything. */
  #plain(type: number, content: Uint8Array, now: number): DtlsClientOutput[] {
    const { association, due } = this.state;
    const expected = type === Content.ChangeCipherSpec && due === "Finished" && equal(content, Uint8Array.of(1));
    if (!expected) {
      this.#note(now, type === Content.Alert ? `alert ${alertName(content[1] ?? -1)} in epoch 0: not authenticated, ignored` : `a record of type ${type} in epoch 0: ignored`);
      return [];
    }
    association.peerChanged = true;
    return association.early.splice(0).flatMap((record) => this.#record(record, now));
  }

  #protected(type: number, content: Uint8Array, now: number): DtlsClientOutput[] {
    if (this.state.phase !== "connected") {
      this.#note(now, `Finished expected first in epoch 1, got a record of type ${type}`);
      return [];
    }
    if (type === Content.Data) return [{ kind: "data", data: content }];
    if (type !== Content.Alert || content.length !== 2) {
      this.#note(now, `a record of type ${type} with ${content.length} octets is not expected in epoch 1`);
      return [];
    }
    const name = alertName(content[1] as number);
    this.#note(now, `alert ${name} received`);
    if (content[1] === Alert.CloseNotify) return [this.#alert(1, Alert.CloseNotify), ...this.#end("closed by the server")];
    return content[0] === 2 ? this.#end(`alert ${name} received`) : [];
  }

  #handshake(epoch: number, content: Uint8Array, now: number): DtlsClientOutput[] {
    const { association, phase } = this.state;
    // What comes late of the server's first flight; or it is forged.
    if (phase === "connected" && epoch === 0) return [];
    try {
      const outcomes = readFragments(content).map((fragment) => collect(association.inbox, fragment));
      if (phase === "connected") return this.#afterwards(outcomes, now);
      const outputs: DtlsClientOutput[] = [];
      for (let message = takeMessage(association.inbox); message !== undefined; message = takeMessage(association.inbox)) {
        if (message.type === Handshake.Finished && epoch === 0) throw new DtlsAlertError(Alert.UnexpectedMessage, "Finished expected in epoch 1, got it in epoch 0");
        outputs.push(...this.#take(message, now));
      }
      return outputs;
    } catch (error) {
      if (!(error instanceof DtlsAlertError)) throw error;
      this.#note(now, error.message);
      // Before its Finished nothing of the server is authenticated, but what it says can't be repaired by waiting either.
      return [this.#alert(2, error.alert), ...this.#end(error.message, error.code)];
    }
  }

  #afterwards(outcomes: readonly string[], now: number): DtlsClientOutput[] {
    if (outcomes.every((outcome) => outcome === "old")) return [];
    this.#note(now, "renegotiation is refused");
    return [this.#alert(1, Alert.NoRenegotiation)];
  }

  #take(message: HandshakeMessage, now: number): DtlsClientOutput[] {
    const { state } = this;
    if (state.due === "ServerHello" && message.type === Handshake.HelloVerifyRequest) return this.#helloVerifyRequest(message, now);
    switch (state.due) {
      case "ServerHello":
        expectType(message.type, Handshake.ServerHello, Handshake.HelloVerifyRequest);
        this.#serverHello(message);
        break;
      case "Certificate":
        expectType(message.type, Handshake.Certificate);
        this.#certificate(message.body);
        break;
      case "ServerKeyExchange":
        this.#serverKeyExchange(message);
        break;
      case "ServerHelloDone":
        this.#helloDone(message);
        if (message.type === Handshake.ServerHelloDone) return this.#keyExchange(message, now);
        break;
      case "Finished":
        return this.#finished(message);
      case "nothing":
        throw new DtlsAlertError(Alert.UnexpectedMessage, `no handshake message expected, got type ${message.type}`);
    }
    note(state.association, message);
    return [];
  }

  #helloVerifyRequest(message: HandshakeMessage, now: number): DtlsClientOutput[] {
    const cookie = readHelloVerifyRequest(message.body);
    if (++this.state.helloRetries > HELLO_RETRIES) throw new DtlsAlertError(Alert.HandshakeFailure, `at most ${HELLO_RETRIES} HelloVerifyRequests expected, got one more`);
    return this.#hello(cookie, 3, now);
  }

  #serverHello(message: HandshakeMessage): void {
    const { association } = this.state;
    const hello = readServerHello(message.body);
    const terms = agreedTerms(hello, this.#options, this.#offered());
    association.serverRandom = hello.random;
    association.extendedMasterSecret = terms.extendedMasterSecret;
    association.layer.fragmentLimit = terms.fragmentLimit;
    if (terms.serverCid !== undefined) {
      association.layer.write.cid = terms.serverCid;
      association.layer.read.cid = this.#options.connectionId ?? NONE;
    }
    this.state.suite = terms.suite;
    this.state.due = terms.suite.keyExchange === "PSK" ? "ServerHelloDone" : "Certificate";
  }

  #certificate(body: Uint8Array): void {
    const chain = readCertificates(body);
    if (chain.length === 0) throw new DtlsAlertError(Alert.BadCertificate, "a server certificate expected, got none");
    let distrust: string | undefined;
    try {
      distrust = this.#options.verify?.(chain);
    } catch (error) {
      throw new DtlsAlertError(Alert.BadCertificate, `the server's certificate can't be read: ${(error as Error).message}`);
    }
    if (distrust !== undefined) throw new DtlsAlertError(Alert.CertificateUnknown, distrust);
    this.state.serverChain = chain;
    this.state.due = "ServerKeyExchange";
  }

  #serverKeyExchange(message: HandshakeMessage): void {
    const { association, serverChain } = this.state;
    expectType(message.type, Handshake.ServerKeyExchange);
    const { params, point, signature } = readEcdhe(message.body);
    const problem = signatureProblem(serverChain[0] as Uint8Array, concat(association.clientRandom, association.serverRandom, params), signature);
    if (problem !== undefined) throw new DtlsAlertError(Alert.DecryptError, `ServerKeyExchange: ${problem}`);
    this.state.serverPoint = point;
    this.state.due = "ServerHelloDone";
  }

  /** CertificateRequest, the identity hint of PSK (both may be missing), or the end of the flight. */
  #helloDone({ type, body }: HandshakeMessage): void {
    const psk = this.state.suite?.keyExchange === "PSK";
    if (psk && type === Handshake.ServerKeyExchange) return void readOnly(body, 2, "ServerKeyExchange");
    if (!psk && type === Handshake.CertificateRequest && !this.state.certificateRequested) {
      this.state.certificateRequested = true;
      return;
    }
    expectType(type, Handshake.ServerHelloDone);
    if (body.length > 0) throw new DtlsAlertError(Alert.DecodeError, `ServerHelloDone: no content expected, got ${toHex(body)}`);
  }

  /** Flight 5. */
  #keyExchange(message: HandshakeMessage, now: number): DtlsClientOutput[] {
    const { state } = this;
    const { association, certificateRequested } = state;
    const suite = state.suite as Suite;
    const { identity } = this.#options;
    const add = (type: number, body: Uint8Array, epoch: 0 | 1 = 0): void => addMessage(association, this.behaviours, type, body, epoch);
    note(association, message);
    beginFlight(association, 5);
    if (certificateRequested) add(Handshake.Certificate, writeCertificates(identity === undefined ? [] : [identity.certificate]));
    const { premaster, body } = this.#premaster(suite);
    add(Handshake.ClientKeyExchange, body);
    deriveKeys(association, suite, premaster, "client");
    if (certificateRequested && identity !== undefined) add(Handshake.CertificateVerify, writeSignature(signEcdsa(identity.key, concat(...association.transcript))));
    addChangeCipherSpec(association);
    add(Handshake.Finished, verifyData(association, "client"), 1);
    state.due = "Finished";
    startTimer(association, this.#timing, now);
    return this.#sendFlight();
  }

  #premaster(suite: Suite): { premaster: Uint8Array; body: Uint8Array } {
    if (suite.keyExchange === "PSK") {
      const psk = this.#options.psk as NonNullable<DtlsClientOptions["psk"]>;
      return { premaster: pskPremaster(this.behaviours.psk(psk.key)), body: vector(2, new TextEncoder().encode(psk.identity)) };
    }
    const key = this.#random(32);
    return { premaster: ecdhSecret(key, this.state.serverPoint), body: vector(1, ecdhPoint(key)) };
  }

  #finished(message: HandshakeMessage): DtlsClientOutput[] {
    const { association } = this.state;
    expectType(message.type, Handshake.Finished);
    checkFinished(message.body, verifyData(association, "server"));
    association.timer = undefined;
    this.state.phase = "connected";
    this.state.due = "nothing";
    return [{ kind: "connected", suite: (this.state.suite as Suite).name }];
  }

  #alert(level: 1 | 2, description: number): DtlsClientOutput {
    const { association, phase } = this.state;
    return { kind: "datagram", datagram: sealRecord(association.layer, phase === "connected" ? 1 : 0, Content.Alert, Uint8Array.of(level, description)) };
  }

  #end(reason: string, alert?: string): DtlsClientOutput[] {
    this.state.phase = "closed";
    this.state.association.timer = undefined;
    return [{ kind: "closed", reason, ...(alert !== undefined && { alert }) }];
  }
}
