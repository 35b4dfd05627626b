/**
 * The library of misbehaving: each function gives one Behaviour for `eim.use()`. Those that answer in the eIM's place leave its queue and its
 * records alone; those that change the answer come after the eIM has done its work. `once`, `nth` and `forFunction` narrow any of them.
 */
import { concat } from "../core/bytes.js";
import type { EsipaResponse } from "../core/http.js";
import { integer, readAll, readInteger, readOne, tlv } from "../codec/tlv.js";
import type { Behaviour, BehaviourContext } from "./behaviour.js";
import { answer } from "./binding.js";
import { eimPackageError as encodeEimPackageError } from "./functions/get-eim-package.js";
import { eimAcknowledgements, provideEimPackageResultError } from "./functions/provide-eim-package-result.js";

const EMPTY = new Uint8Array(0);
const GET_EIM_PACKAGE = 0xbf4f;
const PROVIDE_RESULT = 0xbf50;
const ADMIN_PROTOCOL = "gsma/rsp/v2.1.0";

const NOTHING: EsipaResponse = { status: 0, headers: {}, body: EMPTY };

/** Answers with an HTTP status and no body. retryAfter in seconds. */
export function status(code: number, options: { retryAfter?: number } = {}): Behaviour {
  const headers = options.retryAfter === undefined ? {} : { "retry-after": String(options.retryAfter) };
  return { name: `status(${code})`, answer: () => ({ status: code, headers, body: EMPTY }) };
}

/** The eIM answers, `ms` later. */
export function lateBy(ms: number): Behaviour {
  return { name: `lateBy(${ms})`, response: (response) => ({ ...response, delayMs: (response.delayMs ?? 0) + ms }) };
}

/** Never answers, the connection stays open: the request is lost. */
export function silent(): Behaviour {
  return { name: "silent()", answer: () => ({ ...NOTHING, silent: true }) };
}

/** Closes the connection instead of answering: the request is lost. */
export function drop(): Behaviour {
  return { name: "drop()", answer: () => ({ ...NOTHING, drop: true }) };
}

/** The eIM does its work, and the answer is lost: by a closed connection, or by silence. */
export function lostAnswer(how: "drop" | "silent" = "drop"): Behaviour {
  return { name: `lostAnswer(${how})`, response: (response) => ({ ...response, [how]: true }) };
}

/** The answer breaks off after so many octets of its body. */
export function truncated(octets: number): Behaviour {
  return { name: `truncated(${octets})`, response: (response) => ({ ...response, truncateTo: octets }) };
}

/** 200 without the TLV that it must have. */
export function emptyBody(): Behaviour {
  return changeBody("emptyBody()", () => EMPTY);
}

/** Another outer tag on the answer. */
export function wrongTag(tag = 0xbf7e): Behaviour {
  return changeBody(`wrongTag(${tag.toString(16).toUpperCase()})`, (body) => tlv(tag, readOne(body).value));
}

/** Octets behind the one data object. */
export function trailingGarbage(garbage: Uint8Array = Uint8Array.of(0xde, 0xad, 0xbe, 0xef)): Behaviour {
  return changeBody("trailingGarbage()", (body) => concat(body, garbage));
}

export function wrongContentType(type = "text/html"): Behaviour {
  return { name: `wrongContentType(${type})`, response: (response) => ({ ...response, headers: { ...response.headers, "content-type": type } }) };
}

/** A body of the right tag with `octets` of content that nobody needs. */
export function oversized(octets: number): Behaviour {
  return changeBody(`oversized(${octets})`, (body) => tlv(readOne(body).tag, tlv(0x04, new Uint8Array(octets))));
}

/** 302 to another place. */
export function redirect(location = "https://other.example.com/gsma/rsp2/asn1"): Behaviour {
  return { name: "redirect()", answer: () => ({ status: 302, headers: { location }, body: EMPTY }) };
}

/** GetEimPackage is answered with an eimPackageError. */
export function eimPackageError(code: number): Behaviour {
  return forFunction(GET_EIM_PACKAGE, { name: `eimPackageError(${code})`, answer: () => answer(encodeEimPackageError(code), ADMIN_PROTOCOL) });
}

/** GetEimPackage is answered with a package of a tag that the standard does not know. */
export function unknownPackage(der: Uint8Array = tlv(0xbf7f, tlv(0x80, [1]))): Behaviour {
  return gives("unknownPackage()", () => der);
}

/** Kinds of packages that are none. */
export type Malformed =
  | "packageEmpty"
  | "packageWithoutSignature"
  | "packageWithoutCounter"
  | "packageWithoutEid"
  | "packageWithoutList"
  | "packageCutOff"
  | "dataRequestWithoutTagList"
  | "dataRequestCutOff"
  | "triggerWithUnknownAlternative"
  | "triggerWithEmptyChoice"
  | "triggerWithBadActivationCode"
  | "triggerCutOff";

/** eimTransactionId of every malformed package, where it is readable. */
export const MALFORMED_TRANSACTION_ID = Uint8Array.of(0xba, 0xd0, 0xba, 0xd0);

/** GetEimPackage is answered with a package that does not decode; made up, the queue stays as it is. */
export function malformedPackage(kind: Malformed): Behaviour {
  return gives(`malformedPackage(${kind})`, (context) => malformed(kind, context.device?.eid));
}

/** GetEimPackage gives the package again that it gave last, whatever became of it. Before the first one: as usual. */
export function replayedPackage(): Behaviour {
  return gives("replayedPackage()", (context) => context.device?.lastGiven);
}

/** ProvideEimPackageResult is refused with this code; the eIM does not take the result. */
export function resultError(code: number): Behaviour {
  return forFunction(PROVIDE_RESULT, { name: `resultError(${code})`, answer: () => answer(provideEimPackageResultError(code), ADMIN_PROTOCOL) });
}

