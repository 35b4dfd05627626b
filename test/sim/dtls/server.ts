/**
 * A DTLS 1.2 server without sockets (RFC 6347, RFC 7925, RFC 9146): datagrams with their sender's address and time come in; datagrams, application
 * data and news of sessions go out. Chance comes from a seed. Strict: what it refuses or drops it notes by name (`notes`).
 * All state is plain data. Left out: session resumption and tickets, renegotiation (refused), raw public keys, DTLS 1.0 and 1.3.
 */
import { equal, toHex } from "../core/bytes.js";
import { Rng } from "../core/rng.js";
import { expire, flightDatagrams, keepEarly, startTimer, TIMING, type Timing } from "./association.js";
import { Behaviours, type DtlsBehaviour } from "./behaviour.js";
import { Alert, alertName, Content, DTLS_1_0, Handshake, handshakeName } from "./constants.js";
import { hmac } from "./crypto.js";
import { collect, newInbox, readFragments, takeMessage, wholeMessage, type Fragment, type HandshakeMessage, type Inbox } from "./fragments.js";
import { readClientHello, writeHelloVerifyRequest, type ClientHello } from "./messages.js";
import { newLayer, openRecord, sealRecord, splitRecords, type DtlsRecord, type Opened } from "./record.js";
import { acceptHello, takeHandshakeMessage, type ServerCredentials, type ServerHandshake } from "./server-handshake.js";
import { DtlsAlertError, uint } from "./wire.js";

export interface DtlsServerOptions extends ServerCredentials {
  /** Chance is seeded, so that runs repeat; a server that strangers can reach needs `random`. */
  readonly seed?: number;
  /** Random octets in place of the seeded ones. */
  readonly random?: (octets: number) => Uint8Array;
  readonly timing?: Partial<Timing>;
  /** HelloVerifyRequest before anything is kept; default true. */
  readonly cookies?: boolean;
  /** Octets of our connection ids, 0 to 20; absent: the extension is not answered. */
  readonly connectionId?: number;
}

/** Facts of a session. */
export interface SessionInfo {
  /** Name of the session, for ever: addresses may change. */
  readonly session: string;
  readonly address: string;
  readonly suite: string;
  readonly extendedMasterSecret: boolean;
  readonly ownCid: Uint8Array;
  readonly peerCid: Uint8Array;
  readonly hostName?: string;
  readonly pskIdentity?: string;
  /** DER, the client's own first; empty without a client certificate. */
  readonly clientChain: readonly Uint8Array[];
}

export type DtlsServerOutput =
  | { readonly kind: "datagram"; readonly to: string; readonly datagram: Uint8Array }
  | { readonly kind: "connected"; readonly session: string; readonly info: SessionInfo }
  | { readonly kind: "data"; readonly session: string; readonly data: Uint8Array }
  | { readonly kind: "closed"; readonly session: string; readonly reason: string };

export interface DtlsNote {
  readonly at: number;
  readonly address: string;
  readonly text: string;
  /** Name of the alert that was sent for it, or received. */
  readonly alert?: string;
}

export interface Session {
  readonly id: string;
  address: string;
  readonly handshake: ServerHandshake;
  readonly hello: HandshakeMessage;
  connected: boolean;
}

export interface DtlsServerState {
  rng: [number, number, number, number];
  nextSession: number;
  readonly cookieSecret: Uint8Array;
  readonly sessions: Map<string, Session>;
  /** Sessions by address: the one in use, and the one whose handshake goes on. */
  readonly active: Map<string, string>;
  readonly pending: Map<string, string>;
  readonly byCid: Map<string, string>;
  /** ClientHellos in fragments, by address and message_seq. */
  readonly hellos: Map<string, Inbox>;
  notes: DtlsNote[];
}

const HELLOS = 64;

export class DtlsServer {
  readonly #options: DtlsServerOptions;
  readonly #timing: Timing;
  readonly behaviours = new Behaviours();
  state: DtlsServerState;

  constructor(options: DtlsServerOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    const rng = new Rng(options.seed ?? 0);
    const cookieSecret = options.random?.(32) ?? rng.bytes(32);
    this.state = { rng: rng.state, nextSession: 1, cookieSecret, sessions: new Map(), active: new Map(), pending: new Map(), byCid: new Map(), hellos: new Map(), notes: [] };
  }

