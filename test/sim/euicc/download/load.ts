/**
 * ES10b.LoadBoundProfilePackage (SGP.22 v2.5 2.5.4 to 2.5.6, 3.1.3.3, 5.5, 5.7.6): segment by segment, each one STORE DATA chain.
 * A segment in its place is answered with nothing; the last one, or the one that fails, with the ProfileInstallationResult.
 */
import { acceptSecureChannel, BppError, ErrorReason, replaceSessionKeys, unprotect } from "../../bsp/index.js";
import { concat, toHex } from "../../core/bytes.js";
import { readAll } from "../../codec/tlv.js";
import { iccidDigits } from "../coding.js";
import { note, StatusWord, takeFault, type Context } from "../context.js";
import { EMPTY } from "../state.js";
import { elementsComplete, headerIccid, peError, walkElements } from "./elements.js";
import { InstallError } from "./install-error.js";
import { freeMemory } from "./memory.js";
import { checkMetadata, readConfigureIsdp, readMetadata } from "./metadata.js";
import { installationFailed, installed } from "./result.js";
import { headerAlone, oneBlock, oneObject, structure, takeHeader, wholeList } from "./segment.js";
import { abandonLoading, endSession } from "./session.js";
import { newLoading, type Loading, type Prepared, type ServerContext, type Stage } from "./state.js";

interface Run {
  ctx: Context;
  server: ServerContext;
  prepared: Prepared;
  loading: Loading;
}

/** Takes one segment in its place; true when the package is complete. Throws BppError. */
type Step = (run: Run, segment: Uint8Array) => boolean;

const STEPS: Readonly<Record<Stage, Step>> = {
  BF36: initialiseSecureChannel,
  A0: configureIsdp,
  A1: (run, segment) => list(run, segment, 0xa1, "88"),
  "88": storeMetadata,
  "A2/A3": sessionKeys,
  A3: (run, segment) => list(run, segment, 0xa3, "86"),
  "86": loadElements,
};

/** One segment: the data of a whole STORE DATA chain on a logical channel. Throws StatusWord where no package is expected. */
export function loadSegment(ctx: Context, segment: Uint8Array, logicalChannel: number): Uint8Array {
  const run = begin(ctx, segment, logicalChannel);
  const { loading, server } = run;
  try {
    takeSegmentFault(ctx, loading.segments);
    const complete = STEPS[loading.stage](run, segment);
    interject(ctx, loading.segments);
    loading.segments += 1;
    if (!complete) return EMPTY;
    endSession(ctx);
    return installed(ctx, server, loading);
  } catch (error) {
    if (error instanceof StatusWord) abandonLoading(ctx);
    if (!(error instanceof BppError)) throw error;
    endSession(ctx);
    return installationFailed(ctx, server, loading, error);
  }
}

/** Power was lost: a package of which the first segment was taken, so that the secure channel was up, leaves a result that says so, unless the card is configured to forget it. */
export function interrupted(ctx: Context): void {
  const { loading, session } = ctx.state.volatile;
  const server = session?.server ?? null;
  if (loading === null || server === null || ctx.config.download.interrupted === "discard") return;
  installationFailed(ctx, server, loading, new InstallError(ErrorReason.Interruption, "power was lost while the package came in"));
}

function begin(ctx: Context, segment: Uint8Array, logicalChannel: number): Run {
  const { volatile } = ctx.state;
  const { server = null, prepared = null } = volatile.session ?? {};
  if (server === null || prepared === null) {
    const first = segment[0] === 0xbf && segment[1] === 0x36;
    throw new StatusWord(first ? 0x6985 : ctx.config.apdu.unknownFunction, `segment ${toHex(segment.subarray(0, 4))}… while no Bound Profile Package is expected`);
  }
  const loading = (volatile.loading ??= newLoading(EMPTY, logicalChannel));
  if (ctx.config.download.channelBound && loading.logicalChannel !== logicalChannel) throw new StatusWord(0x6985, `the package comes in on channel ${loading.logicalChannel}, got a segment on ${logicalChannel}`);
  if (loading.stage === "A2/A3" && segment[0] === 0xa3) loading.stage = "A3";
  return { ctx, server, prepared, loading };
}

function initialiseSecureChannel({ ctx, server, prepared, loading }: Run, segment: Uint8Array): boolean {
  const { length, content } = takeHeader(segment, 0xbf36);
  const request = oneObject(content, 0xbf23);
  const order = readAll(request.value, { lenient: true }).map(({ tag }) => tag.toString(16).toUpperCase());
  if (order.join(" ") !== "82 80 A6 5F49 5F37") throw structure(`BF23 holds ${order.join(" ")}, expected 82 80 A6 5F49 5F37`);
  const { key, dpPbKey } = prepared;
  const { nonvolatile } = ctx.state;
  loading.channel = acceptSecureChannel(request.raw, { transactionId: server.transactionId, curve: key.curve, publicKey: dpPbKey, euiccOt: key, eid: ctx.config.eid });
  nonvolatile.oneTimeKeys = nonvolatile.oneTimeKeys.filter(({ publicKey }) => toHex(publicKey) !== toHex(key.publicKey));
  loading.left = length;
  return advance(loading, content.length, "A0");
}

