/**
 * EuiccPackageResult BF51 as a card made it (SGP.32 v1.2 2.11.2, types 4.3): decoded into plain records, with the exact octets that are signed.
 * Card objects are read leniently where real cards are (long lengths that are not minimal); the order of members is not.
 * No signature is checked here.
 */
import { toHex } from "../core/bytes.js";
import { readInteger, type Tlv } from "../codec/tlv.js";
import { iccidDigits } from "./identifiers.js";
import { coded, EUICC_PACKAGE_ERROR, EUICC_RESULT, type Coded } from "./names.js";
import { BadRequest, members, parts, required, tagText, utf8Text, type Members } from "./refusal.js";

export type { Coded } from "./names.js";

export interface ProfileInfo {
  readonly iccid?: string;
  readonly isdpAid?: string;
  readonly state?: "disabled" | "enabled";
  readonly profileClass?: "test" | "provisioning" | "operational";
  readonly nickname?: string;
  readonly serviceProviderName?: string;
  readonly profileName?: string;
  readonly fallbackAttribute?: boolean;
  readonly fallbackAllowed?: boolean;
  readonly ecallIndication?: boolean;
}

/** Result of one command. Lists that came as asked have code 0, "ok". */
export interface CommandResult extends Coded {
  /** "enable"; "processingTerminated" and "rollback" stand for no command of the package. */
  readonly command: string;
  readonly profiles?: readonly ProfileInfo[];
  readonly eims?: readonly { readonly eimId: string; readonly eimIdType?: number }[];
  /** addEim: the token that the card allocated. */
  readonly associationToken?: number;
  /** The whole entry of euiccResult. */
  readonly der: Uint8Array;
}

interface Head {
  readonly eimId: string;
  readonly counter: number;
  readonly transactionId?: string;
}

interface Signed {
  /** The 30 that is signed, as received. */
  readonly data: Uint8Array;
  /** 64 octets r||s. */
  readonly signature: Uint8Array;
}

export type EuiccPackageResult =
  | ({ readonly kind: "euiccPackageResult"; readonly seqNumber: number; readonly commands: readonly CommandResult[] } & Head & Signed)
  | ({ readonly kind: "euiccPackageErrorSigned"; readonly error: Coded } & Head & Signed)
  | { readonly kind: "euiccPackageErrorUnsigned"; readonly eimId: string; readonly transactionId?: string; readonly associationToken?: number; readonly error?: Coded };

/**
 * Decodes BF51 from a card. Forms that cards were seen to use although the ASN.1 has others (types 4.3) are taken with a warning: the IPA relays
 * them as they are, and is not to blame. Throws BadRequest saying what does not fit the type.
 */
export function readEuiccPackageResult(bf51: Tlv, warnings: string[]): EuiccPackageResult {
  const [chosen, ...rest] = parts(bf51.value, "EuiccPackageResult", true);
  if (chosen?.tag === 0x30) return readWithoutAlternative(bf51, chosen, warnings);
  if (rest.length > 0) warnings.push(`EuiccPackageResult: unknown members ${rest.map((item) => tagText(item.tag)).join(" ")} are skipped`);
  if (chosen?.tag === 0xa0) return readResultSigned(chosen, warnings);
  if (chosen?.tag === 0xa1) return readErrorSigned(chosen, warnings);
  if (chosen?.tag === 0xa2) return readErrorUnsigned(chosen, warnings);
  throw new BadRequest(`EuiccPackageResult: expected A0, A1 or A2, got ${chosen ? tagText(chosen.tag) : "nothing"}`, "SGP.32 v1.2 2.11.2");
}

/** BF51{30, 5F37}: the A0 or A1 is left out, and the seqNumber tells which it would be. */
function readWithoutAlternative(bf51: Tlv, data: Tlv, warnings: string[]): EuiccPackageResult {
  warnings.push("EuiccPackageResult: A0 or A1 expected around 30 5F37, none came");
  const result = parts(data.value, "EuiccPackageResult", true).some((item) => item.tag === 0x83);
  return result ? readResultSigned(bf51, warnings) : readErrorSigned(bf51, warnings);
}

function readResultSigned(chosen: Tlv, warnings: string[]): EuiccPackageResult {
  const { data, signature } = signed(chosen, "EuiccPackageResultSigned", warnings);
  const found = members(data.value, "EuiccPackageResultDataSigned", [0x80, 0x81, 0x82, 0x83, 0x30], warnings, true);
  const entries = parts(required(found, 0x30, "euiccResult").value, "euiccResult", true);
  return {
    kind: "euiccPackageResult",
    ...head(found),
    seqNumber: readInteger(required(found, 0x83, "seqNumber").value, { lenient: true }),
    commands: entries.map((entry) => readCommandResult(entry, warnings)),
    data: data.raw,
    signature,
  };
}

function readErrorSigned(chosen: Tlv, warnings: string[]): EuiccPackageResult {
  const { data, signature } = signed(chosen, "EuiccPackageErrorSigned", warnings);
  const found = members(data.value, "EuiccPackageErrorDataSigned", [0x80, 0x81, 0x82, 0x02], warnings, true);
  const code = readInteger(required(found, 0x02, "euiccPackageErrorCode").value, { lenient: true });
  return { kind: "euiccPackageErrorSigned", ...head(found), error: coded(code, EUICC_PACKAGE_ERROR), data: data.raw, signature };
}