  /** What was refused or dropped, in order. */
  get notes(): readonly DtlsNote[] {
    return this.state.notes;
  }

  /** Puts a behaviour in front of all others. Returns a function that takes it away again. */
  use(behaviour: DtlsBehaviour): () => void {
    return this.behaviours.use(behaviour);
  }

  /** Facts of a session; undefined when it is gone. */
  session(id: string): SessionInfo | undefined {
    const session = this.state.sessions.get(id);
    return session && infoOf(session);
  }

  /** Takes one datagram. Never throws for what a peer sends. */
  handle(from: string, datagram: Uint8Array, now: number): DtlsServerOutput[] {
    const { records, problem } = splitRecords(datagram, this.#options.connectionId ?? 0);
    const outputs = records.flatMap((record) => this.#record(from, record, now));
    if (problem !== undefined) this.#note(now, from, problem);
    return outputs;
  }

  /** When `tick` wants to be called; undefined when nothing waits. */
  get nextTimer(): number | undefined {
    const times = [...this.state.sessions.values()].flatMap(({ handshake }) => handshake.association.timer?.at ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Sends flights again that are due, and gives up handshakes that nobody goes on with. */
  tick(now: number): DtlsServerOutput[] {
    return [...this.state.sessions.values()].flatMap((session) => {
      const what = expire(session.handshake.association, this.#timing, now);
      if (what === "again") return this.#sendFlight(session);
      return what === "given up" ? this.#drop(session, "the handshake was given up", now) : [];
    });
  }

  /** Application data to a session; nothing when it is gone. Throws RangeError for more than a record holds. */
  send(id: string, data: Uint8Array): DtlsServerOutput[] {
    const session = this.state.sessions.get(id);
    if (session === undefined || !session.connected) return [];
    const { layer } = session.handshake.association;
    if (data.length > layer.fragmentLimit) throw new RangeError(`expected at most ${layer.fragmentLimit} octets for one record, got ${data.length}`);
    return this.behaviours.data([sealRecord(layer, 1, Content.Data, data)]).map((datagram) => ({ kind: "datagram", to: session.address, datagram }));
  }

  /** Ends a session with close_notify. */
  close(id: string, now: number): DtlsServerOutput[] {
    const session = this.state.sessions.get(id);
    if (session === undefined) return [];
    return [this.#alert(session, 1, Alert.CloseNotify), ...this.#drop(session, "closed here", now)];
  }

  /** From the state's generator, unless the options bring their own. */
  #random(octets: number): Uint8Array {
    if (this.#options.random !== undefined) return this.#options.random(octets);
    const rng = new Rng(0);
    rng.state = this.state.rng;
    return rng.bytes(octets);
  }

  #note(at: number, address: string, text: string, alert?: string): void {
    this.state.notes.push({ at, address, text, ...(alert !== undefined && { alert }) });
  }

  #record(from: string, record: DtlsRecord, now: number): DtlsServerOutput[] {
    if (record.type !== Content.Tls12Cid && record.epoch === 0 && record.type === Content.Handshake) return this.#plainHandshake(from, record, now);
    const candidates = this.#candidates(from, record);
    if (candidates.length === 0) {
      this.#note(now, from, record.type === Content.Tls12Cid ? `connection id ${toHex(record.cid)} is not known` : `a record of epoch ${record.epoch}, but no session`);
      return [];
    }
    let problem = "";
    for (const session of candidates) {
      if (record.epoch === 1 && this.#isEarly(session)) {
        if (!keepEarly(session.handshake.association, record)) this.#note(now, from, "too many records of epoch 1 before ChangeCipherSpec");
        if (candidates.length === 1) return [];
        continue;
      }
      const opened = openRecord(session.handshake.association.layer, record);
      if (typeof opened !== "string") return this.#opened(session, from, record, opened, now);
      problem = opened;
    }
    if (problem !== "") this.#note(now, from, problem);
    return [];
  }

  #isEarly({ handshake, connected }: Session): boolean {
    return !connected && (!handshake.association.peerChanged || handshake.due !== "Finished");
  }

  /** Sessions that a record may belong to: by its connection id, else by address, the one in use first. */
  #candidates(from: string, record: DtlsRecord): Session[] {
    const { active, pending, byCid, sessions } = this.state;
    const ids = record.type === Content.Tls12Cid ? [byCid.get(toHex(record.cid))] : record.epoch === 0 ? [pending.get(from) ?? active.get(from)] : [active.get(from), pending.get(from)];
    return ids.flatMap((id) => (id === undefined ? [] : sessions.get(id) ?? []));
  }

  #opened(session: Session, from: string, record: DtlsRecord, { type, content, newest }: Opened, now: number): DtlsServerOutput[] {
    if (record.epoch === 0) return this.#openedPlain(session, type, content, now);
    if (type === Content.Handshake) return this.#handshakeRecord(session, content, now);
    if (!session.connected) {
      this.#note(now, from, `Finished expected first in epoch 1, got a record of type ${type}`);
      return [];
    }
    if (record.type === Content.Tls12Cid && newest && session.address !== from) this.#move(session, from, now);
    if (type === Content.Data) return [{ kind: "data", session: session.id, data: content }];
    if (type === Content.Alert) return this.#alertReceived(session, content, now);
    this.#note(now, from, `a record of type ${type} is not expected in epoch 1`);
    return [];
  }

  /** Epoch 0, so unauthenticated: only ChangeCipherSpec means something. No alert ends anything here (RFC 6347 4.1.2.7). */
  #openedPlain(session: Session, type: number, content: Uint8Array, now: number): DtlsServerOutput[] {
    const { association } = session.handshake;
    if (type !== Content.ChangeCipherSpec || session.connected) {
      const what = type === Content.Alert ? `alert ${alertName(content[1] ?? -1)} in epoch 0: not authenticated, ignored` : `a record of type ${type} in epoch 0: ignored`;
      this.#note(now, session.address, what, type === Content.Alert ? alertName(content[1] ?? -1) : undefined);
      return [];
    }
    if (content.length !== 1 || content[0] !== 1) {
      this.#note(now, session.address, `ChangeCipherSpec 01 expected, got ${toHex(content)}`);
      return [];
    }
    association.peerChanged = true;
    return this.#openEarly(session, now);
  }

