/**
 * Download orders: made, found for an eUICC, moved on (SGP.22 v2.5 3.1.1, 3.1.2, 5.6.3).
 */
import { SimError } from "../core/errors.js";
import { must, readAll, readOne } from "../codec/tlv.js";
import type { SessionKeys } from "../bsp/index.js";
import { FunctionFailure, randomBytes, type Authenticated, type RspCore } from "../rsp/index.js";
import { compareVersions, iccidBytes, iccidDigits } from "../rsp/coding.js";
import { storeMetadata, type MetadataOptions } from "./metadata.js";
import { profileIccid, withIccid } from "./profile.js";
import type { BppOptions, DownloadSession, Order, SmdpState } from "./state.js";

export interface OrderOptions {
  /** Unprotected profile package. */
  readonly profile: Uint8Array;
  /** 18 to 20 digits; default: the one in the ProfileHeader. Goes into the metadata. */
  readonly iccid?: string;
  /** Put `iccid` into the ProfileHeader too (default: the package stays as it is). */
  readonly patchIccid?: boolean;
  /** Fields of the metadata, or the whole BF25, which then says the ICCID. */
  readonly metadata?: Omit<MetadataOptions, "iccid"> | Uint8Array;
  /** Empty or absent: for the default SM-DP+; `eid` is needed then. */
  readonly matchingId?: string;
  /** 32 digits: no other eUICC gets it. */
  readonly eid?: string;
  readonly confirmationCode?: string;
  /** true: keys are made; or the keys. */
  readonly ppk?: boolean | SessionKeys;
  /** Attempts after the first one. Default 10. */
  readonly maxRetries?: number;
  /** Wrong confirmation codes that are forgiven. Default 3. */
  readonly maxCodeRetries?: number;
  /** Default true; false: 8.2/3.7 when the eUICC has lost its one-time key. */
  readonly rebinding?: boolean;
  /** Default true; false: 8.2/1.2 until `release`. */
  readonly released?: boolean;
  /** Octets of memory it takes. Default: octets of the package. */
  readonly memory?: number;
  readonly tacs?: readonly string[];
  /** "2.3.1" */
  readonly profileVersion?: string;
  /** ms of the server's clock after which it has expired. */
  readonly expiresAt?: number;
  readonly bpp?: BppOptions;
}

export type SmdpCore = RspCore<DownloadSession> & { state: SmdpState };

/** Puts an order into the state. Throws TypeError, RangeError or SimError for options that don't fit. */
export function addOrder(core: SmdpCore, options: OrderOptions): Order {
  const { matchingId = "", eid, confirmationCode, tacs, profileVersion, expiresAt } = options;
  if (!/^[0-9A-Za-z-]*$/.test(matchingId)) throw new TypeError(`expected a matchingId of letters, digits and hyphens, got "${matchingId}"`);
  if (eid !== undefined && !/^[0-9]{32}$/.test(eid)) throw new TypeError(`expected an EID of 32 digits, got "${eid}"`);
  if (matchingId === "" && eid === undefined) throw new TypeError("expected an EID for an order without matchingId, got none");
  if (matchingId !== "" && findByMatchingId(core, matchingId) !== undefined) throw new SimError("order", `matchingId ${matchingId} is in use`, { matchingId });
  const { iccid, metadata } = identity(options);
  const ppk = options.ppk === true ? makePpk(core) : options.ppk;
  const order: Order = {
    id: core.state.nextOrder++,
    state: options.released === false ? "allocated" : "released",
    matchingId,
    ...(eid !== undefined && { eid }),
    iccid,
    profile: options.patchIccid === true ? withIccid(options.profile, iccid) : options.profile,
    metadata,
    ...(confirmationCode !== undefined && { confirmationCode }),
    ...(ppk && { ppk }),
    bpp: options.bpp ?? {},
    rebinding: options.rebinding ?? true,
    memory: options.memory ?? options.profile.length,
    ...(tacs && { tacs }),
    ...(profileVersion !== undefined && { profileVersion }),
    ...(expiresAt !== undefined && { expiresAt }),
    maxRetries: options.maxRetries ?? 10,
    attempts: 0,
    maxCodeRetries: options.maxCodeRetries ?? 3,
    codeFailures: 0,
    transactions: [],
  };
  core.state.orders.set(order.id, order);
  return order;
}

/** Puts a changed record in the place of the order. */
export function updateOrder(core: SmdpCore, order: Order, change: Partial<Order>): Order {
  const updated = { ...order, ...change };
  core.state.orders.set(order.id, updated);
  return updated;
}

