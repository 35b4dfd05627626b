/**
 * ProfileInstallationResult BF37 (SGP.22 v2.5 5.7.6; 3.5 for its notification metadata) and the installation itself. The result is
 * signed, answered, and kept until it is removed.
 */
import type { BppError } from "../../bsp/index.js";
import { concat, equal, toHex, utf8 } from "../../core/bytes.js";
import { bits, integer, tlv } from "../../codec/tlv.js";
import { sign } from "../../pki/keys.js";
import { isdpAid, oidBytes } from "../coding.js";
import { refuse, type Context } from "../context.js";
import { raise, takeSeqNumber } from "../notifications.js";
import { NotificationEvent, type Profile } from "../state.js";
import { SIMA_OK } from "./elements.js";
import { InstallError } from "./install-error.js";
import { structure, COMMAND } from "./segment.js";
import { signer } from "./session.js";
import type { Loading, ServerContext } from "./state.js";

/** Puts the loaded Profile on the card, disabled, and gives the result; ImmediateEnable is possible from now on. */
export function installed(ctx: Context, server: ServerContext, loading: Loading): Uint8Array {
  if (loading.metadata === null) throw structure("a package without metadata");
  const { nonvolatile, volatile } = ctx.state;
  const aid = freeAid(nonvolatile.profiles);
  const profile: Profile = {
    metadata: Object.freeze({ ...loading.metadata, aid }),
    enabled: false,
    nickname: "",
    fallbackAttribute: false,
    loaded: Object.freeze({ size: loading.size, chunks: Object.freeze(loading.chunks) as Uint8Array[] }),
  };
  nonvolatile.profiles.push(profile);
  const result = keep(ctx, server, profile.metadata.iccid, tlv(0xa0, tlv(0x4f, aid), tlv(0x04, SIMA_OK)));
  raise(ctx, NotificationEvent.Install, profile);
  volatile.installed = { iccid: toHex(profile.metadata.iccid), smdpOid: oidBytes(server.oid), smdpAddress: server.address };
  return result;
}

/** Nothing of the Profile stays; the result says why. */
export function installationFailed(ctx: Context, server: ServerContext, loading: Loading, error: BppError): Uint8Array {
  refuse(ctx, "LoadBoundProfilePackage", error.reason, `segment ${loading.segments}: ${error.message}`);
  const simaResponse = error instanceof InstallError ? error.simaResponse : undefined;
  const members = [tlv(0x80, [COMMAND[loading.stage]]), tlv(0x81, integer(error.reason)), simaResponse === undefined ? concat() : tlv(0x82, simaResponse)];
  return keep(ctx, server, loading.metadata?.iccid, tlv(0xa1, ...members));
}

/** Makes BF37, signs it and keeps it among the notifications. */
function keep(ctx: Context, server: ServerContext, iccid: Uint8Array | undefined, finalResult: Uint8Array): Uint8Array {
  const seqNumber = takeSeqNumber(ctx);
  const event = NotificationEvent.Install;
  const metadata = tlv(0xbf2f, tlv(0x80, integer(seqNumber)), tlv(0x81, bits(event)), tlv(0x0c, utf8(server.address)), iccid === undefined ? concat() : tlv(0x5a, iccid));
  const data = tlv(0xbf27, tlv(0x80, server.transactionId), metadata, tlv(0x06, oidBytes(server.oid)), tlv(0xa2, finalResult));
  const raw = tlv(0xbf37, data, tlv(0x5f37, sign(signer(ctx, server).key, data)));
  ctx.state.nonvolatile.pending.push(Object.freeze({ kind: "notification" as const, seqNumber, raw, event, metadata }));
  return raw;
}

/** The lowest ISD-P AID that no Profile has. */
function freeAid(profiles: readonly Profile[]): Uint8Array {
  for (let index = 0; ; index++) {
    const aid = isdpAid(index);
    if (!profiles.some(({ metadata }) => equal(metadata.aid, aid))) return aid;
  }
}