  #openEarly(session: Session, now: number): DtlsServerOutput[] {
    if (this.#isEarly(session)) return [];
    const early = session.handshake.association.early.splice(0);
    return early.flatMap((record) => this.#record(session.address, record, now));
  }

  /** RFC 9146 6: the newest record that holds says where the peer is. */
  #move(session: Session, to: string, now: number): void {
    this.#note(now, to, `session ${session.id} moves here from ${session.address}`);
    if (this.state.active.get(session.address) === session.id) this.state.active.delete(session.address);
    session.address = to;
    this.state.active.set(to, session.id);
  }

  #alertReceived(session: Session, content: Uint8Array, now: number): DtlsServerOutput[] {
    const [level, description] = [content[0], content[1]];
    if (content.length !== 2 || description === undefined) {
      this.#note(now, session.address, `an alert of 2 octets expected, got ${content.length}`);
      return [];
    }
    const name = alertName(description);
    this.#note(now, session.address, `alert ${name} received`, name);
    if (description === Alert.CloseNotify) return [this.#alert(session, 1, Alert.CloseNotify), ...this.#drop(session, "closed by the client", now)];
    return level === 2 ? this.#drop(session, `alert ${name}`, now) : [];
  }

  /** Handshake records of epoch 0: ClientHellos, and what belongs to a handshake that goes on. */
  #plainHandshake(from: string, record: DtlsRecord, now: number): DtlsServerOutput[] {
    let fragments: Fragment[];
    try {
      fragments = readFragments(record.body);
    } catch (error) {
      this.#note(now, from, messageOf(error));
      return [];
    }
    const hellos = fragments.filter(({ type }) => type === Handshake.ClientHello);
    const rest = fragments.filter(({ type }) => type !== Handshake.ClientHello);
    const outputs = hellos.flatMap((fragment) => this.#helloFragment(from, record, fragment, now));
    if (rest.length === 0) return outputs;
    const id = this.state.pending.get(from);
    const session = id === undefined ? undefined : this.state.sessions.get(id);
    if (session === undefined) {
      // A repeated flight 5 after our Finished: its records of epoch 1 are answered.
      if (!this.state.active.has(from)) this.#note(now, from, `ClientHello expected first, got ${handshakeName(rest[0]?.type ?? -1)}`);
      return outputs;
    }
    const opened = openRecord(session.handshake.association.layer, record);
    if (typeof opened === "string") {
      this.#note(now, from, opened);
      return outputs;
    }
    return [...outputs, ...this.#fragments(session, rest, 0, now)];
  }

  #handshakeRecord(session: Session, content: Uint8Array, now: number): DtlsServerOutput[] {
    return this.#guard(session, now, () => {
      const fragments = readFragments(content);
      if (session.connected && fragments.some(({ type }) => type === Handshake.ClientHello)) {
        this.#note(now, session.address, "renegotiation is refused", "NoRenegotiation");
        return [this.#alert(session, 1, Alert.NoRenegotiation)];
      }
      return this.#fragments(session, fragments, 1, now);
    });
  }

  #fragments(session: Session, fragments: readonly Fragment[], epoch: 0 | 1, now: number): DtlsServerOutput[] {
    const { association } = session.handshake;
    return this.#guard(session, now, () => {
      const outcomes = fragments.map((fragment) => ({ fragment, outcome: collect(association.inbox, fragment) }));
      // The client repeats its flight: ours was lost. (RFC 6347 4.2.4: a finished server answers a repeated Finished.)
      if (outcomes.some(({ fragment, outcome }) => outcome === "old" && session.connected && fragment.type === Handshake.Finished)) return this.#sendFlight(session);
      const outputs: DtlsServerOutput[] = [];
      for (let message = takeMessage(association.inbox); message !== undefined; message = takeMessage(association.inbox)) {
        if (message.type === Handshake.Finished && epoch === 0) throw new DtlsAlertError(Alert.UnexpectedMessage, "Finished expected in epoch 1, got it in epoch 0");
        if (takeHandshakeMessage(this.#options, this.behaviours, session.handshake, message)) outputs.push(...this.#finished(session));
      }
      return [...outputs, ...this.#openEarly(session, now)];
    });
  }

  #finished(session: Session): DtlsServerOutput[] {
    const { pending, active, sessions } = this.state;
    const former = active.get(session.address);
    pending.delete(session.address);
    active.set(session.address, session.id);
    session.connected = true;
    session.handshake.association.timer = undefined;
    const replaced = former === undefined ? undefined : sessions.get(former);
    const gone: DtlsServerOutput[] = replaced === undefined ? [] : this.#forget(replaced, "replaced by a new handshake from its address");
    return [...this.#sendFlight(session), ...gone, { kind: "connected", session: session.id, info: infoOf(session) }];
  }

  #helloFragment(from: string, record: DtlsRecord, fragment: Fragment, now: number): DtlsServerOutput[] {
    const key = `${from} ${fragment.seq}`;
    const { hellos } = this.state;
    if (hellos.size >= HELLOS) hellos.clear();
    const inbox = hellos.get(key) ?? newInbox(fragment.seq);
    hellos.set(key, inbox);
    try {
      collect(inbox, fragment);
      const message = takeMessage(inbox);
      if (message === undefined) return [];
      hellos.delete(key);
      return this.#hello(from, record, message, now);
    } catch (error) {
      if (!(error instanceof DtlsAlertError)) throw error;
      hellos.delete(key);
      this.#note(now, from, error.message, error.code);
      return this.#plainAlert(from, record.seq, error.alert);
    }
  }

  #hello(from: string, record: DtlsRecord, message: HandshakeMessage, now: number): DtlsServerOutput[] {
    const id = this.state.pending.get(from);
    const pending = id === undefined ? undefined : this.state.sessions.get(id);
    if (pending !== undefined && equal(wholeMessage(pending.hello), wholeMessage(message))) return this.#sendFlight(pending);
    const hello = readClientHello(message.body);
    if (this.#options.cookies !== false) {
      const cookie = this.#cookie(from, hello);
      if (!equal(cookie, hello.cookie)) return this.#helloVerifyRequest(from, record, hello, cookie, now);
    }
    if (pending !== undefined) this.#forget(pending, "the client began again");
    return this.#accept(from, record, message, hello, now);
  }

  /** RFC 6347 4.2.1: over the address and the parameters of the ClientHello. */
  #cookie(from: string, hello: ClientHello): Uint8Array {
    const text = new TextEncoder().encode(`${from} ${toHex(hello.random)} ${toHex(hello.sessionId)} ${hello.suites.join()} ${toHex(hello.compressions)}`);
    return hmac(this.state.cookieSecret, text).slice(0, 20);
  }

  #helloVerifyRequest(from: string, record: DtlsRecord, hello: ClientHello, cookie: Uint8Array, now: number): DtlsServerOutput[] {
    if (hello.cookie.length > 0) this.#note(now, from, "the cookie is not ours: asked for again");
    const body = this.behaviours.handshake(Handshake.HelloVerifyRequest, writeHelloVerifyRequest(cookie));
    if (body === undefined) return [];
    const layer = newLayer();
    layer.write.seq[0] = record.seq;
    const datagram = sealRecord(layer, 0, Content.Handshake, wholeMessage({ type: Handshake.HelloVerifyRequest, seq: 0, body }), DTLS_1_0);
    return this.behaviours.flight(2, [datagram]).map((one) => ({ kind: "datagram", to: from, datagram: one }));
  }

  #accept(from: string, record: DtlsRecord, message: HandshakeMessage, hello: ClientHello, now: number): DtlsServerOutput[] {
    const random = (octets: number): Uint8Array => this.#random(octets);
    const cid = this.#options.connectionId === undefined ? undefined : random(this.#options.connectionId);
    const handshake = acceptHello(this.#options, this.behaviours, { hello, message, recordSeq: record.seq, cid, random });
    const { layer } = handshake.association;
    layer.read.cid = handshake.ownCid;
    layer.write.cid = handshake.agreement.clientCid ?? new Uint8Array(0);
    const session: Session = { id: `dtls-${this.state.nextSession++}`, address: from, handshake, hello: message, connected: false };
    this.state.sessions.set(session.id, session);
    this.state.pending.set(from, session.id);
    if (handshake.ownCid.length > 0) this.state.byCid.set(toHex(handshake.ownCid), session.id);
    startTimer(handshake.association, this.#timing, now);
    return this.#sendFlight(session);
  }

  #sendFlight(session: Session): DtlsServerOutput[] {
    return flightDatagrams(session.handshake.association, this.behaviours, this.#timing).map((datagram) => ({ kind: "datagram", to: session.address, datagram }));
  }

  /** Runs one step of a session; what breaks the handshake is answered by its alert, and ends the session. */
  #guard(session: Session, now: number, step: () => DtlsServerOutput[]): DtlsServerOutput[] {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof DtlsAlertError)) throw error;
      this.#note(now, session.address, error.message, error.code);
      return [this.#alert(session, 2, error.alert), ...this.#drop(session, `${error.code}: ${error.message}`, now)];
    }
  }

  #alert(session: Session, level: 1 | 2, description: number): DtlsServerOutput {
    const { association } = session.handshake;
    const datagram = sealRecord(association.layer, session.connected ? 1 : 0, Content.Alert, Uint8Array.of(level, description));
    return { kind: "datagram", to: session.address, datagram };
  }

  #plainAlert(to: string, seq: number, description: number): DtlsServerOutput[] {
    const layer = newLayer();
    layer.write.seq[0] = seq;
    return [{ kind: "datagram", to, datagram: sealRecord(layer, 0, Content.Alert, Uint8Array.of(...uint(1, 2), description)) }];
  }

  #drop(session: Session, reason: string, now: number): DtlsServerOutput[] {
    if (!session.connected) this.#note(now, session.address, reason);
    return this.#forget(session, reason);
  }

  #forget(session: Session, reason: string): DtlsServerOutput[] {
    const { sessions, active, pending, byCid } = this.state;
    sessions.delete(session.id);
    for (const map of [active, pending]) if (map.get(session.address) === session.id) map.delete(session.address);
    byCid.delete(toHex(session.handshake.ownCid));
    return session.connected ? [{ kind: "closed", session: session.id, reason }] : [];
  }
}

function infoOf({ id, address, handshake }: Session): SessionInfo {
  const { agreement, association, ownCid, pskIdentity, clientChain } = handshake;
  return {
    session: id, address, suite: agreement.suite.name, extendedMasterSecret: association.extendedMasterSecret, ownCid, peerCid: association.layer.write.cid,
    ...(agreement.hostName !== undefined && { hostName: agreement.hostName }), ...(pskIdentity !== undefined && { pskIdentity }), clientChain,
  };
}

function messageOf(error: unknown): string {
  if (error instanceof DtlsAlertError) return error.message;
  throw error;
}
