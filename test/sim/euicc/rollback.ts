/**
 * ES10b.ProfileRollback (SGP.32 v1.2 3.3.2, 5.9.16): back to the Profile that was enabled before a package with rollbackFlag.
 */
import { concat, utf8 } from "../core/bytes.js";
import { integer, tlv, type Tlv } from "../codec/tlv.js";
import { catBusy, profileByIccid, refuse, type Context } from "./context.js";
import { eimById } from "./eim-config.js";
import { storeEpr, takeSeqNumber } from "./notifications.js";
import { signedResult } from "./package.js";
import type { Profile, RollbackGrant } from "./state.js";
import { readRefreshFlag, switchProfile } from "./switching.js";

enum Code {
  Ok = 0,
  RollbackNotAllowed = 1,
  CatBusy = 5,
  CommandError = 7,
}

/** BF58. The new EPR takes the place of the first one: same counter and transaction, new seqNumber, result 8C 01 00 alone. */
export function profileRollback(ctx: Context, command: Tlv): Uint8Array {
  const answer = (code: Code, why: string): Uint8Array => tlv(0xbf58, cmdResult(ctx, refuse(ctx, "ProfileRollback", code, why)));
  const refresh = readRefreshFlag(ctx, command, "ProfileRollback");
  if (refresh === undefined) return tlv(0xbf58, cmdResult(ctx, Code.CommandError));
  const grant = ctx.state.nonvolatile.rollback;
  const target = profileByIccid(ctx.state.nonvolatile, grant?.target ?? null);
  if (grant === null || target === undefined) return answer(Code.RollbackNotAllowed, "no rollback is granted");
  if (catBusy(ctx)) return answer(Code.CatBusy, "fault cat-busy");
  const epr = rollBack(ctx, grant, target, refresh);
  return tlv(0xbf58, cmdResult(ctx, Code.Ok), epr);
}

function rollBack(ctx: Context, grant: RollbackGrant, target: Profile, refresh: boolean): Uint8Array {
  const nonvolatile = ctx.state.nonvolatile;
  const seqNumber = takeSeqNumber(ctx);
  const data = tlv(
    0x30,
    tlv(0x80, utf8(grant.eimId)),
    tlv(0x81, integer(grant.counterValue)),
    grant.transactionId === undefined ? concat() : tlv(0x82, grant.transactionId),
    tlv(0x83, integer(seqNumber)),
    tlv(0x30, tlv(0x8c, [0])),
  );
  const epr = signedResult(ctx, eimById(ctx, grant.eimId), 0xa0, data);
  nonvolatile.pending = nonvolatile.pending.filter((one) => one.seqNumber !== grant.eprSeqNumber);
  storeEpr(ctx, seqNumber, epr);
  nonvolatile.rollback = null;
  switchProfile(ctx, target, { notify: true, refresh });
  return epr;
}

function cmdResult(ctx: Context, code: number): Uint8Array {
  return tlv(ctx.config.quirks.has("rollback-result-80") ? 0x80 : 0x02, [code]);
}
