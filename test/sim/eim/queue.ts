/**
 * Packages from queueing to their result (SGP.32 v1.2 2.11.1, 3.1.1.1): counterValue, eimTransactionId, eimSignature over `30 || 84 token`.
 * A package stays first in its device's queue until a result for it was accepted.
 */
import { concat, equal, toHex } from "../core/bytes.js";
import { Rng } from "../core/rng.js";
import { find, integer, readAll, readInteger, readOne, tlv, TlvError, type Tlv } from "../codec/tlv.js";
import { sign, type KeyPair } from "../pki/keys.js";
import type { Core } from "./core.js";
import { checkHandling } from "./download-data.js";
import { eidBytes } from "./identifiers.js";
import { COMMAND_TAG } from "./names.js";
import { euiccPackageSigned, ipaEuiccDataRequest, profileDownloadTriggerRequest, type Command, type PackageContent } from "./packages.js";
import { tagText } from "./refusal.js";
import type { DeviceState, PackageRecord } from "./state.js";

export interface QueueOptions {
  /** eimTransactionId, 1 to 16 octets; default: 8 seeded octets; null leaves it out. */
  readonly transactionId?: Uint8Array | null;
  /** counterValue; default: one more than the newest of this device. */
  readonly counter?: number;
  /** Give it once only, whether a result comes or not. */
  readonly giveOnce?: boolean;
  /** Wrong on purpose: eimId, EID, token and key that a package carries in place of the right ones. */
  readonly eimId?: string;
  readonly eid?: string;
  readonly associationToken?: number;
  readonly signer?: KeyPair;
}

/** Input of eimSignature, EPR and EPE behind the signed 30: associationToken, 0 when none is stored (types 4.1). */
export function tokenObject(token: number | undefined): Uint8Array {
  return tlv(0x84, integer(token ?? 0));
}

/** Puts a package at the end of a device's queue. Throws TypeError or RangeError for content that can't be coded. */
export function enqueue(core: Core, device: DeviceState, content: PackageContent, options: QueueOptions = {}): PackageRecord {
  const transactionId = options.transactionId === null ? undefined : options.transactionId ?? seeded(core, 8);
  if (transactionId !== undefined && (transactionId.length < 1 || transactionId.length > 16)) {
    throw new RangeError(`expected an eimTransactionId of 1 to 16 octets, got ${transactionId.length}`);
  }
  const der = build(core, device, content, transactionId, options);
  const record: PackageRecord = {
    id: core.state.nextPackage++,
    kind: content.kind,
    der,
    ...describe(der),
    ...(content.kind === "profileDownloadTriggerRequest" && { trigger: content.trigger, ...(content.handling && { handling: content.handling }) }),
    giveOnce: options.giveOnce === true,
    given: 0,
    state: "queued",
  };
  if (record.counter !== undefined && content.kind === "euiccPackage") device.counter = Math.max(device.counter, record.counter);
  device.packages = [...device.packages, record];
  return record;
}

function build(core: Core, device: DeviceState, content: PackageContent, transactionId: Uint8Array | undefined, options: QueueOptions): Uint8Array {
  switch (content.kind) {
    case "euiccPackage":
      return buildEuiccPackage(core, device, content.commands, transactionId, options);
    case "ipaEuiccDataRequest":
      return ipaEuiccDataRequest(content.request, transactionId);
    case "profileDownloadTriggerRequest":
      checkHandling(content.trigger, content.handling ?? {});
      return profileDownloadTriggerRequest(content.trigger, transactionId);
    case "raw":
      return content.der;
  }
}

function buildEuiccPackage(core: Core, device: DeviceState, commands: readonly Command[], transactionId: Uint8Array | undefined, options: QueueOptions): Uint8Array {
  const { identity } = core;
  const head = { eimId: options.eimId ?? identity.eimId, eid: eidBytes(options.eid ?? device.eid), counterValue: options.counter ?? device.counter + 1, transactionId };
  const data = euiccPackageSigned(head, commands);
  return euiccPackage(data, options.signer ?? identity.signKey, options.associationToken ?? device.associationToken);
}

/** BF51: the signed data with its eimSignature. */
export function euiccPackage(data: Uint8Array, signer: KeyPair, token: number | undefined): Uint8Array {
  return tlv(0xbf51, data, tlv(0x5f37, sign(signer, concat(data, tokenObject(token)))));
}

