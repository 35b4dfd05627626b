/**
 * The simulated eIM (SGP.32 v1.2 2.2, 5.14): a pure machine from one ESipa request to one answer. No sockets, no timers: the link carries them out.
 * Strict about what comes in; everything that it refuses it refuses by name, in the audit log (`seen`).
 * With a way to SM-DP+ and SM-DS (`es9p`) it relays downloads and notifications. Left out: inject mode, the JSON binding of ESipa.
 */
import { toHex } from "../core/bytes.js";
import type { Clock } from "../core/clock.js";
import { SimError } from "../core/errors.js";
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { chain, drive, type Maybe, type Steps } from "../core/maybe.js";
import { Rng } from "../core/rng.js";
import { TlvError } from "../codec/tlv.js";
import type { Curve } from "../pki/keys.js";
import type { Identity as PkiIdentity } from "../pki/pki.js";
import { memoryIn, peek, type Behaviour, type BehaviourContext } from "./behaviour.js";
import { answer, openRequest, refusal } from "./binding.js";
import { euiccKey } from "./certificates.js";
import { eimConfigurationData, EimIdType, type ConfigurationOptions } from "./configuration.js";
import { newNotes, type Core, type Identity, type Notes, type Policy } from "./core.js";
import type { Es9p, Es9pBinding } from "./download-es9p.js";
import { deliver, deliverAll, outbox } from "./download-relay.js";
import { FUNCTIONS, type EsipaFunction } from "./functions/index.js";
import { eidBytes } from "./identifiers.js";
import type { Command, PackageContent } from "./packages.js";
import { enqueue, type QueueOptions } from "./queue.js";
import { BadRequest, FunctionError, tagText } from "./refusal.js";
import { copyDevices, copyState, type AuditEntry, type DeviceState, type EimState, type NotificationRecord, type PackageRecord, type ResultRecord } from "./state.js";

export interface EimOptions {
  /** Key and certificate of eimSignature. */
  readonly sign: PkiIdentity;
  /** TLS server certificate, for EimConfigurationData and real sockets. */
  readonly tls?: PkiIdentity;
  readonly clock: Clock;
  /** Default "eim.example.com". */
  readonly fqdn?: string;
  /** Default: the FQDN. */
  readonly eimId?: string;
  /** Default FQDN. */
  readonly eimIdType?: EimIdType;
  /** For eimTransactionIds. Default 0. */
  readonly seed?: number;
  readonly policy?: Partial<Policy>;
  /** The way to SM-DP+ and SM-DS. Absent: this eIM relays nothing. */
  readonly es9p?: Es9p;
  /** How it speaks ES9+. Default "json". */
  readonly es9pBinding?: Es9pBinding;
}

export interface DeviceOptions {
  /** 32 digits. */
  readonly eid: string;
  readonly curve?: Curve;
  readonly ciCertificates?: readonly Uint8Array[];
  readonly euiccCertificate?: Uint8Array;
  readonly eumCertificate?: Uint8Array;
  /** Of this eIM's association, when the eUICC stores one. */
  readonly associationToken?: number;
  /** counterValue of the newest package before this eIM's first one. Default 0. */
  readonly counter?: number;
}

export class Eim {
  readonly #core: Core;
  readonly #behaviours = new Map<number, Behaviour>();
  /** Exchanges that wait for a server, by their request's octets. */
  readonly #waiting = new Map<string, Promise<unknown>>();

  constructor(options: EimOptions) {
    const fqdn = options.fqdn ?? "eim.example.com";
    const identity: Identity = {
      eimId: options.eimId ?? fqdn,
      eimIdType: options.eimIdType ?? EimIdType.Fqdn,
      fqdn,
      signKey: options.sign.key,
      signCertificate: options.sign.certificate,
      ...(options.tls && { tlsCertificate: options.tls.certificate }),
      ...(options.es9p && { es9p: { door: options.es9p, binding: options.es9pBinding ?? "json" } }),
      policy: { missingEid: "match", unverifiable: "accept", adminProtocol: "gsma/rsp/v2.1.0", ...options.policy },
    };
    const state: EimState = { rng: new Rng(options.seed ?? 0).state, nextPackage: 1, devices: new Map(), audit: [], behaviours: [], counters: new Map() };
    this.#core = { identity, state, delivering: new Set(), now: () => options.clock.now() };
  }

  get eimId(): string {
    return this.#core.identity.eimId;
  }

  get fqdn(): string {
    return this.#core.identity.fqdn;
  }