function configureIsdp(run: Run, segment: Uint8Array): boolean {
  const plain = concat(...wholeList(segment, 0xa0).map((block) => open(run, block)));
  run.loading.dpOid = readConfigureIsdp(plain, run.server.oid);
  return advance(run.loading, segment.length, "A1");
}

function storeMetadata(run: Run, segment: Uint8Array): boolean {
  const { ctx, loading } = run;
  loading.metadataParts.push(open(run, oneBlock(segment, 0x88, loading)));
  loading.listLeft -= segment.length;
  if (loading.listLeft > 0) return advance(loading, segment.length, "88");
  const metadata = readMetadata(concat(...loading.metadataParts), loading.dpOid);
  loading.metadata = metadata;
  checkMetadata(ctx, metadata);
  return advance(loading, segment.length, "A2/A3");
}

/** A2; begin() has seen an A3 already. */
function sessionKeys(run: Run, segment: Uint8Array): boolean {
  const { loading } = run;
  takeHeader(segment, 0xa2, 0xa3);
  const plain = concat(...wholeList(segment, 0xa2).map((block) => open(run, block)));
  if (loading.channel !== null) replaceSessionKeys(loading.channel, plain);
  return advance(loading, segment.length, "A3");
}

function loadElements(run: Run, segment: Uint8Array): boolean {
  const { ctx, loading } = run;
  const plain = open(run, oneBlock(segment, 0x86, loading));
  if (takeFault(ctx, "memory-full", 0) !== undefined || loading.size + plain.length > freeMemory(ctx)) {
    throw new InstallError(ErrorReason.InsufficientMemory, `${loading.size + plain.length} octets of Profile do not fit into the ${freeMemory(ctx)} that are free`);
  }
  loading.chunks.push(plain);
  loading.size += plain.length;
  walkElements(loading.walk, plain);
  loading.listLeft -= segment.length;
  advance(loading, segment.length, "86");
  if (loading.listLeft === 0) return complete(loading);
  return ctx.config.quirks.has("pir-early") && loading.listLeft <= segment.length;
}

/** What only shows when all is there. */
function complete({ left, walk, chunks, metadata }: Loading): boolean {
  if (left !== 0) throw structure(`BF36 says ${left} octets more than its members have`);
  if (!elementsComplete(walk)) throw peError("the Profile Package does not end with the end element");
  const told = headerIccid(chunks);
  const expected = metadata === null ? undefined : iccidDigits(metadata.iccid);
  if (told !== undefined && told !== expected) throw new InstallError(ErrorReason.DataMismatch, `the profile header is for ICCID ${told}, the metadata for ${expected}`);
  return true;
}

function list({ loading }: Run, segment: Uint8Array, tag: number, next: Stage): boolean {
  loading.listLeft = headerAlone(segment, tag);
  advance(loading, segment.length, next);
  if (loading.listLeft > loading.left) throw structure(`the list ${tag.toString(16).toUpperCase()} says ${loading.listLeft} octets, BF36 has ${loading.left} left`);
  return false;
}

function advance(loading: Loading, octets: number, next: Stage): boolean {
  loading.left -= octets;
  if (loading.left < 0) throw structure(`the members of BF36 have ${-loading.left} octets more than it says`);
  loading.stage = next;
  return false;
}

/** What a block protects; the channel moves on. */
function open({ ctx, loading }: Run, block: Uint8Array): Uint8Array {
  if (loading.channel === null) throw structure("a block before the secure channel");
  return unprotect(loading.channel, block, { strict: ctx.config.download.strictBlocks });
}

function takeSegmentFault(ctx: Context, segment: number): void {
  const fault = ctx.state.faults.find((one) => one.kind === "segment" && one.segment === segment);
  if (fault?.kind !== "segment") return;
  ctx.state.faults = ctx.state.faults.filter((one) => one !== fault);
  const why = `fault segment at segment ${segment}`;
  if (fault.sw !== null) throw new StatusWord(fault.sw, why);
  throw new InstallError(fault.errorReason, why);
}

/** A fault's proactive command, told by 91xx from this segment on. */
function interject(ctx: Context, segment: number): void {
  const fault = ctx.state.faults.find((one) => one.kind === "proactive" && one.segment === segment);
  if (fault?.kind !== "proactive") return;
  ctx.state.faults = ctx.state.faults.filter((one) => one !== fault);
  ctx.state.volatile.proactive = { command: fault.command, phase: "announced" };
  note(ctx, "LoadBoundProfilePackage", "91xx", `fault proactive behind segment ${segment}`);
}

