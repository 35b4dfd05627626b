/**
 * The agent's whole memory: static zones, claimed at build time. Nothing is allocated after that.
 *
 *   mailbox   header 24 + payload 1024
 *   work      the one big buffer: a package on its way in, or a body on its way out with the answer behind it
 *   endpoint  payload of LinkOpen for the session's eIM
 *   small     strings and records of fixed size (below)
 *   S, T      state of the agent, the TLV cursor
 */
const BASE: usize = memory.data(196 * 4 + 24 + 1024 + 4096 + 2232, 8);

export const MAILBOX: usize = BASE + 196 * 4;
export const PAYLOAD: usize = MAILBOX + 24;

export const WORK_SIZE: u32 = 4096;
export const WORK: usize = PAYLOAD + 1024;
export const WORK_END: usize = WORK + WORK_SIZE;
/** The head of `work` is kept for the head of an outgoing body, a body for the rest. */
export const WORK_BODY: usize = WORK + 64;

/** LinkOpen's payload; a little less than the mailbox holds, because the journal keeps it behind the eIM's hash and the binding. */
export const ENDPOINT_SIZE: u32 = 1016;
export const ENDPOINT: usize = WORK_END;

/** Associated eIMs, see eims.ts; parked notifications, see journal.ts; segments of the outgoing body, see exchange.ts. */
export const EIMS: usize = ENDPOINT + 1020;
export const PARKED: usize = EIMS + 9 * 16;
export const SEGMENTS: usize = PARKED + 8 * 12;

/** The session's eIM: eimId, and its euiccCiPKId. */
export const EIM_ID: usize = SEGMENTS + 14 * 12;
export const CI_PK_ID: usize = EIM_ID + 128;
/** Of an IpaEuiccDataRequest: the key id asked for, and the two search criteria (a whole data object each). */
export const CI_PK_ASKED: usize = CI_PK_ID + 20;
export const CRITERION: usize = CI_PK_ASKED + 20;
export const CRITERION_EPR: usize = CRITERION + 8;
export const CRITERION_SIZE: u32 = 8;
export const EID: usize = CRITERION_EPR + 8;
/** eimTransactionId of the package in hand. */
export const TRANSACTION_ID: usize = EID + 16;
/** An ES10 command that is not in `work`. */
export const COMMAND_SIZE: u32 = 36;
export const COMMAND: usize = TRANSACTION_ID + 16;

/** Configured strings. */
export const TERMINAL_CAPABILITY: usize = COMMAND + 36;
export const IMEI: usize = TERMINAL_CAPABILITY + 32;
export const DEVICE_CAPABILITIES: usize = IMEI + 16;

/** Calls in progress, a u16 each: procedure * 256 + where it goes on. */
export const FRAMES: usize = DEVICE_CAPABILITIES + 64;
export const FRAMES_MAX: u32 = 12;

/** A download: the activation code (or the address alone), the RSP transactionId, and the answer that ended it. */
export const ACTIVATION_CODE: usize = FRAMES + 24;
export const RSP_TRANSACTION_ID: usize = ACTIVATION_CODE + 256;
export const ERROR_RESPONSE: usize = RSP_TRANSACTION_ID + 16;
export const ERROR_RESPONSE_SIZE: u32 = 32;
export const CONFIRMATION_CODE: usize = ERROR_RESPONSE + 32;
/** ES9+ (json.ts): transactionId as it came, slots of members. */
export const RSP_TEXT: usize = CONFIRMATION_CODE + 16;
export const SLOTS: usize = RSP_TEXT + 32;
const ZONES_END: usize = SLOTS + 40;

@unmanaged
@final
export class State {
  // the event in hand
  now: u32; // ms, as the host gave it
  seconds: u32; // since Start; does not wrap
  milliseconds: u32; // rest below a second

  chance: u32; // state of the generator (config.ts)

  // the op in hand (mailbox.ts), the calls in progress (flow.ts)
  op: u32;
  ref: u32;
  reasons: u32; // of the Wakes that were not looked at yet
  cause: u32; // stateChangeCause of one of them
  depth: u32;

  // configuration (config.ts): in the order of the tags 81 to 91, 4 octets each
  switches: u32;
  pollPeriod: u32;
  backoffBase: u32;
  backoffCap: u32;
  watchTime: u32;
  refreshGrace: u32;
  bearerWait: u32;
  exchangeTimeout: u32;
  blockSize: u32;
  terminalCapabilityLen: u32;
  protocols: u32;
  imeiLen: u32;
  unused8D: u32;
  deviceCapabilitiesLen: u32;
  unused8F: u32;
  unused90: u32;
  maxPackages: u32;