  /** EimConfigurationData (tag 30) that associates this eIM with a card (types 4.2); with indirectProfileDownload where it relays, unless told otherwise. */
  configurationData(options: ConfigurationOptions = {}): Uint8Array {
    return eimConfigurationData(this.#core.identity, { indirectProfileDownload: this.#core.identity.es9p !== undefined, ...options });
  }

  /** Registers a device. Throws SimError "device" when it is known already or its certificates don't hold. */
  addDevice(options: DeviceOptions): void {
    eidBytes(options.eid);
    if (this.#core.state.devices.has(options.eid)) throw new SimError("device", `EID ${options.eid} is registered already`, { eid: options.eid });
    const { euiccCertificate, eumCertificate, associationToken, ciCertificates = [] } = options;
    const key = euiccCertificate && euiccKey(options.eid, euiccCertificate, eumCertificate, ciCertificates);
    if (typeof key === "string") throw new SimError("device", key, { eid: options.eid });
    const device: DeviceState = {
      eid: options.eid,
      curve: key?.curve ?? options.curve ?? "P-256",
      ciCertificates,
      ...(euiccCertificate && { euiccCertificate }),
      ...(eumCertificate && { eumCertificate }),
      ...(key && { publicKey: key.publicKey }),
      ...(associationToken !== undefined && { associationToken }),
      counter: options.counter ?? 0,
      packages: [],
      results: [],
      notifications: [],
      stateChanges: [],
      data: {},
    };
    this.#core.state.devices.set(options.eid, device);
  }

  /** Puts a package at the end of a device's queue: one command, several of one list, or a content of any kind. */
  queue(eid: string, content: Command | readonly Command[] | PackageContent, options: QueueOptions = {}): PackageRecord {
    return enqueue(this.#core, this.#device(eid), contentOf(content), options);
  }

  /** What is known of a device now; to be read only. Throws SimError "unknownDevice" when it is not registered. */
  device(eid: string): Readonly<DeviceState> {
    return this.#device(eid);
  }

  /** EIDs of all devices. */
  get devices(): readonly string[] {
    return [...this.#core.state.devices.keys()];
  }

  /** Results accepted from a device, in order, each once. */
  results(eid: string): readonly ResultRecord[] {
    return this.#device(eid).results;
  }

  /** Notifications taken from a device, in order, each once. */
  notifications(eid: string): readonly NotificationRecord[] {
    return this.#device(eid).notifications;
  }

  /** Notifications taken from any device for this receiver (an SM-DP+ address), in order of arrival per device. */
  relayed(receiver: string): readonly NotificationRecord[] {
    return [...this.#core.state.devices.values()].flatMap((device) => device.notifications.filter((record) => record.receiver === receiver));
  }

  /** Notifications that wait for their receiver, in order of arrival per device. */
  outbox(receiver?: string): readonly NotificationRecord[] {
    return [...this.#core.state.devices.values()].flatMap(outbox).filter((record) => receiver === undefined || record.receiver === receiver);
  }

  /** Tries once more to deliver all that waits, also what was rejected before. */
  flush(): Maybe<void> {
    const notes = newNotes();
    return chain(deliverAll(this.#core, notes), () => {
      if (notes.es9p.length > 0) this.#record("ES9+.HandleNotification", notes, { request: "", status: 0, response: "", verdict: "ok", behaviours: [] });
    });
  }

  /** Every exchange so far. */
  get seen(): readonly AuditEntry[] {
    return this.#core.state.audit;
  }

  /** Puts a behaviour in front of all others. Returns a function that takes it away again. */
  use(behaviour: Behaviour): () => void {
    const id = this.#behaviours.size + 1;
    this.#behaviours.set(id, behaviour);
    this.#core.state.behaviours = [...this.#core.state.behaviours, id];
    return () => {
      this.#core.state.behaviours = this.#core.state.behaviours.filter((used) => used !== id);
    };
  }

  /** All that the eIM remembers, as plain data that later exchanges don't change. */
  snapshot(): EimState {
    return copyState(this.#core.state);
  }

  /** Goes back to a snapshot. Throws SimError "state" when it uses behaviours that this eIM never had. */
  restore(state: EimState): void {
    const missing = state.behaviours.find((id) => !this.#behaviours.has(id));
    if (missing !== undefined) throw new SimError("state", `the snapshot uses behaviour ${missing}, which this eIM does not have`);
    this.#core.state = copyState(state);
  }

  /**
   * Answers one ESipa request. Pure but for the eIM's own state; never throws for what a peer sends.
   * Throws SimError "later" when its es9p answers later: then `exchange` is to be used.
   */
  handle(request: EsipaRequest): EsipaResponse {
    const response = this.exchange(request);
    if (response instanceof Promise) throw new SimError("later", "the SM-DP+ answers later: use exchange() in place of handle()");
    return response;
  }

  /** As handle: at once, or later where a server has to be asked that answers later. */
  exchange(request: EsipaRequest): Maybe<EsipaResponse> {
    const key = toHex(request.body);
    // An impatient IPA sends again what is just being asked: it gets the same answer, and the server is asked once.
    const first = this.#waiting.get(key);
    if (first !== undefined) return first.then(() => this.exchange(request));
    const response = this.#exchange(request);
    if (response instanceof Promise) {
      const end = (): void => void this.#waiting.delete(key);
      this.#waiting.set(key, response.then(end, end));
    }
    return response;
  }

  #exchange(request: EsipaRequest): Maybe<EsipaResponse> {
    const { tag, eid } = peek(request.body);
    const notes = newNotes();
    const used = this.#used(tag, eid);
    let verdict: AuditEntry["verdict"] = "behaviour";
    const respond = (index: number, asked: EsipaRequest): Maybe<EsipaResponse> => {
      const entry = used[index];
      if (entry === undefined) {
        return chain(drive(this.#answer(asked, notes)), (own) => {
          verdict = own.verdict;
          return own.response;
        });
      }
      const [behaviour, context] = entry;
      const changed = behaviour.request?.(asked, context) ?? asked;
      return chain(behaviour.answer?.(changed, context) ?? respond(index + 1, changed), (response) => behaviour.response?.(response, context) ?? response);
    };
    return chain(respond(0, request), (response) => {
      const who = notes.eid ?? eid;
      if (who !== undefined) notes.eid = who;
      this.#record(tag === undefined ? "none" : FUNCTIONS.get(tag)?.name ?? tagText(tag), notes, {
        request: toHex(request.body),
        status: response.drop === true || response.silent === true ? 0 : response.status,
        response: toHex(response.body),
        verdict,
        behaviours: used.map(([behaviour]) => behaviour.name),
      });
      return response;
    });
  }

  #record(name: string, notes: Notes, entry: Omit<AuditEntry, "time" | "eid" | "function" | "reason" | "warnings" | "es9p">): void {
    const { eid, reason, warnings, es9p } = notes;
    this.#core.state.audit.push({ time: this.#core.now(), ...(eid !== undefined && { eid }), function: name, ...entry, reason, warnings, ...(es9p.length > 0 && { es9p }) });
  }

  /** The eIM's own answer; notifications that it took over go on to their receivers before it leaves. */
  *#answer(request: EsipaRequest, notes: Notes): Steps<Own> {
    const own = yield* this.#take(request, notes);
    if (own.delivers && notes.eid !== undefined) yield* deliver(this.#core, notes.eid, notes);
    if (notes.delayMs === 0) return own;
    return { ...own, response: { ...own.response, delayMs: notes.delayMs } };
  }

  *#take(request: EsipaRequest, notes: Notes): Steps<Own> {
    const { adminProtocol } = this.#core.identity.policy;
    const before = copyDevices(this.#core.state.devices);
    let esipa: EsipaFunction | undefined;
    try {
      const message = openRequest(request, notes.warnings);
      esipa = FUNCTIONS.get(message.tag);
      if (esipa === undefined) throw new BadRequest(`body: no ESipa function has tag ${tagText(message.tag)}`, "SGP.32 v1.2 6.3");
      const body = "relay" in esipa ? yield* esipa.relay(this.#core, message, notes) : esipa.handle(this.#core, message, notes);
      return { response: answer(body, adminProtocol), verdict: "ok", delivers: "delivers" in esipa };
    } catch (cause) {
      // What is refused leaves no trace but the audit log; a relay sees to that itself, as the state may have gone on while a server was asked.
      if (esipa === undefined || !("relay" in esipa)) this.#core.state.devices = before;
      notes.reason = (cause as Error).message;
      return { response: refusalOf(cause, esipa, adminProtocol), verdict: "refused", delivers: false };
    }
  }

  #used(tag: number | undefined, eid: string | undefined): [Behaviour, BehaviourContext][] {
    const { state } = this.#core;
    const used: [Behaviour, BehaviourContext][] = [];
    for (const id of state.behaviours.toReversed()) {
      const behaviour = this.#behaviours.get(id) as Behaviour;
      const device = eid === undefined ? undefined : state.devices.get(eid);
      const context: BehaviourContext = { function: tag, eid, device, time: this.#core.now(), memory: memoryIn(state.counters, String(id)) };
      if (behaviour.applies?.(context) !== false) used.push([behaviour, context]);
    }
    return used;
  }

  #device(eid: string): DeviceState {
    const device = this.#core.state.devices.get(eid);
    if (device === undefined) throw new SimError("unknownDevice", `EID ${eid} is not registered at this eIM`, { eid });
    return device;
  }
}

interface Own {
  readonly response: EsipaResponse;
  readonly verdict: "ok" | "refused";
  readonly delivers: boolean;
}

/** The answer to what was thrown; anything that is no refusal is a defect of ours, and is thrown on. */
function refusalOf(cause: unknown, esipa: EsipaFunction | undefined, adminProtocol: string): EsipaResponse {
  if (cause instanceof FunctionError && esipa?.error !== undefined) return answer(esipa.error(cause.number), adminProtocol);
  if (cause instanceof TlvError) return refusal(new BadRequest(cause.message, "X.690"), adminProtocol);
  if (cause instanceof BadRequest) return refusal(cause, adminProtocol);
  throw cause;
}

function contentOf(content: Command | readonly Command[] | PackageContent): PackageContent {
  if ("kind" in content) return content;
  return { kind: "euiccPackage", commands: "list" in content ? [content] : content };
}