function readErrorUnsigned(chosen: Tlv, warnings: string[]): EuiccPackageResult {
  const found = members(chosen.value, "EuiccPackageErrorUnsigned", [0x80, 0x82, 0x84, 0x8f], warnings, true);
  const transactionId = found.get(0x82);
  const token = found.get(0x84);
  const code = found.get(0x8f);
  return {
    kind: "euiccPackageErrorUnsigned",
    eimId: utf8Text(required(found, 0x80, "eimId"), "eimId"),
    ...(transactionId && { transactionId: toHex(transactionId.value) }),
    ...(token && { associationToken: readInteger(token.value, { lenient: true }) }),
    ...(code && { error: coded(readInteger(code.value, { lenient: true }), EUICC_PACKAGE_ERROR) }),
  };
}

function signed(chosen: Tlv, what: string, warnings: string[]): { data: Tlv; signature: Uint8Array } {
  const found = members(chosen.value, what, [0x30, 0x5f37], warnings, true);
  return { data: required(found, 0x30, `${what} data`), signature: required(found, 0x5f37, `${what} signature`).value };
}

function head(found: Members): Head {
  const transactionId = found.get(0x82);
  return {
    eimId: utf8Text(required(found, 0x80, "eimId"), "eimId"),
    counter: readInteger(required(found, 0x81, "counterValue").value, { lenient: true }),
    ...(transactionId && { transactionId: toHex(transactionId.value) }),
  };
}

function readCommandResult(entry: Tlv, warnings: string[]): CommandResult {
  const type = EUICC_RESULT[entry.tag];
  if (type === undefined) return { command: `unknown ${tagText(entry.tag)}`, code: -1, name: "unknown", der: entry.raw };
  const coding = (code: number): CommandResult => ({ command: type.command, ...coded(code, type.codes), der: entry.raw });
  if (entry.tag < 0x100 && (entry.tag & 0x20) === 0) return coding(readInteger(entry.value, { lenient: true }));
  const ok: CommandResult = { ...coding(0), name: "ok" };
  if (entry.tag === 0xa6) return ok;
  const list = listOf(entry, type.name, warnings);
  if (list !== undefined) return entry.tag === 0xab ? { ...ok, eims: list.map((item) => readEimIdInfo(item, warnings)) } : { ...ok, profiles: list.map(readProfileInfo) };
  const [chosen] = parts(entry.value, type.name, true);
  if (chosen === undefined) throw new BadRequest(`${type.name}: no alternative is present`, "SGP.32 v1.2 2.11.2");
  if (chosen.tag === 0x84 && entry.tag === 0xa8) return { ...ok, associationToken: readInteger(chosen.value, { lenient: true }) };
  if (chosen.tag === 0x02 && entry.tag === 0xbf2d) warnings.push("listProfileInfoResult: error 81 expected, got 02");
  else if (chosen.tag !== CODE_TAG[entry.tag]) throw new BadRequest(`${type.name}: unexpected alternative ${tagText(chosen.tag)}`, "SGP.32 v1.2 2.11.2");
  return coding(readInteger(chosen.value, { lenient: true }));
}

/** Where the results that are wrappers have their code. */
const CODE_TAG: Readonly<Record<number, number>> = { 0xa8: 0x02, 0xab: 0x81, 0xbf2d: 0x81, 0xbf65: 0x80 };

/** Entries of a listProfileInfoResult or listEimResult; undefined when it is something else. */
function listOf(entry: Tlv, name: string, warnings: string[]): Tlv[] | undefined {
  if (entry.tag !== 0xbf2d && entry.tag !== 0xab) return undefined;
  const inner = parts(entry.value, name, true);
  const [chosen] = inner;
  if (chosen?.tag === 0xa0) return parts(chosen.value, name, true);
  const bare = entry.tag === 0xbf2d ? inner.every((item) => item.tag === 0xe3) : chosen?.tag === 0x30;
  if (!bare) return undefined;
  warnings.push(`${name}: A0 expected around the list, got ${chosen ? tagText(chosen.tag) : "nothing"}`);
  return entry.tag === 0xbf2d ? inner : parts((chosen as Tlv).value, name, true);
}

function readEimIdInfo(entry: Tlv, warnings: string[]): { eimId: string; eimIdType?: number } {
  // eimIdType was 84 in v1.0 (types 4.3).
  const found = members(entry.value, "EimIdInfo", [0x80, [0x82, 0x84]], warnings, true);
  const type = found.get(0x82) ?? found.get(0x84);
  return { eimId: utf8Text(required(found, 0x80, "eimId"), "eimId"), ...(type && { eimIdType: readInteger(type.value, { lenient: true }) }) };
}

/** Decodes one ProfileInfo E3 (SGP.22 v2.5 5.7.15); unknown members are skipped. */
function readProfileInfo(e3: Tlv): ProfileInfo {
  const found = new Map(parts(e3.value, "ProfileInfo", true).map((item) => [item.tag, item]));
  const read = <T>(tag: number, as: (item: Tlv) => T): T | undefined => (found.has(tag) ? as(found.get(tag) as Tlv) : undefined);
  const text = (tag: number): string | undefined => read(tag, (item) => utf8Text(item, "ProfileInfo"));
  const flag = (tag: number): boolean | undefined => read(tag, (item) => item.value[0] !== 0);
  const number = (tag: number): number | undefined => read(tag, (item) => readInteger(item.value, { lenient: true }));
  const state = number(0x9f70);
  return defined({
    iccid: read(0x5a, (item) => iccidDigits(item.value)),
    isdpAid: read(0x4f, (item) => toHex(item.value)),
    state: state === undefined ? undefined : state === 1 ? "enabled" : "disabled",
    profileClass: (["test", "provisioning", "operational"] as const)[number(0x95) ?? -1],
    nickname: text(0x90),
    serviceProviderName: text(0x91),
    profileName: text(0x92),
    fallbackAttribute: flag(0x9f26),
    fallbackAllowed: flag(0x9f67),
    ecallIndication: flag(0x9f7b),
  });
}

/** `record` without its undefined members. */
export function defined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
