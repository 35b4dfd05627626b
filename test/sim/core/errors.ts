/**
 * Errors of the simulated world. Each has a stable `code` for machines, a sentence for people, and plain `detail`.
 * TypeError and RangeError stay for a misused argument, with expected and got.
 */
export class SimError extends Error {
  readonly code: string;
  readonly detail: Readonly<Record<string, unknown>>;
  constructor(code: string, message: string, detail: Record<string, unknown> = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.detail = detail;
  }
}

/** The agent's wasm trapped, or touched memory above its declared static end: always a defect of the agent. */
export class AgentTrapError extends SimError {}

/** A peer refuses what it got: `detail.who` (euicc, eim, ...) and `detail.section` (the document and section that it broke). */
export class PeerError extends SimError {}

/** A claim of a scenario failed; the message ends with the one line that repeats it. */
export class ScenarioError extends SimError {}
