/**
 * Packages described in JSON, for the control interface and the command line:
 * {"psmo":[{"enable":{"iccid":"...","rollback":true}}]}, {"eco":[{"listEim":{}}]}, {"ipaEuiccDataRequest":{"tags":["BF20","81"]}},
 * {"profileDownloadTriggerRequest":{"activationCode":"1$..."}}, {"raw":"BF51..."}; each with "options" where wanted.
 * Strict: an unknown member is refused, and the refusal says what was expected and what was got.
 */
import { fromHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import { eco, IPA_EUICC_DATA, psmo, type Command, type DataRequest, type DownloadTrigger, type PackageContent, type ProfileSearch } from "./packages.js";
import type { DownloadHandling } from "./download-data.js";
import type { QueueOptions } from "./queue.js";

/** A description that can't be read. `detail`: expected, got. */
export class DescriptionError extends SimError {
  constructor(where: string, expected: string, got: unknown) {
    const text = got === undefined ? "nothing" : JSON.stringify(got).slice(0, 80);
    super("description", `${where}: expected ${expected}, got ${text}`, { expected, got: text });
  }
}

type Json = Record<string, unknown>;

/** A package and how to queue it. Throws DescriptionError. */
export function readPackage(description: unknown): { content: PackageContent; options: QueueOptions } {
  const { options, ...rest } = object(description, "package", ["psmo", "eco", "ipaEuiccDataRequest", "profileDownloadTriggerRequest", "raw", "options"]);
  const [[kind, value] = ["", undefined], ...more] = Object.entries(rest);
  if (value === undefined || more.length > 0) {
    throw new DescriptionError("package", "one of psmo, eco, ipaEuiccDataRequest, profileDownloadTriggerRequest, raw", Object.keys(rest));
  }
  return { content: readContent(kind, value), options: options === undefined ? {} : readOptions(options) };
}

/** As readPackage, of JSON text. */
export function parsePackage(text: string): ReturnType<typeof readPackage> {
  return readPackage(parseJson(text, "package"));
}

/** Value of JSON text. Throws DescriptionError. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DescriptionError(where, `JSON (${(cause as Error).message})`, text);
  }
}

function readContent(kind: string, value: unknown): PackageContent {
  switch (kind) {
    case "psmo":
      return { kind: "euiccPackage", commands: list(value, "psmo").map((item, index) => readCommand(PSMO, item, `psmo[${index}]`)) };
    case "eco":
      return { kind: "euiccPackage", commands: list(value, "eco").map((item, index) => readCommand(ECO, item, `eco[${index}]`)) };
    case "ipaEuiccDataRequest":
      return { kind: "ipaEuiccDataRequest", request: readDataRequest(value) };
    case "profileDownloadTriggerRequest":
      return readDownload(value);
    default:
      return { kind: "raw", der: hex(value, "raw") };
  }
}

type Reader = (value: unknown, where: string) => Command;

/** Commands by name. An argument list of its own for each: no member is guessed. */
const PSMO: Readonly<Record<string, Reader>> = {
  enable(value, where) {
    const { iccid, rollback } = object(value, where, ["iccid", "rollback"]);
    return psmo.enable(digits(iccid, `${where}.iccid`), { rollback: optional(rollback, `${where}.rollback`, flag) ?? false });
  },
  disable: (value, where) => psmo.disable(iccidOf(value, where)),
  delete: (value, where) => psmo.delete(iccidOf(value, where)),
  getRAT: (value, where) => none(value, where, psmo.getRAT),
  configureImmediateEnable(value, where) {
    const given = object(value, where, ["immediateEnable", "defaultSmdpOid", "defaultSmdpAddress"]);
    const immediateEnable = optional(given.immediateEnable, `${where}.immediateEnable`, flag);
    const defaultSmdpOid = optional(given.defaultSmdpOid, `${where}.defaultSmdpOid`, string);
    const defaultSmdpAddress = optional(given.defaultSmdpAddress, `${where}.defaultSmdpAddress`, string);
    return psmo.configureImmediateEnable({
      ...(immediateEnable !== undefined && { immediateEnable }),
      ...(defaultSmdpOid !== undefined && { defaultSmdpOid }),
      ...(defaultSmdpAddress !== undefined && { defaultSmdpAddress }),
    });
  },
  setFallbackAttribute: (value, where) => psmo.setFallbackAttribute(iccidOf(value, where)),
  unsetFallbackAttribute: (value, where) => none(value, where, psmo.unsetFallbackAttribute),
  listProfileInfo(value, where) {
    const { tags, ...search } = object(value, where, ["isdpAid", "iccid", "profileClass", "tags"]);
    return psmo.listProfileInfo(readSearch(search, where), optional(tags, `${where}.tags`, tagNumbers));
  },
  setDefaultDpAddress: (value, where) => psmo.setDefaultDpAddress(string(object(value, where, ["address"]).address, `${where}.address`)),
  raw: (value, where) => psmo.raw(hex(value, where)),
};

const ECO: Readonly<Record<string, Reader>> = {
  addEim: (value, where) => eco.addEim(hex(object(value, where, ["configuration"]).configuration, `${where}.configuration`)),
  deleteEim: (value, where) => eco.deleteEim(string(object(value, where, ["eimId"]).eimId, `${where}.eimId`)),
  updateEim: (value, where) => eco.updateEim(hex(object(value, where, ["configuration"]).configuration, `${where}.configuration`)),
  listEim: (value, where) => none(value, where, eco.listEim),
  raw: (value, where) => eco.raw(hex(value, where)),
};

function readCommand(known: Readonly<Record<string, Reader>>, item: unknown, where: string): Command {
  const [[name, value] = ["", undefined], ...more] = Object.entries(object(item, where));
  const read = Object.hasOwn(known, name) ? known[name] : undefined;
  if (read === undefined || more.length > 0) throw new DescriptionError(where, `one command of ${Object.keys(known).join(", ")}`, item);
  return read(value, `${where}.${name}`);
}

function readSearch(search: Json, where: string): ProfileSearch | undefined {
  const { isdpAid, iccid, profileClass } = search;
  if (Object.keys(search).length > 1) throw new DescriptionError(where, "one of isdpAid, iccid, profileClass", search);
  if (isdpAid !== undefined) return { isdpAid: hex(isdpAid, `${where}.isdpAid`) };
  if (iccid !== undefined) return { iccid: digits(iccid, `${where}.iccid`) };
  return profileClass === undefined ? undefined : { profileClass: whole(profileClass, `${where}.profileClass`) };
}

function readDataRequest(value: unknown): DataRequest {
  const where = "ipaEuiccDataRequest";
  const given = object(value, where, ["tags", "ciPkId", "notification", "euiccPackageResult"]);
  const ciPkId = optional(given.ciPkId, `${where}.ciPkId`, hex);
  const notification = optional(given.notification, `${where}.notification`, readNotificationSearch);
  const result = optional(given.euiccPackageResult, `${where}.euiccPackageResult`, (item, at) => ({ seqNumber: whole(object(item, at, ["seqNumber"]).seqNumber, `${at}.seqNumber`) }));
  return { tags: tagNumbers(given.tags, `${where}.tags`), ...(ciPkId && { ciPkId }), ...(notification && { notification }), ...(result && { euiccPackageResult: result }) };
}

function readNotificationSearch(value: unknown, where: string): NonNullable<DataRequest["notification"]> {
  const { seqNumber, event } = object(value, where, ["seqNumber", "event"]);
  if ((seqNumber === undefined) === (event === undefined)) throw new DescriptionError(where, "one of seqNumber, event", value);
  if (seqNumber !== undefined) return { seqNumber: whole(seqNumber, `${where}.seqNumber`) };
  return { event: list(event, `${where}.event`).map((bit) => whole(bit, `${where}.event`)) };
}

function readDownload(value: unknown): PackageContent {
  const where = "profileDownloadTriggerRequest";
  const { handling, ...trigger } = object(value, where, ["activationCode", "contactDefaultSmdp", "contactSmds", "handling"]);
  const read = optional(handling, `${where}.handling`, readHandling);
  return { kind: "profileDownloadTriggerRequest", trigger: readTrigger(trigger, where), ...(read && { handling: read }) };
}

function readHandling(value: unknown, where: string): DownloadHandling {
  const given = object(value, where, ["activationCode", "confirmationCode", "ctxParams1", "verifyMetadata", "allowedPprs", "sendMetadata", "omitTransactionId", "ciPkIdOctets"]);
  const at = <T>(name: string, read: (item: unknown, where: string) => T): Record<string, T> => (given[name] === undefined ? {} : { [name]: read(given[name], `${where}.${name}`) });
  return {
    ...at("activationCode", string),
    ...at("confirmationCode", string),
    ...at("ctxParams1", flag),
    ...at("verifyMetadata", flag),
    ...at("allowedPprs", (item, place) => list(item, place).map((bit) => whole(bit, place))),
    ...at("sendMetadata", flag),
    ...at("omitTransactionId", flag),
    ...at("ciPkIdOctets", whole),
  };
}

function readTrigger(given: Json, where: string): DownloadTrigger {
  const activationCode = optional(given.activationCode, `${where}.activationCode`, string);
  const contactDefaultSmdp = optional(given.contactDefaultSmdp, `${where}.contactDefaultSmdp`, flag);
  const contactSmds = optional(given.contactSmds, `${where}.contactSmds`, (item, at) => (typeof item === "string" ? item : flag(item, at)));
  return { ...(activationCode !== undefined && { activationCode }), ...(contactDefaultSmdp !== undefined && { contactDefaultSmdp }), ...(contactSmds !== undefined && { contactSmds }) };
}

function readOptions(value: unknown): QueueOptions {
  const given = object(value, "options", ["transactionId", "counter", "giveOnce"]);
  const counter = optional(given.counter, "options.counter", whole);
  const giveOnce = optional(given.giveOnce, "options.giveOnce", flag);
  const { transactionId } = given;
  return {
    ...(counter !== undefined && { counter }),
    ...(giveOnce !== undefined && { giveOnce }),
    ...(transactionId !== undefined && { transactionId: transactionId === null ? null : hex(transactionId, "options.transactionId") }),
  };
}

/** An object with no members but `known`. */
export function object(value: unknown, where: string, known?: readonly string[]): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new DescriptionError(where, "an object", value);
  const unknown = Object.keys(value).find((name) => known !== undefined && !known.includes(name));
  if (unknown !== undefined) throw new DescriptionError(where, `no members but ${known?.join(", ")}`, unknown);
  return value as Json;
}

