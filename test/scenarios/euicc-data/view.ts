/**
 * What scenarios of IpaEuiccDataRequest share (SGP.32 v1.2 2.11.1.2, 3.4): what the answer must be, put together from what the card answers when it
 * is asked directly and from what the device was configured with. Nothing here reads the agent's code or its answers.
 */
import { concat, fromHex, toHex } from "../../sim/core/bytes.js";
import { bits, find, readAll, readOne, tlv, type Tlv } from "../../sim/codec/tlv.js";
import { behaviours, OPERATIONAL, psmo, type Euicc, type World } from "../../sim/index.js";
import { PROVIDE_RESULT } from "../esipa-view.js";

/** Tags of IpaEuiccData in the order of the type; 87 is eimTransactionId. */
export const ORDER = [0xa0, 0x81, 0xa2, 0xbf20, 0xbf22, 0x83, 0x84, 0xa5, 0xa6, 0x87, 0xa8, 0xa9];
/** Those that may stand in a tagList. */
export const TAGS = ORDER.filter((tag) => tag !== 0x87);

/** IpaCapabilities of this agent over HTTPS: ipaFeatures without any download function, ipaSupportedProtocols retrieveHttps. */
export const CAPABILITIES = tlv(0xa8, tlv(0x80, bits(1, 2, 3)), tlv(0x81, bits(0)));

/** IMEI that a world configures when nothing is said. */
export const WORLD_IMEI = "356938035643809";

/** DeviceInfo (SGP.22 v2.5 4.2) of an IMEI of 15 digits: digits swapped in pairs, but in the last octet the check digit comes first. */
export function deviceInfo(imei: string, capabilities: Uint8Array = new Uint8Array(0)): Uint8Array {
  const swapped = (digits: string): string => digits.replace(/(.)(.)/g, "$2$1");
  return tlv(0xa9, tlv(0x80, fromHex(swapped(imei.slice(0, 8)))), tlv(0xa1, capabilities), tlv(0x82, fromHex(swapped(imei.slice(0, 14)) + `${imei[14]}F`)));
}

/** Asks a card directly, on a channel of its own after a reset: one STORE DATA, and GET RESPONSE until all is there. */
export function ask(card: Pick<Euicc, "powerCycle" | "transmit">, command: string): Uint8Array {
  card.powerCycle();
  card.transmit(fromHex("80AA000008A906830107840101"));
  card.transmit(fromHex("0070000001"));
  card.transmit(fromHex("01A4040010A0000005591010FFFFFFFF8900000100"));
  const data = fromHex(command);
  const parts: Uint8Array[] = [];
  let response = card.transmit(concat(Uint8Array.of(0x81, 0xe2, 0x91, 0x00, data.length), data));
  for (;;) {
    parts.push(response.subarray(0, -2));
    const [sw1, sw2] = [response.at(-2) ?? 0, response.at(-1) ?? 0];
    if (sw1 !== 0x61) return concat(...parts);
    response = card.transmit(Uint8Array.of(0x01, 0xc0, 0x00, 0x00, sw2));
  }
}

/** As `ask`, to a copy of the world's card as it is now. */
export function askCopy(world: World, command: string): Uint8Array {
  return ask(world.fork().euicc, command);
}

const LENIENT = { lenient: true } as const;

function members(answer: Uint8Array): Tlv[] {
  return readAll(readOne(answer, undefined, LENIENT).value, LENIENT);
}

function inside(items: readonly Tlv[], tag: number): Tlv[] {
  return items.flatMap((item) => (item.tag === tag ? readAll(item.value, LENIENT) : []));
}

function retagged(tag: number, item: Tlv | undefined): Uint8Array | undefined {
  return item && tlv(tag, item.value);
}

/** What there is on the world's card and in its device, by tag; what does not exist is not in it. */
export function items(world: World, device: Uint8Array = deviceInfo(WORLD_IMEI)): Map<number, Uint8Array> {
  const addresses = members(askCopy(world, "BF3C00"));
  const certificates = members(askCopy(world, "BF5600"));
  const list = (command: string, tag: number): Uint8Array => find(members(askCopy(world, command)), tag)?.raw ?? tlv(tag);
  const configurations = inside(members(askCopy(world, "BF5500")), 0xa0);
  const found: [number, Uint8Array | undefined][] = [
    [0xa0, list("BF2B00", 0xa0)],
    [0x81, retagged(0x81, find(addresses, 0x80))],
    [0xa2, list("BF2B04A0028200", 0xa2)],
    [0xbf20, askCopy(world, "BF2000")],
    [0xbf22, askCopy(world, "BF2200")],
    [0x83, retagged(0x83, find(addresses, 0x81))],
    [0x84, find(readAll(configurations[0]?.value ?? new Uint8Array(0)), 0x84)?.raw],
    [0xa5, find([...inside(certificates, 0xa0), ...inside(certificates, 0xa1)], 0xa5)?.raw],
    [0xa6, find([...inside(certificates, 0xa0), ...inside(certificates, 0xa1)], 0xa6)?.raw],
    [0xa8, CAPABILITIES],
    [0xa9, device],
  ];
  return new Map(found.filter((entry): entry is [number, Uint8Array] => entry[1] !== undefined));
}

/** Body of ProvideEimPackageResult with IpaEuiccData: the items asked for in the order of the type, and eimTransactionId. */
export function dataBody(world: World, all: ReadonlyMap<number, Uint8Array>, tags: readonly number[], transactionId: string | undefined): string {
  const id = transactionId === undefined ? [] : [tlv(0x87, fromHex(transactionId))];
  const parts = ORDER.flatMap((tag) => (tag === 0x87 ? id : tags.includes(tag) ? [all.get(tag) ?? new Uint8Array(0)] : []));
  return toHex(tlv(PROVIDE_RESULT, tlv(0x5a, fromHex(world.eid)), tlv(0xbf52, tlv(0xa0, ...parts))));
}

/** Body with an error: BF50{5A, BF52{A1{80 eimTransactionId, 02 code}}}. */
export function errorBody(world: World, code: number, transactionId: string | undefined): string {
  const id = transactionId === undefined ? new Uint8Array(0) : tlv(0x80, fromHex(transactionId));
  return toHex(tlv(PROVIDE_RESULT, tlv(0x5a, fromHex(world.eid)), tlv(0xbf52, tlv(0xa1, id, tlv(0x02, [code])))));
}

/** Bodies of ProvideEimPackageResult that this eIM got, in hexadecimal. */
export function bodies(eim: World["eim"]): string[] {
  return eim.seen.filter((exchange) => exchange.function === "ProvideEimPackageResult").map((exchange) => exchange.request);
}

/** The eIM takes what it gets and acknowledges nothing, and refuses notifications: what is on the card stays there. */
export function keepAll(world: World): void {
  for (const eim of world.eims) {
    eim.use(behaviours.emptyAcknowledgement());
    eim.use(behaviours.forFunction(0xbf3d, behaviours.status(400)));
  }
}

/** An enable that leaves an EPR and its notifications on the card; `keepAll` must be in use. */
export function leaveSomething(world: World): void {
  world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
}
