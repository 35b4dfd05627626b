/**
 * What a test of an IPA has to show, objective by objective, in the order of a device's life: our own list, drawn from the procedures
 * of SGP.32 v1.2 (the GSMA's own IPA test specification was not at hand). Scenarios name what they cover; what other tests cover is
 * named here, and why something is covered in part only, or not yet.
 */
export interface Objective {
  readonly id: string;
  readonly title: string;
  /** Test files beside the scenarios, from test/. */
  readonly tests?: readonly string[];
  /** Covered in part only: what is not. */
  readonly partly?: string;
  /** Not covered yet: what has to be there first. */
  readonly later?: string;
}

export interface Chapter {
  readonly title: string;
  readonly objectives: readonly Objective[];
}

const ODD_ANSWERS = "scenarios/es10-transport/odd-answers.test.ts";
const HTTPS = "scenarios/esipa-transport/https.test.ts";
const PUBLIC_SUITE = "scenarios/compatibility-profile/public-suite.test.ts";
const MUTATION = "unit/mutation.test.ts";
const SPLITS = "unit/download-splits.test.ts";
const READING = "unit/download-reading.test.ts";
const COAPS = "ESipa over CoAPS";
const COMPACT = "compact forms in the agent";
const LOCAL = "immediate enable, fallback, emergency and memory reset in the agent";
const IPAE = "IPAe coexistence in the agent";

