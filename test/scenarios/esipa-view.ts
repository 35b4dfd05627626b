/**
 * The eIM's side of a world, as claims of scenarios want it: what was asked and provided in which order, and what stands in its records
 * (SGP.32 v1.2 5.14.5, 5.14.6).
 */
import { fromHex, toHex } from "../sim/core/bytes.js";
import { readAll, readOne } from "../sim/codec/tlv.js";
import { Report, type Eim, type Trace, type World } from "../sim/index.js";

export const GET_EIM_PACKAGE = 0xbf4f;
export const PROVIDE_RESULT = 0xbf50;

/** Functions that one eIM was asked, in order. */
export function asked(eim: Eim): string[] {
  return eim.seen.map((exchange) => exchange.function);
}

/** Hexadecimal of what ProvideEimPackageResult carried behind `5A` eidValue, in order. */
export function provided(eim: Eim): string[] {
  return eim.seen.filter((exchange) => exchange.function === "ProvideEimPackageResult").map((exchange) => {
    const [eid, ...rest] = readAll(readOne(fromHex(exchange.request), PROVIDE_RESULT).value, { lenient: true });
    if (eid?.tag !== 0x5a) return "no eidValue";
    return rest.map((item) => toHex(item.raw)).join("");
  });
}

/** Bodies of GetEimPackage in hexadecimal, in order. */
export function gets(eim: Eim): string[] {
  return eim.seen.filter((exchange) => exchange.function === "GetEimPackage").map((exchange) => exchange.request);
}

/** Results that stand: "delete 0, enable 1", or the kind and the code of an error. */
export function results(world: World, eim: Eim = world.eim): string[] {
  return eim.results(world.eid).filter((result) => !result.replaced).map((result) => {
    const commands = result.commands?.map((command) => `${command.command} ${command.code}`);
    return commands === undefined ? `${result.kind}${result.error === undefined ? "" : ` ${result.error.code}`}` : commands.join(", ");
  });
}

/** Sequence numbers that wait on the eUICC. */
export function pending(world: World): number[] {
  return world.euicc.pending.map((item) => item.seqNumber);
}

/** Details of the PollEnded reports. */
export function pollsEnded(trace: Trace): number[] {
  return trace.reports.filter((report) => report.code === Report.PollEnded).map((report) => report.detail);
}

/** Complaints of the eIMs and of the card: refusals, and what a good IPA does not do. */
export function complaints(world: World): string[] {
  const eims = world.eims.flatMap((eim) => eim.seen.flatMap((exchange) => [...(exchange.verdict === "refused" ? [exchange.reason] : []), ...exchange.warnings]));
  return [...eims, ...world.euicc.refusals.map((refusal) => `${refusal.what}: ${refusal.why}`)];
}
