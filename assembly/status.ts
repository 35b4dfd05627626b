/**
 * Outcome of anything that can fail: 0 or more is success, negative is one of these.
 * -1..-99 ours and the host's, -100..-199 the peer's fault, -200..-299 the eUICC's.
 */
export const enum Status {
  Ok = 0,

  // what a host answers (host/README.md)
  Unsupported = -1,
  Timeout = -2,
  NotFound = -3,
  Link = -4,
  NoCard = -7,
  NoIsdr = -8,
  Channel = -9,
  TooLarge = -11,

  // ours
  BadEvent = -20,
  Switched = -21, // not a failure: the profile changed, the session goes on after the card's reset
  NoEim = -22,

  // the eIM's
  HttpRefused = -110, // 3xx, 4xx
  HttpServer = -111, // 5xx, 429
  BadBody = -112, // not the one data object that this answer must be
  EimError = -113, // eimPackageError other than noEimPackageAvailable
  ResultRefused = -114, // provideEimPackageResultError
  LoopGuard = -115,

  // the eUICC's
  CardSw = -200, // a status word that refuses
  CardMalformed = -201, // not the data object that this answer must be
  ChannelLost = -202,
  CommandTooLong = -203, // more than 256 STORE DATA blocks
}
