/** `tinyipa agent --eim`, `--link`, `--psk`, `--network`: over which link the eIM is reached. */
import type { HttpsLinkOptions } from "../sim/agent/index.js";
import { NativeLink, type NativeLinkOptions, type NativeTimers } from "../sim/agent/native-link.js";
import type { Link } from "../sim/core/doors.js";
import { pskTable } from "../sim/eim/coaps.js";
import { UsageError } from "./command.js";
import { misuse } from "./serve.js";

const KINDS = ["node", "c", "modem"] as const;

/** Timers of the C host (links.h); "lan" is for servers nearby, as RFC 7252 and RFC 6347 have them. */
const NETWORKS: Readonly<Record<string, NativeTimers>> = {
  lan: { ackTimeoutMs: 2000, maxRetransmit: 4, handshakeMinMs: 1000, handshakeMaxMs: 8000 },
  "lte-m": { lteM: 1 },
  "nb-iot": {},
};

/** The way to the eIM. */
export interface Via {
  readonly kind: (typeof KINDS)[number];
  /** In place of the eIM configuration's. */
  readonly address?: string;
  readonly binding?: "ESipa HTTPS" | "ESipa CoAPS";
  readonly psk?: NonNullable<NativeLinkOptions["psk"]>;
  readonly timers: NativeTimers;
}

export interface ViaOptions {
  readonly link?: string | undefined;
  readonly psk?: string | undefined;
  readonly network?: string | undefined;
  readonly uart?: string | undefined;
  readonly lab: boolean;
  readonly "smdp-trust"?: string | undefined;
}

/** Throws UsageError for options that don't go together. */
export function viaOf(values: ViaOptions, eim: URL | undefined): Via {
  const coaps = eim?.protocol === "coaps:";
  const kind = KINDS.find((known) => known === (values.link ?? (coaps || values.psk !== undefined ? "c" : "node")));
  const timers = NETWORKS[values.network ?? "lan"];
  if (kind === undefined) throw new UsageError(`expected ${KINDS.join(", ")} for --link, got "${values.link}"`);
  if (timers === undefined) throw new UsageError(`expected ${Object.keys(NETWORKS).join(", ")} for --network, got "${values.network}"`);
  if (kind === "node" && (coaps || values.psk !== undefined || values.network !== undefined)) throw new UsageError("expected --link c or modem with coaps://, --psk and --network, got node");
  if (kind === "modem" && values.uart === undefined) throw new UsageError("expected --uart with --link modem, got none");
  if (kind !== "node" && eim?.protocol === "http:") throw new UsageError(`expected https:// or coaps:// with --link ${kind}, got http://`);
  if (kind !== "node" && values["smdp-trust"] === "system") throw new UsageError(`expected a file of CAs for --smdp-trust with --link ${kind}, got system`);
  return { kind, timers, ...placeOf(eim), ...(values.psk === undefined ? {} : { psk: pskOf(values.psk) }) };
}

function placeOf(eim: URL | undefined): Pick<Via, "address" | "binding"> {
  if (eim === undefined) return {};
  const address = eim.protocol === "http:" ? `http://${eim.host}` : eim.host;
  return { address, binding: eim.protocol === "coaps:" ? "ESipa CoAPS" : "ESipa HTTPS" };
}

function pskOf(text: string): NonNullable<Via["psk"]> {
  const [[identity, key] = ["", new Uint8Array(0)]] = Object.entries(misuse(() => pskTable([text])));
  return { identity, key };
}

/** Maker of the C host's link, for LiveIpa; undefined where Node's is wanted. `modem`: the modem's handle. */
export function makeLinkOf(via: Via, modem: object | undefined): { make: (options: HttpsLinkOptions) => Link; dispose: () => void } | undefined {
  if (via.kind === "node") return undefined;
  let made: NativeLink | undefined;
  return {
    make: ({ caStore, rspTrust, resolve, instead, date }) => {
      made = new NativeLink({
        timers: via.timers,
        ...(caStore === undefined ? {} : { caStore }), ...(rspTrust === undefined ? {} : { rspTrust }), ...(resolve === undefined ? {} : { resolve }),
        ...(date === undefined ? {} : { date }), ...(via.psk === undefined ? {} : { psk: via.psk }),
        ...(via.kind === "modem" && modem !== undefined ? { modem } : {}),
        instead: { ...instead, ...(via.binding === undefined ? {} : { binding: via.binding }) },
      });
      return made;
    },
    dispose: () => made?.dispose(),
  };
}
