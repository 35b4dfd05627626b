/**
 * The RSP session of the card: GetEuiccChallenge begins one, CancelSession ends it (SGP.22 v2.5 5.7.7, 5.7.14), and how its functions fail.
 */
import { concat, equal, toHex } from "../../core/bytes.js";
import { PeerError } from "../../core/errors.js";
import { Rng } from "../../core/rng.js";
import { must, readAll, readInteger, tlv, type Tlv } from "../../codec/tlv.js";
import { sign } from "../../pki/keys.js";
import { oidBytes } from "../coding.js";
import { chainFor, refuse, takeFault, type Context } from "../context.js";
import type { Chain } from "../options.js";
import type { ServerContext } from "./state.js";

const CANCEL_REASONS: readonly number[] = [0, 1, 2, 3, 4, 5, 127];

enum CancelError {
  InvalidTransactionId = 5,
  UndefinedError = 127,
}

/** A function of the session that ends with one of its own codes. */
export class FunctionError extends PeerError {
  readonly result: number;
  constructor(result: number, why: string) {
    super("function", why, { who: "euicc", result });
    this.result = result;
  }
}

export function functionError(result: number, why: string): FunctionError {
  return new FunctionError(result, why);
}

/** Octets of the card's own chance, which goes on through power cuts. */
export function random(ctx: Context, octets: number): Uint8Array {
  const { nonvolatile } = ctx.state;
  const rng = new Rng(0);
  rng.state = [...nonvolatile.chance];
  const out = rng.bytes(octets);
  nonvolatile.chance = rng.state;
  return out;
}

/** Nothing is left of the session and of what it has loaded. */
export function endSession(ctx: Context): void {
  ctx.state.volatile.session = null;
  ctx.state.volatile.loading = null;
}

/** The package is lost, the session stays for CancelSession. */
export function abandonLoading(ctx: Context): void {
  const { volatile } = ctx.state;
  volatile.loading = null;
  if (volatile.session !== null) volatile.session = Object.freeze({ ...volatile.session, prepared: null });
}

/** A channel was closed, or something was selected on it. */
export function channelLost(ctx: Context, logicalChannel: number): void {
  if (ctx.config.download.channelBound && ctx.state.volatile.loading?.logicalChannel === logicalChannel) abandonLoading(ctx);
}

/** The chain under which the card signs in a session. */
export function signer(ctx: Context, server: ServerContext): Chain {
  return chainFor(ctx, server.ciPkId) ?? ctx.config.chains[0];
}

/** A code that a fault asks for. Throws FunctionError. */
export function faultCode(ctx: Context, tag: number): void {
  const fault = takeFault(ctx, "code", tag);
  if (fault !== undefined) throw functionError(fault.code, "fault code");
}

/** BF2E. */
export function getEuiccChallenge(ctx: Context): Uint8Array {
  endSession(ctx);
  const challenge = random(ctx, 16);
  ctx.state.volatile.session = Object.freeze({ challenge, server: null, prepared: null });
  return tlv(0xbf2e, tlv(0x80, challenge));
}

/** BF41. */
export function cancelSession(ctx: Context, command: Tlv): Uint8Array {
  const items = readAll(command.value);
  const transactionId = must(items, 0x80, "transactionId").value;
  const reason = readInteger(must(items, 0x81, "reason").value);
  const server = ctx.state.volatile.session?.server ?? null;
  try {
    faultCode(ctx, 0xbf41);
    if (server === null) throw functionError(CancelError.InvalidTransactionId, "no session with an authenticated server is there");
    if (!equal(server.transactionId, transactionId)) {
      throw functionError(CancelError.InvalidTransactionId, `the session is ${toHex(server.transactionId)}, got ${toHex(transactionId)}`);
    }
    if (!CANCEL_REASONS.includes(reason)) throw functionError(CancelError.UndefinedError, `reason ${reason} is unknown`);
    endSession(ctx);
    return tlv(0xbf41, tlv(0xa0, cancelSigned(ctx, server, reason)));
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    return tlv(0xbf41, tlv(0x81, [refuse(ctx, "CancelSession", error.result, error.message)]));
  }
}

function cancelSigned(ctx: Context, server: ServerContext, reason: number): Uint8Array {
  const signed = tlv(0x30, tlv(0x80, server.transactionId), tlv(0x81, oidBytes(server.oid)), tlv(0x82, [reason]));
  return concat(signed, tlv(0x5f37, sign(signer(ctx, server).key, signed)));
}