export function optional<T>(value: unknown, where: string, read: (value: unknown, where: string) => T): T | undefined {
  return value === undefined ? undefined : read(value, where);
}

export function string(value: unknown, where: string): string {
  if (typeof value !== "string") throw new DescriptionError(where, "a string", value);
  return value;
}

export function whole(value: unknown, where: string): number {
  if (!Number.isSafeInteger(value)) throw new DescriptionError(where, "a whole number", value);
  return value as number;
}

export function hex(value: unknown, where: string): Uint8Array {
  if (typeof value !== "string" || !/^([0-9a-fA-F]{2})*$/.test(value)) throw new DescriptionError(where, "hexadecimal octets", value);
  return fromHex(value);
}

export function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new DescriptionError(where, "a list", value);
  return value;
}

function flag(value: unknown, where: string): boolean {
  if (typeof value !== "boolean") throw new DescriptionError(where, "true or false", value);
  return value;
}

function digits(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^[0-9]{18,20}$/.test(value)) throw new DescriptionError(where, "an ICCID of 18 to 20 digits", value);
  return value;
}

function iccidOf(value: unknown, where: string): string {
  return digits(object(value, where, ["iccid"]).iccid, `${where}.iccid`);
}

function none(value: unknown, where: string, make: () => Command): Command {
  object(value, where, []);
  return make();
}

/** ["BF20", "81"], or names of IpaEuiccData members. */
function tagNumbers(value: unknown, where: string): number[] {
  return list(value, where).map((item) => {
    if (typeof item === "string" && Object.hasOwn(IPA_EUICC_DATA, item)) return IPA_EUICC_DATA[item as keyof typeof IPA_EUICC_DATA];
    if (typeof item !== "string" || !/^[0-9a-fA-F]{2}([0-9a-fA-F]{2})?$/.test(item)) throw new DescriptionError(where, `a tag of 1 or 2 octets in hexadecimal, or one of ${Object.keys(IPA_EUICC_DATA).join(", ")}`, item);
    return parseInt(item, 16);
  });
}
