/**
 * Profile Rollback (SGP.32 v1.2 3.3.2, ES10b.ProfileRollback 5.9.16; procedures 5): the result of an enable with rollbackFlag can't be delivered.
 *
 *   ProfileRollback --0--> record removed -> reset -> (a new session delivers the new EPR)
 *                   --5 catBusy--> three tries, 5 s apart, then after longer and longer times    --no answer--> card reset, and the same
 *                   --else--> record removed: the first EPR is kept and delivered later
 */
import { Op, Report, StoreKey, Switch } from "../abi";
import { clearFlag, EimFlag, entryOf, noteStateChange, setDue, setFlag, writeStateChanges } from "../eims";
import { backoff } from "../config";
import { askWith, readEpr, wholeAnswerIs } from "../es10";
import { call, leave, Proc } from "../flow";
import { removePackage } from "../journal";
import { plainOp, report, sleep, storeWrite } from "../mailbox";
import { PAYLOAD, R, S, T, WORK_BODY } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { child, size } from "../tlv";

const CAT_BUSY: i32 = 5;
const NO_ANSWER: i32 = -1;

export function rollback(at: u32, r: i32): void {
  switch (at) {
    case 0: {
      store<u32>(PAYLOAD, R.switches & Switch.RefreshFalse ? 0x000180 : 0xff0180); // 80 01 refreshFlag
      askWith(Tag.ProfileRollback, PAYLOAD, 3, WORK_BODY);
      return call(Proc.Card, 1);
    }
    case 1: {
      let code: i32 = 127;
      if (r >= 0 && wholeAnswerIs(Tag.ProfileRollback)) code = cmdResult();
      else if (r != Status.CardSw || S.rollbackTries < 2) code = NO_ANSWER; // a status word may pass; three of them are a refusal
      if (!code) return report(2, Report.RolledBack, S.journalCounter);
      const tries = ++S.rollbackTries;
      if (code == CAT_BUSY && tries < 3) return sleep(0, 5, 0);
      if (code != CAT_BUSY && code != NO_ANSWER) return report(5, Report.RollbackRefused, code);
      // not refused: the grant stands, and without it the device may never be reached again; but the card is left in peace for longer and longer
      S.watchUntil = R.seconds + backoff(tries);
      if (code == NO_ANSWER) S.cardSick = 1;
      return report(7, Report.RollbackRefused, code);
    }
    case 2:
      noteStateChange(0, R.journalHash);
      return storeWrite(3, StoreKey.StateChanges, writeStateChanges());
    case 3: {
      const e = entryOf(R.journalHash);
      if (e) {
        setFlag(e, EimFlag.Results);
        setDue(e, R.seconds);
      }
      return removePackage(R.switches & Switch.NoCardReset ? 6 : 4);
    }
    case 4:
      return call(Proc.Switch, 7);
    case 5:
      return removePackage(7);
    case 6: // the link was never lost: the new EPR can go at once
      if (!wholeAnswerIs(Tag.ProfileRollback) || !child(Tag.EuiccPackage)) return leave(0);
      R.eprAt = T.at;
      S.eprLen = size();
      if (!readEpr()) return leave(0);
      return call(Proc.Deliver, 8);
    case 8:
      setDue(R.eim, R.seconds + S.pollPeriod);
      if (r >= 0) clearFlag(R.eim, EimFlag.Results);
      if (!S.linkOpen) return leave(0);
      S.linkOpen = 0;
      return plainOp(7, Op.LinkClose);
    default:
      return leave(0);
  }
}

/** cmdResult has the universal tag, but some answer 80 (types 6). */
function cmdResult(): i32 {
  if (!child(Tag.Integer) && !(wholeAnswerIs(Tag.ProfileRollback) && child(Tag.C0))) return NO_ANSWER;
  return T.len == 1 ? load<u8>(T.val) : 127;
}
