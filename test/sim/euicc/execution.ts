/** What the commands of an eUICC Package share while it is executed (SGP.32 v1.2 3.3.1): its marks, and how a command answers. */
import { tlv, type Tlv } from "../codec/tlv.js";
import { refuse, type Context } from "./context.js";
import type { Eim, Profile } from "./state.js";

/** A package in execution. enable and disable are only marked; they and the deletions of eIMs take effect behind the signature. */
export interface Execution {
  readonly ctx: Context;
  readonly eim: Eim;
  /** The Profile that was enabled when the package came. */
  readonly current: Profile | undefined;
  enable?: Profile;
  disable?: Profile;
  /** Where enable with rollbackFlag leads back to. */
  rollbackTo?: Profile;
  /** A command changed the list or the states of Profiles. */
  changed: boolean;
  deletedEims: Eim[];
  /** What the requesting eIM's counter becomes; updateEim of itself can set it. */
  counterValue: number;
}

/** What a command leads to; a failed one ends the package. */
export interface Outcome {
  result: Uint8Array;
  failed: boolean;
}

export type CommandHandler = (execution: Execution, command: Tlv) => Outcome;

/** An answer `tag code`; code 0 is success, any other is noted and ends the package unless it is named as success too. */
export function outcome(execution: Execution, what: string, tag: number, code: number, why?: string): Outcome {
  if (why !== undefined) refuse(execution.ctx, what, code, why);
  return { result: tlv(tag, [code]), failed: why !== undefined };
}
