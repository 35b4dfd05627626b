/**
 * The mailbox, ABI 1.0: the contract with every host, byte by byte in host/README.md.
 * Frozen: a change here is a new ABI version.
 */

export const ABI_VERSION: i32 = 0x10000;

/** Payload octets that the mailbox holds. */
export const CAPACITY: u32 = 1024;

/** Offsets of the header's fields. */
export const enum Field {
  Kind = 0,
  Flags = 1,
  Aux = 2,
  Length = 4,
  WaitOrStatus = 8,
  Ref = 12,
  Arg0 = 16,
  Arg1 = 20,
  Payload = 24,
}

export const enum Op {
  Sleep = 1,
  UiccReset = 2,
  UiccOpen = 3,
  UiccTransmit = 4,
  UiccClose = 5,
  Bearer = 6,
  LinkOpen = 7,
  LinkSend = 8,
  LinkReceive = 9,
  LinkClose = 10,
  StoreRead = 11,
  StoreWrite = 12,
  Report = 13,
  Hash = 14,
}

export const enum Event {
  Start = 1,
  Done = 2,
  Wake = 3,
}

export const enum Flag {
  None = 0,
  First = 1, // LinkSend
  Last = 2, // LinkSend, Done
  CardReset = 4, // Done, Wake
  Idle = 1, // Sleep
  AfterRefresh = 1, // UiccReset
  FixedChannel = 1, // UiccOpen
  NoFci = 2, // UiccOpen
  Basic = 1, // UiccTransmit
  Restart = 1, // Bearer
}

export const enum WakeReason {
  Timer = 1,
  Poll = 2,
  StateChanged = 8,
  Bearer = 16,
}

export const enum Peer {
  Eim = 1,
  Smdp = 2,
}

export const enum Binding {
  EsipaHttps = 1,
  EsipaCoaps = 2,
  Es9pHttps = 3,
}

export const enum StoreKey {
  Package = 1,
  Endpoint = 2,
  StateChanges = 3,
  Parked = 4,
  Download = 5,
  Provision = 16,
}

export const enum Report {
  Started = 1,
  CardFailed = 2,
  NoEim = 3,
  PollEnded = 4,
  PackageExecuted = 5,
  ResultAccepted = 6,
  ProfileChanged = 7,
  RolledBack = 8,
  RollbackRefused = 9,
  DeviceRefused = 10,
  NotificationParked = 11,
  Associated = 12,
  AssociationRefused = 13,
  LoopGuard = 14,
  ProfileInstalled = 15,
  DownloadFailed = 16,
}

/** ipaFeatures (SGP.32 4.1; configuration 92), first octet of bits. */
export const enum Feature {
  Direct = 0x80,
  Indirect = 0x40,
  HeldByEim = 0x20,
  VerifiedByEim = 0x08,
}

/** Bits of configuration tag 81. */
export const enum Switch {
  RefreshFalse = 1 << 0,
  NoInfo = 1 << 1,
  NoFci = 1 << 2,
  FixedChannel = 1 << 3,
  RemoveOwnEpr = 1 << 4,
  NoCardReset = 1 << 5,
  LegacyTags = 1 << 6,
  OnePackage = 1 << 7,
  ProprietaryGetResponse = 1 << 8,
  NoBundle = 1 << 9,
  NoDataRemoval = 1 << 10,
  HostAddress = 1 << 11,
  NoOidCheck = 1 << 12,
  ImmediateEnable = 1 << 13,
}