  // the card
  channelOpen: u32;
  channel: u32;
  capabilitySent: u32;
  eidFresh: u32;
  eidKnown: u32;
  infoKnown: u32;
  ecall: u32;
  cardFails: u32;
  cardSick: u32;
  restartBearer: u32;

  // the ES10 command in hand (apdu.ts)
  command: usize;
  commandLen: u32;
  commandAt: u32;
  block: u32;
  blockLen: u32;
  le: i32; // Le to repeat the APDU with, -1: none
  classOther: u32;
  fruitless: u32; // answers without data in a row
  sw: u32;
  dataLen: u32;
  forward: u32; // 1: the answer goes to the link
  skip: u32; // octets of the answer that are passed over
  window: u32; // 1: what is stored is a part from the middle of an answer
  want: u32;
  answer: usize; // where the answer is stored
  answerLen: u32; // octets that came, stored or not
  fill: usize; // end of what is stored
  limit: usize; // how far an answer may be stored
  speculative: u32; // 1: GET RESPONSE for an answer that need not be there
  source: u32; // where the command's octets are
  tries: u32;

  // the exchange in hand (exchange.ts)
  linkOpen: u32;
  linkReused: u32;
  linkFailure: i32;
  endpointLen: u32;
  reachable: u32;
  wanted: u32;
  binding: u32;
  segments: u32;
  segment: u32;
  segmentAt: u32;
  total: u32;
  sent: u32;
  response: usize;
  received: u32;
  streamed: u32; // 1: the answer's body is taken while it comes (stream.ts)
  streamEnd: u32;
  rx: usize;
  rxEnd: usize;
  staged: u32;
  headAt: u32;
  retryAfter: u32;

  // associated eIMs (eims.ts)
  eims: u32;
  eim: usize; // entry of the session's eIM
  eimHash: u32;
  eimIdLen: u32;
  ciPkIdLen: u32;
  tableStale: u32;
  leftoversKnown: u32;
  associationTried: u32;
  departed: u32; // hash of an eIM that may be gone from the eUICC but is still owed a result
  offset: u32;

  // the package in hand
  packages: u32;
  bodyHash: u32;
  bodyRepeats: u32;
  packageTag: u32;
  packageAt: usize;
  packageLen: u32;
  packageFlags: u32;
  transactionIdLen: u32;
  errorCode: u32;
  sessionResult: i32;

  // the result in hand
  counter: u32;
  seqNumber: u32; // 0: not an EPR
  resultHash: u32;
  resultFlags: u32;
  eprAt: usize; // 0: too large for `work`, read again from the eUICC
  eprLen: u32;
  lookup: u32;
  keep: usize;
  wrap: u32;
  bundled: u32;
  removed: u32;
  cursor: u32;
  acknowledgements: usize;
  acknowledgementsEnd: usize;

  // journal (journal.ts)
  journalHash: u32; // 0: no package record
  journalCounter: u32;
  journalFlags: u32;
  watch: u32;
  watchUntil: u32;
  rollbackTries: u32;

  // notifications
  notifications: u32; // 1: the eUICC may hold some
  notification: u32;
  fullList: u32;
  parked: u32;

  // a download (profile-download.ts)
  features: u32; // ipaFeatures, first octet of bits
  addressAt: usize; // SM-DP+ address, matchingId, OID: in ACTIVATION_CODE
  addressLen: u32; // 0: the eIM holds the download data
  matchingIdAt: usize;
  matchingIdLen: u32;
  oidAt: usize;
  oidLen: u32;
  rules: u32; // PPRs of the metadata, and their owner
  owner: usize;
  ownerEnd: usize;
  confirmationCodeLen: u32;
  rspIdLen: u32; // of RSP_TRANSACTION_ID
  errorLen: u32; // of ERROR_RESPONSE
  level: u32;
  left: u32; // octets of the package that are still to come
  skipLeft: u32;
  serverErred: u32;
  drained: u32;
  drainTo: u32;
  downloadHash: u32; // eIM of the download in the journal, 0: none
  childrenLeft: u32;
  cancelReason: u32;
  triggers: u32; // by SM-DS answers in a row
  slices: usize;
  bodyAt: usize;