/** The eIM takes the result and acknowledges nothing. */
export function emptyAcknowledgement(): Behaviour {
  return forFunction(PROVIDE_RESULT, changeBody("emptyAcknowledgement()", () => eimAcknowledgements([])));
}

/** The eIM takes the result and acknowledges only these of the numbers in it. */
export function acknowledgeOnly(numbers: readonly number[]): Behaviour {
  return forFunction(PROVIDE_RESULT, changeBody(`acknowledgeOnly(${numbers.join(",")})`, (body) => eimAcknowledgements(acknowledged(body).filter((number) => numbers.includes(number)))));
}

/** The eIM takes the result and acknowledges exactly these numbers, whether they were in it or not. */
export function acknowledge(numbers: readonly number[]): Behaviour {
  return forFunction(PROVIDE_RESULT, changeBody(`acknowledge(${numbers.join(",")})`, () => eimAcknowledgements(numbers)));
}

/** Only in the first exchange that it would take part in. */
export function once(behaviour: Behaviour): Behaviour {
  return { ...nth(1, behaviour), name: `once(${behaviour.name})` };
}

/** Only in the n-th exchange (from 1) that it would take part in. */
export function nth(n: number, behaviour: Behaviour): Behaviour {
  return narrowed(`nth(${n}, ${behaviour.name})`, behaviour, (context) => {
    if (behaviour.applies?.({ ...context, memory: context.memory.within("inner") }) === false) return false;
    const count = context.memory.get("count") + 1;
    context.memory.set("count", count);
    return count === n;
  });
}

/** Only for requests with this tag. */
export function forFunction(tag: number, behaviour: Behaviour): Behaviour {
  return narrowed(
    `forFunction(${tag.toString(16).toUpperCase()}, ${behaviour.name})`,
    behaviour,
    (context) => context.function === tag && behaviour.applies?.({ ...context, memory: context.memory.within("inner") }) !== false,
  );
}

function narrowed(name: string, behaviour: Behaviour, applies: (context: BehaviourContext) => boolean): Behaviour {
  const inside = (context: BehaviourContext): BehaviourContext => ({ ...context, memory: context.memory.within("inner") });
  return {
    name,
    applies,
    ...(behaviour.request && { request: (request, context) => behaviour.request?.(request, inside(context)) ?? request }),
    ...(behaviour.answer && { answer: (request, context) => behaviour.answer?.(request, inside(context)) }),
    ...(behaviour.response && { response: (response, context) => behaviour.response?.(response, inside(context)) ?? response }),
  };
}

/** Changes the body of an answer that has one. */
function changeBody(name: string, change: (body: Uint8Array) => Uint8Array): Behaviour {
  return { name, response: (response) => (response.status === 200 && response.body.length > 0 ? { ...response, body: change(response.body) } : response) };
}

/** Answers GetEimPackage with a package made up here; undefined leaves it to the eIM. */
function gives(name: string, make: (context: BehaviourContext) => Uint8Array | undefined): Behaviour {
  const reply = (context: BehaviourContext): EsipaResponse | undefined => {
    const der = make(context);
    return der && answer(tlv(GET_EIM_PACKAGE, der), ADMIN_PROTOCOL);
  };
  return { ...forFunction(GET_EIM_PACKAGE, { name, answer: (_request, context) => reply(context) }), name };
}

function acknowledged(body: Uint8Array): number[] {
  const [inside] = readAll(readOne(body).value);
  return inside?.tag === 0xbf53 ? readAll(inside.value).map((item) => readInteger(item.value)) : [];
}

function malformed(kind: Malformed, eid = "0".repeat(32)): Uint8Array {
  const id = tlv(0x80, [0x65]);
  const eidValue = tlv(0x5a, Uint8Array.from(eid.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
  const counter = tlv(0x81, integer(1));
  const transaction = tlv(0x82, MALFORMED_TRANSACTION_ID);
  const list = tlv(0xa0, tlv(0xa6));
  const signature = tlv(0x5f37, new Uint8Array(64));
  const good = tlv(0x30, id, eidValue, counter, transaction, list);
  switch (kind) {
    case "packageEmpty":
      return tlv(0xbf51);
    case "packageWithoutSignature":
      return tlv(0xbf51, good);
    case "packageWithoutCounter":
      return tlv(0xbf51, tlv(0x30, id, eidValue, transaction, list), signature);
    case "packageWithoutEid":
      return tlv(0xbf51, tlv(0x30, id, counter, transaction, list), signature);
    case "packageWithoutList":
      return tlv(0xbf51, tlv(0x30, id, eidValue, counter, transaction), signature);
    case "packageCutOff":
      return tlv(0xbf51, good, Uint8Array.of(0x5f, 0x37, 0x40, 0x11));
    case "dataRequestWithoutTagList":
      return tlv(0xbf52, tlv(0x83, MALFORMED_TRANSACTION_ID));
    case "dataRequestCutOff":
      return tlv(0xbf52, Uint8Array.of(0x5c, 0x05, 0xbf));
    case "triggerWithUnknownAlternative":
      return tlv(0xbf54, tlv(0xa0, tlv(0x87, [1])), transaction);
    case "triggerWithEmptyChoice":
      return tlv(0xbf54, tlv(0xa0), transaction);
    case "triggerWithBadActivationCode":
      return tlv(0xbf54, tlv(0xa0, tlv(0x80, Uint8Array.from(Buffer.from("2$..")))), transaction);
    case "triggerCutOff":
      return tlv(0xbf54, Uint8Array.of(0xa0, 0x05, 0x80));
  }
}
