/**
 * Profile installation: the bound package, while it comes (SGP.22 2.5.5, 3.1.3.3; procedures 13).
 *
 *   headers are read from the stream, each segment goes onto the eUICC as one command -> PIR
 *
 * The package is never in memory: its blocks go from the link to the card. Leaves with Loaded, or with what failed:
 * CardSw (the eUICC refused, or gave no result), BadBody, or the link's status.
 */
import { askStream } from "../apdu";
import { wholeAnswerIs } from "../es10";
import { call, leave, Loaded, next, Proc } from "../flow";
import { isExecuted } from "../json";
import { ERROR_RESPONSE, ERROR_RESPONSE_SIZE, S, T, W, WORK_BODY } from "../memory";
import { Status } from "../status";
import { beginStream, headSize, passOver, stage, STAGE, stageHead } from "../stream";
import { Tag } from "../tags";
import { writeTlv, writeTo } from "../tlv";

/** Where the parser stands. */
const enum Level {
  Response, // BF3A
  Choice, // A0 or 81
  Members, // 80, BF36
  SecureChannel, // BF23, with the header of BF36 in front
  Sequences, // A0, A1, A2, A3
  Children, // 88 or 86
  Error,
}

export function boundPackage(at: u32, r: i32): void {
  switch (at) {
    case 0:
      S.level = S.direct ? Level.Members : Level.Response;
      S.childrenLeft = 0;
      return drop(0);
    case 1:
      return parse();
    case 2: // another piece has come, or has not
      if (r >= 0) return next(1);
      return leave(S.direct && !isExecuted() && S.level == Level.Members ? Loaded.Nothing : r);
    default: // a segment was loaded
      if (r < 0) return leave(r > Status.BadEvent || r == Status.BadBody ? r : Status.CardSw);
      if (r > 0) return leave(wholeAnswerIs(Tag.ProfileInstallationResult) ? Loaded.Pir : Status.CardSw);
      if (!S.left) return leave(Status.CardSw); // the last one, and no result
      return next(1);
  }
}

/** Reads on: what is to be skipped, an error, or the next header, and acts on it. */
function parse(): void {
  S.skipLeft = passOver(S.skipLeft);
  if (S.skipLeft || (S.level == Level.Error && !stage(S.left))) return call(Proc.Pull, 2);
  if (S.level == Level.Error) return serverError();
  const r = stageHead();
  if (r < 0) return leave(Status.BadBody);
  if (!r) return call(Proc.Pull, 2);
  const tag = T.tag, len = T.len;
  switch (S.level) {
    case Level.Response:
      S.level = Level.Choice;
      return tag == Tag.GetBoundProfilePackage ? drop(0) : leave(Status.BadBody);
    case Level.Choice:
      S.left = len;
      S.level = tag == Tag.C1 && len < 5 ? Level.Error : Level.Members;
      if (S.level == Level.Error) {
        S.left = S.staged + len;
        return next(1);
      }
      return tag == Tag.X0 ? drop(0) : leave(Status.BadBody);
    case Level.Members:
      if (tag != Tag.BoundProfilePackage) return drop(len); // transactionId
      S.level = Level.SecureChannel;
      S.left = len;
      return next(1); // its header goes with the next element
    case Level.SecureChannel:
      S.level = Level.Sequences;
      return loadSegment(len, headSize() + len);
    case Level.Sequences:
      if (tag != Tag.X1 && tag != Tag.X3) return loadSegment(len, headSize() + len);
      S.childrenLeft = len;
      if (len) S.level = Level.Children;
      return loadSegment(0, headSize());
    default: {
      const whole = headSize() + len;
      S.childrenLeft = S.childrenLeft > whole ? S.childrenLeft - whole : 0;
      if (!S.childrenLeft) S.level = Level.Sequences;
      return loadSegment(len, whole);
    }
  }
}

/** The staged header, and `len` octets of content, are not for the eUICC. */
function drop(len: u32): void {
  beginStream();
  S.skipLeft = len;
  next(1);
}

/** What is staged and `content` octets more are one segment; `whole` octets of the package are done with it. */
function loadSegment(content: u32, whole: u32): void {
  S.left = S.left > whole ? S.left - whole : 0;
  askStream(S.staged + content, WORK_BODY, STAGE);
  S.headAt = 0;
  call(Proc.Card, 3);
}

/** getBoundProfilePackageError: 81 code, staged. */
function serverError(): void {
  writeTo(ERROR_RESPONSE, ERROR_RESPONSE + ERROR_RESPONSE_SIZE);
  writeTlv(Tag.GetBoundProfilePackage, STAGE, S.staged);
  S.errorLen = <u32>(W.at - ERROR_RESPONSE);
  S.left = 0;
  leave(Loaded.Error);
}