export const chapters: readonly Chapter[] = [
  {
    title: "A. Start-up and ES10 transport",
    objectives: [
      { id: "A1", title: "Order and octets of the first commands", tests: [PUBLIC_SUITE] },
      { id: "A2", title: "TERMINAL CAPABILITY announces the IPAd, once after each reset" },
      { id: "A3", title: "Cards that don't know TERMINAL CAPABILITY" },
      { id: "A4", title: "No ISD-R: a clean end" },
      { id: "A5", title: "Logical channel refused" },
      { id: "A6", title: "STORE DATA in blocks, at the edges of 255, 256, 510 octets and 256 blocks" },
      { id: "A7", title: "Long answers: 61xx, 6100, 6Cxx, data together with 9000", tests: [ODD_ANSWERS] },
      { id: "A8", title: "91xx behind the last block", tests: [ODD_ANSWERS] },
      { id: "A9", title: "Channel lost: opened again, repeated once" },
      { id: "A10", title: "Damaged answers of the card", tests: [ODD_ANSWERS, "unit/parsers.test.ts", MUTATION] },
      { id: "A11", title: "CLA of every logical channel" },
      { id: "A12", title: "No eIM on the card: silence, or initial association" },
      { id: "A13", title: "Several eIMs; defaults of what an entry leaves out" },
    ],
  },
  {
    title: "B. ESipa transport",
    objectives: [
      { id: "B1", title: "Request line, header fields, one data object as body", tests: [HTTPS] },
      { id: "B2", title: "Address from eimFqdn, or from an eimId of type FQDN", tests: [HTTPS] },
      { id: "B3", title: "TLS 1.2 at least", tests: [HTTPS] },
      { id: "B4", title: "Trust: pinned key, pinned certificate, CA, CA store", tests: [HTTPS] },
      { id: "B5", title: "HTTP status, Retry-After, odd and damaged answers", tests: [HTTPS] },
      { id: "B6", title: "One connection in the loop; a server that closes in between", tests: [HTTPS] },
      { id: "B7", title: "CoAP: blocks, losses, duplicates, codes", later: COAPS },
      { id: "B8", title: "DTLS version and trust", later: COAPS },
      { id: "B9", title: "Packages that the eIM injects", later: "inject (BF4E)" },
    ],
  },
  {
    title: "C. eIM Package retrieval",
    objectives: [
      { id: "C1", title: "GetEimPackage: EID, and nothing that is not to be told" },
      { id: "C2", title: "Packages of all kinds in a row, until there is none" },
      { id: "C3", title: "eimPackageError ends the poll without effect", tests: [PUBLIC_SUITE] },
      { id: "C4", title: "notifyStateChange with its cause, until it was taken" },
      { id: "C5", title: "rPLMN with two and three digits of MNC, or absent" },
      { id: "C6", title: "Unknown and malformed packages are answered as such" },
      { id: "C7", title: "eIM out of reach: waits grow, nothing is lost" },
      { id: "C8", title: "Several eIMs: polled apart, each gets its own results" },
      { id: "C9", title: "The same package without end" },
    ],
  },
  {
    title: "D. eUICC Package download and execution",
    objectives: [
      { id: "D1", title: "Package and result passed on octet by octet", tests: [PUBLIC_SUITE] },
      { id: "D2", title: "PSMO: notifications bundled, acknowledged ones removed", tests: [PUBLIC_SUITE] },
      { id: "D3", title: "eCO: plain result, eIM list read again" },
      { id: "D4", title: "No notifications: plain result" },
      { id: "D5", title: "emptyResponse and provideEimPackageResultError: what stays on the card" },
      { id: "D6", title: "Signed and unsigned errors of the eUICC go on unchanged" },
      { id: "D7", title: "The card fails: undefinedError to the eIM" },
      { id: "D8", title: "With and without eimTransactionId" },
      { id: "D9", title: "Enable: REFRESH, new channel, result over the new profile" },
      { id: "D10", title: "Disable without a bearer: result kept, no rollback" },
      { id: "D11", title: "Power cut around delivery: once at the eIM, none left on the card" },
      { id: "D12", title: "Lost answer to the result: sent again; replayError" },
      { id: "D13", title: "A package that stops in the middle" },
      { id: "D14", title: "A package for another EID", tests: [PUBLIC_SUITE] },
      { id: "D15", title: "Long results" },
      { id: "D16", title: "Every PSMO and eCO, known or not" },
      { id: "D17", title: "Removal of what is gone already" },
      { id: "D18", title: "The eIM deletes itself, and still gets its result" },
    ],
  },
  {
    title: "E. Profile rollback",
    objectives: [
      { id: "E1", title: "eIM out of reach after an enable: one rollback, and its own result", tests: [PUBLIC_SUITE] },
      { id: "E2", title: "No network in time: rollback" },
      { id: "E3", title: "Not granted: no rollback" },
      { id: "E4", title: "rollbackNotAllowed: the first result after all" },
      { id: "E5", title: "catBusy: bounded repetition" },
      { id: "E6", title: "Out of reach after the rollback too" },
      { id: "E7", title: "provideEimPackageResultError is an answer: no rollback" },
      { id: "E8", title: "Restart during the watch" },
      { id: "E9", title: "Coding of refreshFlag", tests: [PUBLIC_SUITE] },
      { id: "E10", title: "cmdResult under 02, and under 80", tests: [PUBLIC_SUITE] },
    ],
  },
  {
    title: "F. IpaEuiccDataRequest",
    objectives: [
      { id: "F1", title: "Everything at once: queries, order, tags", tests: [PUBLIC_SUITE] },
      { id: "F2", title: "Each tag alone, subsets, duplicates" },
      { id: "F3", title: "Unknown, empty and malformed tagList" },
      { id: "F4", title: "Search criteria" },
      { id: "F5", title: "euiccCiPKIdentifierToBeUsed" },
      { id: "F6", title: "While the Emergency Profile is enabled" },
      { id: "F7", title: "Optional items that are not there" },
      { id: "F8", title: "Acknowledgements remove notifications and results" },
      { id: "F9", title: "eimTransactionId comes back" },
      { id: "F10", title: "IpaCapabilities and DeviceInfo are the configuration's" },
    ],
  },
  {
    title: "G. eIM configuration",
    objectives: [
      { id: "G1", title: "AddInitialEim with one and several eIMs" },
      { id: "G2", title: "AddInitialEim refused: each code is reported" },
      { id: "G3", title: "Forms of A5 and A6" },
      { id: "G4", title: "Associated again after the last eIM was deleted" },
      { id: "G5", title: "A new TLS key counts from the next connection" },
    ],
  },
  {
    title: "H. Profile download, common part",
    objectives: [
      { id: "H1", title: "Forms of the activation code" },
      { id: "H2", title: "Default SM-DP+" },
      { id: "H3", title: "EUICCInfo1 for one CI" },
      { id: "H4", title: "What is compared before AuthenticateServer" },
      { id: "H5", title: "ctxParams1" },
      { id: "H6", title: "Errors of the card go on to the server" },
      { id: "H7", title: "Errors of the server, and reasons to cancel" },
      { id: "H8", title: "Profile Policy Rules" },
      { id: "H9", title: "Confirmation code" },
      { id: "H10", title: "Segments of the Bound Profile Package" },
      { id: "H11", title: "Installation error in the middle" },
      { id: "H12", title: "No ProfileInstallationResult" },
      { id: "H13", title: "Network lost at each step" },
      { id: "H14", title: "Proactive commands while loading" },
      { id: "H15", title: "ecallActive" },
      { id: "H16", title: "Power cut during installation" },
      { id: "H17", title: "A second trigger while one is at work" },
    ],
  },
  {
    title: "I. Indirect download",
    objectives: [
      { id: "I1", title: "Whole download with an activation code", tests: [READING] },
      { id: "I2", title: "Empty trigger: the eIM holds the data" },
      { id: "I3", title: "What the eIM may leave out" },
      { id: "I4", title: "ProfileDownloadTriggerResult" },
      { id: "I5", title: "CancelSession" },
      { id: "I6", title: "Compact forms", later: COMPACT },
      { id: "I7", title: "SM-DS through the eIM" },
      { id: "I8", title: "Combinations of capabilities" },
      { id: "I9", title: "The package arrives in pieces", tests: [SPLITS] },
      { id: "I10", title: "More than 100 kB" },
    ],
  },
  {
    title: "J. Direct download",
    objectives: [
      { id: "J1", title: "ES9+ requests", tests: [READING] },
      { id: "J2", title: "ES9+ answers", tests: [SPLITS, MUTATION] },
      { id: "J3", title: "Trust in the SM-DP+" },
      { id: "J4", title: "Two receivers of the result" },
      { id: "J5", title: "SM-DS events" },
      { id: "J6", title: "Base64 in its variants" },
    ],
  },
  {
    title: "K. Notifications",
    objectives: [
      { id: "K1", title: "Delivery in order, removal after confirmation only" },
      { id: "K2", title: "A receiver that is down or refuses does not block others" },
      { id: "K3", title: "At start-up, and behind the packages" },
      { id: "K4", title: "What was bundled is not sent again" },
      { id: "K5", title: "Compact notifications", later: "compact forms" },
    ],
  },
  {
    title: "L. Immediate enable, fallback, emergency, reset",
    objectives: [
      { id: "L1", title: "Immediate enable behind the installation" },
      { id: "L2", title: "Fallback and return", later: LOCAL },
      { id: "L3", title: "Emergency Profile", later: LOCAL },
      { id: "L4", title: "Memory reset", later: LOCAL },
      { id: "L5", title: "Nothing that the eUICC has not announced", partly: "the emergency check; the commands themselves are not in the agent" },
    ],
  },
  {
    title: "M. IPAe beside the IPAd",
    objectives: [
      { id: "M1", title: "The IPAd is silent while the IPAe works", later: IPAE },
      { id: "M2", title: "Back to the IPAd by a reset", later: IPAE },
    ],
  },
  {
    title: "N. Robustness and security",
    objectives: [
      { id: "N1", title: "Every parser under damaged input", tests: [MUTATION, "unit/mutation.slow.test.ts", "unit/parsers.test.ts", SPLITS] },
      { id: "N2", title: "Sizes, lengths and widths at their limits", tests: ["unit/parsers.test.ts"] },
      { id: "N3", title: "Memory and cost of each procedure", tests: ["unit/gate.test.ts", "unit/figures.test.ts"] },
      { id: "N4", title: "No secret in reports", tests: ["scenarios/scenarios.test.ts", "unit/reports.test.ts"] },
      { id: "N5", title: "Nothing wears out in thousands of polls", tests: ["unit/endurance.slow.test.ts", "unit/determinism.test.ts"] },
      { id: "N6", title: "Tags that the agent sends are the standard's", tests: [PUBLIC_SUITE, READING, "unit/eim-vectors.test.ts", "unit/euicc-vectors.test.ts"] },
    ],
  },
  {
    title: "O. The simulators themselves",
    objectives: [
      { id: "O1", title: "Vectors are read and built", tests: ["unit/eim-vectors.test.ts", "unit/euicc-vectors.test.ts", "unit/describe.test.ts"] },
      { id: "O2", title: "Signatures, both ways and by a second implementation", tests: ["unit/pki.test.ts", "unit/eim-vectors.test.ts"] },
      { id: "O3", title: "Bound Profile Package bound and unbound", tests: ["unit/bsp.test.ts"] },
      { id: "O4", title: "Counters and replay", tests: ["unit/eim-queue.test.ts", "unit/euicc-package.test.ts"] },
      { id: "O5", title: "Order of the eUICC's checks", tests: ["unit/euicc-vectors.test.ts", "unit/euicc-refuses.test.ts"] },
    ],
  },
];
