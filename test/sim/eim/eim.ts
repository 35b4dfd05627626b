/**
 * The simulated eIM (SGP.32 v1.2 2.2, 5.14): a pure machine from one ESipa request to one answer. No sockets, no timers: the link carries them out.
 * Strict about what comes in; everything that it refuses it refuses by name, in the audit log (`seen`).
 * Left out: relay of downloads and notifications to an SM-DP+, inject mode, the JSON binding.
 */
import { toHex } from "../core/bytes.js";
import type { Clock } from "../core/clock.js";
import { SimError } from "../core/errors.js";
import type { EsipaRequest, EsipaResponse } from "../core/http.js";
import { Rng } from "../core/rng.js";
import { TlvError } from "../codec/tlv.js";
import type { Curve } from "../pki/keys.js";
import type { Identity as PkiIdentity } from "../pki/pki.js";
import { memoryIn, peek, type Behaviour, type BehaviourContext } from "./behaviour.js";
import { answer, openRequest, refusal } from "./binding.js";
import { euiccKey } from "./certificates.js";
import { eimConfigurationData, EimIdType, type ConfigurationOptions } from "./configuration.js";
import type { Core, Identity, Notes, Policy } from "./core.js";
import { FUNCTIONS } from "./functions/index.js";
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

  constructor(options: EimOptions) {
    const fqdn = options.fqdn ?? "eim.example.com";
    const identity: Identity = {
      eimId: options.eimId ?? fqdn,
      eimIdType: options.eimIdType ?? EimIdType.Fqdn,
      fqdn,
      signKey: options.sign.key,
      signCertificate: options.sign.certificate,
      ...(options.tls && { tlsCertificate: options.tls.certificate }),
      policy: { missingEid: "match", unverifiable: "accept", adminProtocol: "gsma/rsp/v2.1.0", ...options.policy },
    };
    const state: EimState = { rng: new Rng(options.seed ?? 0).state, nextPackage: 1, devices: new Map(), audit: [], behaviours: [], counters: new Map() };
    this.#core = { identity, state, now: () => options.clock.now() };
  }

  get eimId(): string {
    return this.#core.identity.eimId;
  }

  get fqdn(): string {
    return this.#core.identity.fqdn;
  }

  /** EimConfigurationData (tag 30) that associates this eIM with a card (types 4.2). */
  configurationData(options: ConfigurationOptions = {}): Uint8Array {
    return eimConfigurationData(this.#core.identity, options);
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

  /** Answers one ESipa request. Pure but for the eIM's own state; never throws for what a peer sends. */
  handle(request: EsipaRequest): EsipaResponse {
    const { tag, eid } = peek(request.body);
    const notes: Notes = { reason: "", warnings: [] };
    const used = this.#used(tag, eid);
    let verdict: AuditEntry["verdict"] = "behaviour";
    const respond = (index: number, asked: EsipaRequest): EsipaResponse => {
      const entry = used[index];
      if (entry === undefined) {
        const own = this.#answer(asked, notes);
        verdict = own.verdict;
        return own.response;
      }
      const [behaviour, context] = entry;
      const changed = behaviour.request?.(asked, context) ?? asked;
      const response = behaviour.answer?.(changed, context) ?? respond(index + 1, changed);
      return behaviour.response?.(response, context) ?? response;
    };
    const response = respond(0, request);
    const who = notes.eid ?? eid;
    this.#core.state.audit.push({
      time: this.#core.now(),
      ...(who !== undefined && { eid: who }),
      function: tag === undefined ? "none" : FUNCTIONS.get(tag)?.name ?? tagText(tag),
      request: toHex(request.body),
      status: response.drop === true || response.silent === true ? 0 : response.status,
      response: toHex(response.body),
      verdict,
      reason: notes.reason,
      warnings: notes.warnings,
      behaviours: used.map(([behaviour]) => behaviour.name),
    });
    return response;
  }

  #answer(request: EsipaRequest, notes: Notes): { response: EsipaResponse; verdict: "ok" | "refused" } {
    const { identity } = this.#core;
    const before = copyDevices(this.#core.state.devices);
    let error: EsipaFunctionError;
    try {
      const message = openRequest(request, notes.warnings);
      const esipa = FUNCTIONS.get(message.tag);
      if (esipa === undefined) throw new BadRequest(`body: no ESipa function has tag ${tagText(message.tag)}`, "SGP.32 v1.2 6.3");
      error = esipa.error;
      return { response: answer(esipa.handle(this.#core, message, notes), identity.policy.adminProtocol), verdict: "ok" };
    } catch (cause) {
      // What is refused leaves no trace but the audit log.
      this.#core.state.devices = before;
      notes.reason = (cause as Error).message;
      if (cause instanceof FunctionError && error) return { response: answer(error(cause.number), identity.policy.adminProtocol), verdict: "refused" };
      if (cause instanceof TlvError) return { response: refusal(new BadRequest(cause.message, "X.690"), identity.policy.adminProtocol), verdict: "refused" };
      if (cause instanceof BadRequest) return { response: refusal(cause, identity.policy.adminProtocol), verdict: "refused" };
      throw cause;
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

type EsipaFunctionError = ((code: number) => Uint8Array) | undefined;

function contentOf(content: Command | readonly Command[] | PackageContent): PackageContent {
  if ("kind" in content) return content;
  return { kind: "euiccPackage", commands: "list" in content ? [content] : content };
}
