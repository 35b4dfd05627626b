/**
 * The signed container of the agent (host/README.md, "Signed container"): made, read, verified. The C host does the same in
 * host/src/container.c; which slot runs and what is too old is decided there.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";

export const FORMAT = 1;
export const SECTION = { wasm: 1, sideTable: 2 } as const;
const MAGIC = "tIPA";
const SECTIONS = 72;
const SECTION_ENTRY = 12;
const SIGNATURE = 64;
const PAGE = 65_536;
const MOST_SECTIONS = 8;

/** Names of the refusals, as in host/include/ipa/err.h. */
export type ContainerProblem =
  | "IPA_ERR_IMAGE_MAGIC" | "IPA_ERR_IMAGE_FORMAT" | "IPA_ERR_IMAGE_KEY" | "IPA_ERR_IMAGE_HASH" | "IPA_ERR_IMAGE_SIGNATURE";

/** A container is refused: `code` as the C host names it, the message what was expected and what was got. */
export class ContainerError extends Error {
  constructor(readonly code: ContainerProblem, message: string) {
    super(`${code}: ${message}`);
  }
}

export interface ContainerParts {
  readonly wasm: Uint8Array;
  /** Side table of the in-place engine; hosts with another engine pass over it. */
  readonly sideTable?: Uint8Array | undefined;
  /** Of the agent; compared as a number, an older one is refused. */
  readonly version: number;
  readonly abi: number;
  /** Octets of linear memory, at most one page. */
  readonly memory: number;
  /** Octets of the VM's stack. */
  readonly stack: number;
}

export interface Container extends ContainerParts {
  readonly keyId: number;
  /** Octets of the whole. */
  readonly length: number;
  readonly headerLength: number;
  readonly sections: readonly { kind: number; offset: number; length: number }[];
  /** SHA-256 of the sections, as the header says it. */
  readonly hash: Uint8Array;
}

/** A key pair on P-256 that containers are signed with. */
export interface SigningKey {
  readonly key: KeyObject;
  /** 04 X Y, 65 octets. */
  readonly point: Uint8Array;
  readonly id: number;
}

/** Version a.b.c as the header's number, a and b up to 255, c up to 65535. Throws RangeError. */
export function versionNumber(text: string): number {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})$/.exec(text)?.slice(1).map(Number) ?? [];
  const [a, b, c] = parts;
  if (a === undefined || b === undefined || c === undefined || a > 255 || b > 255 || c > 65_535) throw new RangeError(`expected a version like 1.2.3, got "${text}"`);
  return (a * 256 + b) * 65_536 + c;
}

export function versionText(version: number): string {
  return `${version >>> 24}.${(version >>> 16) & 255}.${version & 65_535}`;
}

/** The public point of a P-256 key (PEM, private or public, or a KeyObject). Throws TypeError for another kind of key. */
export function publicPoint(pem: string | KeyObject): Uint8Array {
  const key = createPublicKey(pem);
  const { crv, x, y } = key.export({ format: "jwk" });
  if (crv !== "P-256" || x === undefined || y === undefined) throw new TypeError(`expected a key on P-256, got ${crv ?? key.asymmetricKeyType ?? "another kind"}`);
  return Uint8Array.from([4, ...Buffer.from(x, "base64url"), ...Buffer.from(y, "base64url")]);
}

/** The id of a key where none is given: the first four octets of the SHA-256 of its point. */
export function defaultKeyId(point: Uint8Array): number {
  return createHash("sha256").update(point).digest().readUInt32BE(0);
}

/** Takes a private key in PEM. Throws TypeError when it isn't one on P-256. */
export function signingKey(pem: string, id?: number): SigningKey {
  const key = createPrivateKey(pem);
  const point = publicPoint(key);
  return { key, point, id: id ?? defaultKeyId(point) };
}

const aligned = (n: number): number => (n + 7) & ~7;

/** Makes a container; the same parts and key give the same octets but for the signature. Throws RangeError for a number that doesn't fit. */
export function makeContainer(parts: ContainerParts, key: SigningKey): Uint8Array {
  const bodies = [{ kind: SECTION.wasm, content: parts.wasm }, ...(parts.sideTable === undefined ? [] : [{ kind: SECTION.sideTable, content: parts.sideTable }])];
  const headerLength = aligned(SECTIONS + bodies.length * SECTION_ENTRY) + SIGNATURE;
  checkNumbers(parts);
  const length = bodies.reduce((at, { content }) => aligned(at) + content.length, headerLength);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(MAGIC, "latin1"));
  view.setUint16(4, FORMAT, true);
  view.setUint16(6, headerLength, true);
  [length, parts.abi, parts.version, parts.memory, parts.stack, key.id].forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
  view.setUint32(64, bodies.length, true);
  let at = headerLength;
  bodies.forEach(({ kind, content }, i) => {
    at = aligned(at);
    [kind, at, content.length].forEach((value, k) => view.setUint32(SECTIONS + SECTION_ENTRY * i + 4 * k, value, true));
    bytes.set(content, at);
    at += content.length;
  });
  bytes.set(sha256(bytes.subarray(headerLength)), 32);
  bytes.set(sign("sha256", bytes.subarray(0, headerLength - SIGNATURE), { key: key.key, dsaEncoding: "ieee-p1363" }), headerLength - SIGNATURE);
  return bytes;
}