/** Signs what was not given yet anew, for a token that has become known. Packages that were signed wrong on purpose stay so. */
export function adoptToken(core: Core, device: DeviceState, token: number): void {
  const before = device.associationToken;
  device.associationToken = token;
  device.packages = device.packages.map((record) => {
    if (record.kind !== "euiccPackage" || record.given > 0) return record;
    const data = (readAll(readOne(record.der).value)[0] as Tlv).raw;
    const ours = equal(record.der, euiccPackage(data, core.identity.signKey, before));
    return ours ? { ...record, der: euiccPackage(data, core.identity.signKey, token) } : record;
  });
}

/** The package that GetEimPackage gives now, counted as given; undefined when the queue is empty. */
export function give(device: DeviceState): PackageRecord | undefined {
  const next = device.packages.find((record) => record.state === "queued");
  if (next === undefined) return undefined;
  device.lastGiven = next.der;
  return updatePackage(device, { ...next, given: next.given + 1, state: next.giveOnce ? "done" : "queued" });
}

/** Takes a package off the queue: its result was accepted. */
export function finish(device: DeviceState, record: PackageRecord): void {
  updatePackage(device, { ...record, state: "done" });
}

/** The package of a transaction id, else of a counter, among those that were given. */
export function matchPackage(device: DeviceState, transactionId: string | undefined, counter: number | undefined): PackageRecord | undefined {
  const given = device.packages.filter((record) => record.given > 0);
  if (transactionId !== undefined) return given.find((record) => record.transactionId === transactionId);
  return counter === undefined ? undefined : given.find((record) => record.counter === counter);
}

/** The oldest package of the kinds named that was given and has no result yet. */
export function oldestOpen(device: DeviceState, kinds: readonly PackageRecord["kind"][]): PackageRecord | undefined {
  return device.packages.find((record) => record.given > 0 && kinds.includes(record.kind) && !device.results.some((result) => result.packageId === record.id));
}

/** Puts a package in the place of the one with its id. */
export function updatePackage(device: DeviceState, record: PackageRecord): PackageRecord {
  device.packages = device.packages.map((old) => (old.id === record.id ? record : old));
  return record;
}

type Description = Pick<PackageRecord, "transactionId" | "counter" | "commands" | "tags" | "rollback">;

/** What the eIM has to know of a package to match its result. Raw packages may be broken on purpose: what can't be read is left out. */
function describe(der: Uint8Array): Description {
  const nothing: Description = { commands: [], rollback: false };
  try {
    const outer = readOne(der, undefined, { lenient: true });
    const inside = readAll(outer.value, { lenient: true });
    if (outer.tag === 0xbf51) return describeEuiccPackage(readAll((inside[0] as Tlv).value, { lenient: true }));
    const transactionId = find(inside, outer.tag === 0xbf52 ? 0x83 : 0x82);
    const tagList = outer.tag === 0xbf52 ? find(inside, 0x5c) : undefined;
    return { ...nothing, ...(transactionId && { transactionId: toHex(transactionId.value) }), ...(tagList && { tags: readTagList(tagList.value) }) };
  } catch (cause) {
    if (cause instanceof TlvError || cause instanceof TypeError) return nothing;
    throw cause;
  }
}

function describeEuiccPackage(items: readonly Tlv[]): Description {
  const counter = find(items, 0x81);
  const transactionId = find(items, 0x82);
  const eco = find(items, 0xa1);
  const list = eco ?? find(items, 0xa0);
  const commands = list === undefined ? [] : readAll(list.value, { lenient: true });
  return {
    ...(transactionId && { transactionId: toHex(transactionId.value) }),
    ...(counter && { counter: readInteger(counter.value, { lenient: true }) }),
    commands: commands.map((item) => COMMAND_TAG[eco ? "eco" : "psmo"][item.tag] ?? `unknown ${tagText(item.tag)}`),
    rollback: commands.some((item) => item.tag === 0xa3 && find(readAll(item.value, { lenient: true }), 0x05) !== undefined),
  };
}

/** Tags of a tagList: a first octet whose low five bits are set goes on. */
export function readTagList(content: Uint8Array): number[] {
  const tags: number[] = [];
  for (let at = 0; at < content.length; at++) {
    const first = content[at] as number;
    tags.push((first & 0x1f) === 0x1f ? first * 256 + (content[++at] ?? 0) : first);
  }
  return tags;
}

function seeded(core: Core, octets: number): Uint8Array {
  const rng = new Rng(0);
  rng.state = core.state.rng;
  return rng.bytes(octets);
}
