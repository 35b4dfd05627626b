/**
 * The agent's mailbox, as the Node host sees it: ABI 1.0, written from host/README.md and not from assembly/
 * (abi.test.ts reads both and finds them equal).
 */
export const ABI_VERSION = 0x10000;

/** Byte offsets in the mailbox (little-endian). */
export const Mailbox = { kind: 0, flags: 1, aux: 2, length: 4, wait: 8, status: 8, ref: 12, arg0: 16, arg1: 20, payload: 24 } as const;

export enum Op {
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

export enum Event {
  Start = 1,
  Done = 2,
  Wake = 3,
}

/** Flags of ops and events; one number can mean different things in different kinds. */
export const Flag = {
  First: 1,
  Last: 2,
  CardReset: 4,
  Idle: 1,
  AfterRefresh: 1,
  FixedChannel: 1,
  NoFci: 2,
  Basic: 1,
  Restart: 1,
} as const;

export const WakeReason = { Timer: 1, Poll: 2, StateChanged: 8, Bearer: 16 } as const;

export enum Peer {
  Eim = 1,
  Smdp = 2,
  Smds = 3,
}

export enum Binding {
  EsipaHttps = 1,
  EsipaCoaps = 2,
  Es9pHttps = 3,
}

/** What a host may answer in the status field; 0 is success. */
export enum Status {
  Ok = 0,
  Unsupported = -1,
  Timeout = -2,
  NotFound = -3,
  Link = -4,
  Name = -5,
  Trust = -6,
  NoCard = -7,
  NoIsdr = -8,
  Channel = -9,
  Store = -10,
  TooLarge = -11,
}

export enum StoreKey {
  Package = 1,
  Endpoint = 2,
  StateChanges = 3,
  Parked = 4,
  Download = 5,
  Provision = 16,
}

export enum Report {
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

/** Bits of configuration tag 81. */
export const Switch = {
  RefreshFalse: 1 << 0,
  NoInfo: 1 << 1,
  NoFci: 1 << 2,
  FixedChannel: 1 << 3,
  RemoveOwnEpr: 1 << 4,
  NoCardReset: 1 << 5,
  LegacyTags: 1 << 6,
  OnePackage: 1 << 7,
  ProprietaryGetResponse: 1 << 8,
  NoBundle: 1 << 9,
  NoDataRemoval: 1 << 10,
  HostAddress: 1 << 11,
  NoOidCheck: 1 << 12,
  ImmediateEnable: 1 << 13,
} as const;
