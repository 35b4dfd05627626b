/**
 * The simulated eUICC: SGP.32 v1.2 behind ETSI TS 102 221, as strict as silicon, with real signatures and state.
 *
 * ```ts
 * const euicc = new Euicc({ profiles: [{ iccid: "89000123456789012341", enabled: true }], eims: [{ eimId: "eim.example.com", publicKey: spki }] });
 * euicc.powerCycle();
 * euicc.transmit(fromHex("80AA000008A906830107840101"));
 * euicc.refusals; // what it refused, and why
 * ```
 * Left out: the Profiles' own file systems: a downloaded Profile is kept as the octets of its elements.
 */
import type { ErrorReason } from "../bsp/index.js";
import { concat, fromHex, toHex } from "../core/bytes.js";
import type { Card } from "../core/card.js";
import { transmit, reset } from "./card.js";
import { iccidBytes } from "./coding.js";
import { profileByIccid, type Context } from "./context.js";
import { freeMemory } from "./download/memory.js";
import { configure, type Config, type EuiccOptions, type ProfileOptions } from "./options.js";
import { associate, factory, install } from "./setup.js";
import { clone, type Eim, type Fault, type Pending, type Profile, type Refusal, type State } from "./state.js";

/** D0: MORE TIME, card to terminal. */
const MORE_TIME = fromHex("D009 8103010200 82028182");

export class Euicc implements Card {
  readonly #ctx: Context;

  /** A card as it leaves the factory. Throws RangeError or SimError where the options can not be. */
  constructor(options: EuiccOptions = {}) {
    const config = configure(options);
    this.#ctx = { config, state: factory(config, options) };
  }

  powerCycle(): Uint8Array {
    return reset(this.#ctx);
  }

  transmit(command: Uint8Array): Uint8Array {
    return transmit(this.#ctx, command);
  }

  /** All that can change, to come back to. */
  snapshot(): State {
    return clone(this.#ctx.state);
  }

  restore(state: State): void {
    this.#ctx.state = clone(state);
  }

  get config(): Config {
    return this.#ctx.config;
  }

  /** 32 digits. */
  get eid(): string {
    return this.#ctx.config.eid;
  }

  get profiles(): readonly Readonly<Profile>[] {
    return this.#ctx.state.nonvolatile.profiles;
  }

  get enabledProfile(): Readonly<Profile> | undefined {
    return this.profiles.find((profile) => profile.enabled);
  }

  get eims(): readonly Readonly<Eim>[] {
    return this.#ctx.state.nonvolatile.eims;
  }

  /** Notifications and EPRs that wait to be removed, in the order of their seqNumber. */
  get pending(): readonly Pending[] {
    return this.#ctx.state.nonvolatile.pending;
  }

  get rollbackGranted(): boolean {
    return this.#ctx.state.nonvolatile.rollback !== null;
  }

  /** Profiles were switched and the card was not reset since. */
  get switchPending(): boolean {
    return this.#ctx.state.volatile.switchPending;
  }

  /** Octets free for further Profiles, as extCardResource tells. */
  get freeMemory(): number {
    return freeMemory(this.#ctx);
  }

  /** The unprotected Profile Package that was downloaded for an ICCID (digits); undefined when none was. */
  profilePackage(iccid: string): Uint8Array | undefined {
    const chunks = profileByIccid(this.#ctx.state.nonvolatile, toHex(iccidBytes(iccid)))?.loaded?.chunks;
    return chunks && concat(...chunks);
  }

  /** What was refused and why, since the beginning. */
  get refusals(): readonly Refusal[] {
    return this.#ctx.state.observed.refusals;
  }

  /** How many TERMINAL CAPABILITY commands came after each reset; the first entry is the time before any. */
  get terminalCapabilities(): readonly number[] {
    return this.#ctx.state.observed.terminalCapabilities;
  }

  /** Tags of the ES10 functions that were called, in order. */
  get functions(): readonly number[] {
    return this.#ctx.state.observed.functions;
  }

  /** Puts one more Profile on the card, as the manufacturer would: no session, no notification. */
  install(options: ProfileOptions): void {
    install(this.#ctx.state.nonvolatile, options);
  }

  /** Associates one more eIM, likewise; data: EimConfigurationData, tag 30. */
  associate(data: Uint8Array): void {
    associate(this.#ctx, data);
  }

  /** The next n switches are refused because a proactive session is going on. */
  catBusy(n = 1): void {
    this.#fault({ kind: "cat-busy", left: n });
  }

  /** The next ES10 function with this tag (0: any) is answered sw and not carried out. */
  failNext(tag: number, sw: number): void {
    this.#fault({ kind: "status-word", left: 1, tag, sw });
  }

  /** The next answer of the function with this tag (0: any) is cut off behind `keep` octets; default: in the middle. It is carried out. */
  truncate(tag = 0, keep = -1): void {
    this.#fault({ kind: "truncate", left: 1, tag, keep });
  }

  /** The next answer of the function with this tag (0: any) is these octets instead. It is carried out. */
  garbage(bytes: Uint8Array, tag = 0): void {
    this.#fault({ kind: "garbage", left: 1, tag, bytes: bytes.slice() });
  }

  /** The next n APDUs are neither answered nor carried out: transmit gives no octets. */
  silent(n = 1): void {
    this.#fault({ kind: "silent", left: n });
  }

  /** The next AuthenticateServer (BF38), PrepareDownload (BF21) or CancelSession (BF41) answers this code of its own. */
  refuseNext(tag: 0xbf38 | 0xbf21 | 0xbf41, code: number): void {
    this.#fault({ kind: "code", left: 1, tag, code });
  }

  /** Segment n (from 0) of the next Bound Profile Package fails: with a status word, or with a result that gives this errorReason. */
  failSegment(segment: number, how: { sw: number } | { errorReason: ErrorReason }): void {
    this.#fault("sw" in how ? { kind: "segment", left: 1, segment, sw: how.sw } : { kind: "segment", left: 1, segment, sw: null, errorReason: how.errorReason });
  }

  /** Segment n (from 0) of the next Bound Profile Package is answered 91xx, with this proactive command to be fetched. */
  interject(segment: number, command: Uint8Array = MORE_TIME): void {
    this.#fault({ kind: "proactive", left: 1, segment, command: command.slice() });
  }

  /** The next 86 finds no memory: errorReason insufficientMemory. */
  memoryFull(): void {
    this.#fault({ kind: "memory-full", left: 1 });
  }

  #fault(fault: Fault): void {
    this.#ctx.state.faults.push(fault);
  }
}

export { eimConfigurationData, eidBytes, iccidBytes, iccidDigits } from "./coding.js";
export { ErrorReason } from "../bsp/index.js";
export { BppCommand } from "./download/state.js";
export { describePending } from "./notifications.js";
export { QUIRKS, type ApduOptions, type DownloadOptions, type EimOptions, type EuiccOptions, type Features, type InfoOptions, type Limits, type ProfileOptions, type Quirk, type RuleOptions } from "./options.js";
export { fromJson, NotificationEvent, Ppr, ProfileClass, toJson, type Eim, type Pending, type Profile, type Refusal, type State } from "./state.js";