function checkNumbers({ wasm, sideTable, version, abi, memory, stack }: ContainerParts): void {
  const check = (name: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most) throw new RangeError(`expected ${name} from ${least} to ${most}, got ${value}`);
  };
  check("octets of wasm", wasm.length, 1, 0xff_ffff);
  if (sideTable !== undefined) check("octets of side table", sideTable.length, 1, 0xff_ffff);
  check("a version", version, 0, 0xffff_ffff);
  check("an ABI version", abi, 0, 0xffff_ffff);
  check("octets of linear memory", memory, 1, PAGE);
  check("octets of stack", stack, 0, PAGE);
}

/** Reads a container; nothing is verified. Throws ContainerError with IPA_ERR_IMAGE_MAGIC or IPA_ERR_IMAGE_FORMAT. */
export function readContainer(bytes: Uint8Array): Container {
  const fail = (what: string): never => {
    throw new ContainerError("IPA_ERR_IMAGE_FORMAT", what);
  };
  if (Buffer.from(bytes.subarray(0, 4)).toString("latin1") !== MAGIC) throw new ContainerError("IPA_ERR_IMAGE_MAGIC", `expected ${MAGIC}, got ${Buffer.from(bytes.subarray(0, 4)).toString("hex") || "nothing"}`);
  if (bytes.length < SECTIONS + SECTION_ENTRY + SIGNATURE) fail(`expected a header, got ${bytes.length} octets`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number): number => view.getUint32(at, true);
  if (view.getUint16(4, true) !== FORMAT) fail(`expected format ${FORMAT}, got ${view.getUint16(4, true)}`);
  const headerLength = view.getUint16(6, true), length = word(8), count = word(64);
  if (count < 1 || count > MOST_SECTIONS) fail(`expected 1 to ${MOST_SECTIONS} sections, got ${count}`);
  if (headerLength !== aligned(SECTIONS + count * SECTION_ENTRY) + SIGNATURE) fail(`expected a header for ${count} sections, got ${headerLength} octets`);
  if (length > bytes.length || length < headerLength) fail(`expected ${length} octets, got ${bytes.length}`);
  if (word(20) < 1 || word(20) > PAGE || word(24) > PAGE || word(68) !== 0) fail("a number of the header is out of range");
  const sections = Array.from({ length: count }, (_, i) => {
    const [kind, offset, octets] = [0, 4, 8].map((at) => word(SECTIONS + i * SECTION_ENTRY + at)) as [number, number, number];
    if (offset % 8 !== 0 || offset < headerLength || offset > length || octets > length - offset) fail(`section ${i} is not inside`);
    return { kind, offset, length: octets };
  });
  const only = (kind: number): Uint8Array | undefined => {
    const [one, another] = sections.filter((section) => section.kind === kind);
    if (another !== undefined || one?.length === 0) fail(`expected one section of kind ${kind} with content`);
    return one === undefined ? undefined : bytes.slice(one.offset, one.offset + one.length);
  };
  const wasm = only(SECTION.wasm) ?? fail("no section holds wasm");
  return {
    wasm, sideTable: only(SECTION.sideTable), abi: word(12), version: word(16), memory: word(20), stack: word(24), keyId: word(28),
    length, headerLength, sections, hash: bytes.slice(32, 64),
  };
}

/** Reads a container and checks hash and signature against the key. Throws ContainerError. */
export function verifyContainer(bytes: Uint8Array, point: Uint8Array, keyId: number = defaultKeyId(point)): Container {
  const container = readContainer(bytes);
  const { headerLength, length, hash } = container;
  if (container.keyId !== keyId) throw new ContainerError("IPA_ERR_IMAGE_KEY", `expected key ${idText(keyId)}, got ${idText(container.keyId)}`);
  if (Buffer.compare(sha256(bytes.subarray(headerLength, length)), hash) !== 0) throw new ContainerError("IPA_ERR_IMAGE_HASH", "the sections are not those that were signed");
  const signature = bytes.subarray(headerLength - SIGNATURE, headerLength);
  const holds = verify("sha256", bytes.subarray(0, headerLength - SIGNATURE), { key: publicKey(point), dsaEncoding: "ieee-p1363" }, signature);
  if (!holds) throw new ContainerError("IPA_ERR_IMAGE_SIGNATURE", `the signature does not hold for key ${idText(keyId)}`);
  return container;
}

export const idText = (id: number): string => `0x${id.toString(16).padStart(8, "0")}`;

function publicKey(point: Uint8Array): KeyObject {
  if (point.length !== 65 || point[0] !== 4) throw new TypeError(`expected a point of 65 octets beginning with 04, got ${point.length}`);
  const coordinate = (from: number): string => Buffer.from(point.subarray(from, from + 32)).toString("base64url");
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x: coordinate(1), y: coordinate(33) }, format: "jwk" });
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