/** The order that an authenticated eUICC may have now, its attempt counted. Throws FunctionFailure. */
export function claimOrder(core: SmdpCore, euicc: Authenticated): Order {
  const found = findOrder(core, euicc);
  const fail = (status: ConstructorParameters<typeof FunctionFailure>[0], reason: string): never => {
    throw new FunctionFailure(status, `order ${found.id}: ${reason}`, "SGP.22 v2.5 5.6.3");
  };
  const owner = found.bound?.eid ?? found.eid;
  if (owner !== undefined && owner !== euicc.eid) fail("8.1.1/3.8", `EID ${owner} expected, got ${euicc.eid}`);
  if (found.state === "allocated") fail("8.2/1.2", "the profile is not released yet");
  refuseExpired(core, found);
  if (found.attempts > found.maxRetries) {
    updateOrder(core, found, { state: "error", reason: "retries exceeded" });
    fail("8.8.5/6.4", `${found.maxRetries} retries allowed, all of them used`);
  }
  if (found.tacs !== undefined && !found.tacs.includes(euicc.context.tac)) fail("8.2.5/4.3", `TAC ${found.tacs.join(" or ")} expected, got ${euicc.context.tac}`);
  const version = found.profileVersion;
  if (version !== undefined && !euicc.info.profileVersions.some((one) => one.split(".")[0] === version.split(".")[0] && compareVersions(one, version) >= 0)) {
    fail("8.2.5/4.3", `profile package version ${version} expected, the eUICC takes ${euicc.info.profileVersions.join(", ")}`);
  }
  const free = euicc.info.freeMemory;
  if (free !== undefined && free < found.memory) fail("8.1/4.8", `${found.memory} octets of memory expected, ${free} are free`);
  return updateOrder(core, found, { attempts: found.attempts + 1 });
}

/** An order whose time is over becomes "expired". Throws FunctionFailure 8.8.5/4.10. */
export function refuseExpired(core: SmdpCore, order: Order): void {
  const { expiresAt } = order;
  if (order.state !== "expired" && (expiresAt === undefined || core.now() < expiresAt)) return;
  if (order.state !== "expired") updateOrder(core, order, { state: "expired" });
  throw new FunctionFailure("8.8.5/4.10", `order ${order.id} has expired`);
}

/** The order of an id. Throws SimError "order". */
export function orderOf(core: SmdpCore, id: number): Order {
  const order = core.state.orders.get(id);
  if (order === undefined) throw new SimError("order", `there is no order ${id}`, { id });
  return order;
}

/** Orders that can still be downloaded; an expired one stays findable, so that its own code tells it. */
const OPEN: readonly Order["state"][] = ["allocated", "released", "downloaded", "expired"];

function findOrder(core: SmdpCore, { eid, context }: Authenticated): Order {
  const { matchingId } = context;
  const section = "SGP.22 v2.5 5.6.3";
  if (matchingId === "") {
    const order = [...core.state.orders.values()].find((one) => one.matchingId === "" && one.eid === eid && OPEN.includes(one.state));
    if (order === undefined) throw new FunctionFailure("8.2.6/3.8", `no order without matchingId waits for EID ${eid}`, section);
    return order;
  }
  const order = findByMatchingId(core, matchingId);
  if (order === undefined) throw new FunctionFailure("8.2.6/3.8", `matchingId ${matchingId} is unknown`, section);
  // An order that ran out of retries keeps saying so.
  if (order.state === "error" && order.reason === "retries exceeded") throw new FunctionFailure("8.8.5/6.4", `order ${order.id}: all retries are used`, section);
  if (!OPEN.includes(order.state)) throw new FunctionFailure("8.2.6/3.8", `matchingId ${matchingId}: order ${order.id} is ${order.state}`, section);
  return order;
}

function findByMatchingId(core: SmdpCore, matchingId: string): Order | undefined {
  return [...core.state.orders.values()].find((order) => order.matchingId === matchingId);
}

function identity({ profile, iccid, metadata }: OrderOptions): { iccid: string; metadata: Uint8Array } {
  if (metadata instanceof Uint8Array) {
    const inside = iccidDigits(must(readAll(readOne(metadata, 0xbf25).value), 0x5a, "iccid").value);
    if (iccid !== undefined && inside !== iccid) throw new TypeError(`expected ICCID ${iccid} in the metadata, got ${inside}`);
    return { iccid: inside, metadata };
  }
  const digits = iccid ?? profileIccid(profile);
  // What the octets give back is the one spelling that later comparisons use.
  return { iccid: iccidDigits(iccidBytes(digits)), metadata: storeMetadata({ ...metadata, iccid: digits }) };
}

function makePpk(core: SmdpCore): SessionKeys {
  return { chain: randomBytes(core, 16), sEnc: randomBytes(core, 16), sMac: randomBytes(core, 16) };
}
