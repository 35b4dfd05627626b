/**
 * The eUICC's eIM configuration (procedures 1.5, 2, 21.1): Eims reads the list and prepares the endpoint of the eIM that is due;
 * Associate loads the provisioned AddInitialEim request into an eUICC without eIMs.
 */
import { CAPACITY, Report, StoreKey } from "../abi";
import { ask } from "../apdu";
import { beginList, dueEntry, EimFlag, endList, entryHash, hasFlag, walkConfigurations } from "../eims";
import { answerIs, askEmpty, wholeAnswerIs } from "../es10";
import { call, leave, Must, next, Proc } from "../flow";
import { takeEndpointRecord } from "../journal";
import { report, storeRead } from "../mailbox";
import { E, PAYLOAD, R, S, T, WORK, WORK_SIZE } from "../memory";
import { Status } from "../status";
import { Tag } from "../tags";
import { child, isRow, readTlv, uint } from "../tlv";

/**
 * Leaves with the number of eIMs; R.eim is the one that is due, 0 when none is.
 * A list that is too long for memory is read again for its next part: once through for the table, once more for the endpoint.
 */
export function eims(at: u32, r: i32): void {
  switch (at) {
    case 0:
      beginList();
      S.offset = S.wanted = 0;
    case 1:
      askEmpty(Tag.GetEimConfigurationData, WORK);
      S.skip = S.offset;
      S.window = S.offset ? 1 : 0;
      return call(Proc.Card, 2 | Must);
    case 2: {
      if (!S.offset && !answerIs(Tag.GetEimConfigurationData)) return leave(Status.CardMalformed);
      const rest = walkConfigurations(WORK, R.fill, S.wanted);
      S.offset += <u32>(rest - WORK);
      if (S.offset < <u32>r && rest > WORK && !(S.wanted && S.reachable)) return next(1);
      if (S.wanted) return next(3);
      endList();
      S.tableStale = 0;
      R.eim = dueEntry();
      if (!R.eim) return leave(R.eims);
      S.eimHash = S.wanted = entryHash(R.eim);
      S.reachable = S.eimIdLen = S.ciPkIdLen = 0;
      if (hasFlag(R.eim, EimFlag.Departed)) return storeRead(4, StoreKey.Endpoint, 0);
      if (R.answerLen == <u32>(R.fill - WORK)) {
        walkConfigurations(WORK, R.fill, S.wanted); // all of it is here
        return next(3);
      }
      S.offset = 0;
      return next(1);
    }
    case 3:
      return leave(R.eims);
    default:
      takeEndpointRecord();
      return leave(R.eims);
  }
}

/** Leaves with the number of eIMs that were associated; 0 when there is nothing provisioned, or it was refused. */
export function associate(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.offset = 0;
    case 1:
      return storeRead(2, StoreKey.Provision, S.offset);
    case 2:
      if (r < 0 || E.length > WORK_SIZE - CAPACITY - S.offset) return leave(0);
      memory.copy(WORK + S.offset, PAYLOAD, E.length);
      S.offset += E.length;
      if (!(E.flags & 2) && E.length) return next(1);
      // the answer goes behind the command: a lost channel may ask for it again
      if (!isWhole()) return report(4, Report.AssociationRefused, <u32>Status.BadEvent);
      ask(WORK, S.offset, WORK + S.offset);
      return call(Proc.Card, 3 | Must);
    case 3: {
      if (!wholeAnswerIs(Tag.AddInitialEim)) return leave(Status.CardMalformed);
      const p = T.val, end = T.next;
      if (readTlv(p, end) && T.tag == Tag.C1) return report(4, Report.AssociationRefused, uint());
      let count: u32 = 0;
      if (T.tag == Tag.X0 && isRow(T.val, end)) {
        readTlv(p, end);
        let q = T.val;
        while (readTlv(q, end)) {
          q = T.next;
          count++;
        }
      }
      return report(5, Report.Associated, count);
    }
    case 4:
      return leave(0);
    default:
      return leave(1);
  }
}

function isWhole(): bool {
  return readTlv(WORK, WORK + S.offset) && T.tag == Tag.AddInitialEim && T.next == WORK + S.offset && child(Tag.X0);
}