  // ES9+ in JSON (json.ts)
  direct: u32; // 1: the download speaks ES9+ with the SM-DP+
  failReason: u32;
  pir: u32; // its sequence number, when it is just received
  pirConfirmed: u32; // the SM-DP+ has the PIR
  peer: u32; // 0: the eIM, else Peer.Smdp
  function: u32; // LinkSend's function
  json: u32; // 1: the answer is JSON
  jsonState: u32;
  jsonDepth: u32;
  jsonIsKey: u32;
  jsonHash: u32;
  jsonName: u32;
  jsonMode: u32;
  jsonSlot: usize;
  jsonBits: u32;
  jsonCount: u32;
  jsonStatus: u32;
  rspTextLen: u32;
  receiver: u32; // hash of the address that a notification goes to, 0: the eIM
  peerHash: u32; // the same, of the link that is open
  viaEim: u32; // an SM-DP+ can't be reached: the rest goes through the eIM
  eventIdLen: u32; // of an SM-DS's first event, and the address it names
  eventAddressLen: u32;

  // IpaEuiccDataRequest
  items: u32;
  step: u32;
  criterionLen: u32;
  criterionEprLen: u32;
  ciPkAskedLen: u32;

  // last registered PLMN
  rPlmnLen: u32;
  rPlmn: u32;

}

export const S = changetype<State>(BASE);

/*
 * What lives no longer than one ipa_step stands in globals: they take 2 octets of code where memory takes 6, and a copy of
 * the linear memory between two steps is still the whole agent.
 */

/** The event in hand, and how the last op or call ended. */
export class E {
  static result: i32 = 0; // status of the op, or what the call left with
  static flags: u32 = 0;
  static length: u32 = 0;
  static arg0: u32 = 0;
  static arg1: u32 = 0;
  static busy: u32 = 0; // an op was made
}

/** Where the TLV reader stands. */
export class T {
  static at: usize = 0; // first identifier octet
  static tag: u32 = 0;
  static len: u32 = 0;
  static val: usize = 0; // first content octet
  static next: usize = 0; // behind the content
}

/** Where the writer stands. */
export class W {
  static at: usize = 0;
  static end: usize = 0;
  static failed: u32 = 0;
}

/** Fields of S that are used most: in globals during a step, in S between two steps. */
export class R {
  static fill: usize = 0; // end of what is stored
  static answer: usize = 0; // where the answer is stored
  static answerLen: u32 = 0; // octets that came, stored or not
  static seconds: u32 = 0; // since Start; does not wrap
  static sw: u32 = 0;
  static switches: u32 = 0;
  static eims: u32 = 0;
  static errorCode: u32 = 0;
  static seqNumber: u32 = 0; // 0: not an EPR
  static eim: usize = 0; // entry of the session's eIM
  static journalHash: u32 = 0; // 0: no package record
  static packageFlags: u32 = 0;
  static packageAt: usize = 0;
  static resultFlags: u32 = 0;
  static eprAt: usize = 0; // 0: too large for `work`, read again from the eUICC
  static parked: u32 = 0;
}

/** S to R, when a step begins. */
export function loadRegisters(): void {
  R.fill = S.fill;
  R.answer = S.answer;
  R.answerLen = S.answerLen;
  R.seconds = S.seconds;
  R.sw = S.sw;
  R.switches = S.switches;
  R.eims = S.eims;
  R.errorCode = S.errorCode;
  R.seqNumber = S.seqNumber;
  R.eim = S.eim;
  R.journalHash = S.journalHash;
  R.packageFlags = S.packageFlags;
  R.packageAt = S.packageAt;
  R.resultFlags = S.resultFlags;
  R.eprAt = S.eprAt;
  R.parked = S.parked;
}

/** R to S, when a step ends. */
export function saveRegisters(): void {
  S.fill = R.fill;
  S.answer = R.answer;
  S.answerLen = R.answerLen;
  S.seconds = R.seconds;
  S.sw = R.sw;
  S.switches = R.switches;
  S.eims = R.eims;
  S.errorCode = R.errorCode;
  S.seqNumber = R.seqNumber;
  S.eim = R.eim;
  S.journalHash = R.journalHash;
  S.packageFlags = R.packageFlags;
  S.packageAt = R.packageAt;
  S.resultFlags = R.resultFlags;
  S.eprAt = R.eprAt;
  S.parked = R.parked;
}

/** Sets everything but the mailbox to zero: a Start begins anew from the journal. */
export function clearMemory(): void {
  memory.fill(WORK, 0, ZONES_END - WORK);
  memory.fill(changetype<usize>(S), 0, offsetof<State>());
}
