/**
 * The simulated SM-DP+ (SGP.22 v2.5 5.6, ES9+; sgp32-transport 6, 7): download orders, mutual authentication, binding, cancelling, notifications.
 * Strict about what comes in, with real certificates and signatures on both sides. Left out: ES2+ (orders are made by `order`), ES12 (an SM-DS is
 * told by the caller), CRLs.
 */
import { SimError } from "../core/errors.js";
import type { Clock } from "../core/clock.js";
import { parseCertificate } from "../pki/certificate.js";
import type { Identity, Issuer } from "../pki/pki.js";
import { freshState, initiateAuthentication, POLICY, RspServer, trustChain, type Notes, type Outcome, type Policy, type RspRequest } from "../rsp/index.js";
import { authenticateClient, cancelSession, getBoundProfilePackage } from "./download.js";
import { handleNotification } from "./notifications.js";
import { addOrder, orderOf, updateOrder, type OrderOptions } from "./orders.js";
import type { DownloadSession, NotificationRecord, Order, SmdpState } from "./state.js";

/** What an SM-DP+ needs of a Pki. */
export interface SmdpPki {
  readonly ci: Issuer;
  readonly dpAuth: Identity;
  readonly dpPb: Identity;
}

export interface SmdpOptions {
  /** One, or several for several CIs; the eUICC's preference decides. */
  readonly pki: SmdpPki | readonly SmdpPki[];
  readonly clock: Clock;
  /** FQDN, with port where the activation code has one. Default "smdp.example.com". */
  readonly address?: string;
  /** For transaction ids, challenges, one-time keys. Default 0. */
  readonly seed?: number;
  /** Calendar time at 0 of the clock; absent: validity of certificates is not looked at. */
  readonly date?: Date;
  readonly policy?: Partial<Policy>;
}

export class Smdp extends RspServer<DownloadSession, SmdpState> {
  constructor(options: SmdpOptions) {
    const pkis = "ci" in options.pki ? [options.pki] : options.pki;
    const chains = pkis.map(({ ci, dpAuth, dpPb }) => {
      if (parseCertificate(dpAuth.certificate).curve !== parseCertificate(dpPb.certificate).curve) throw new SimError("pki", "expected CERT.DPauth and CERT.DPpb on one curve, got two");
      return trustChain(ci.certificate, dpAuth, dpPb);
    });
    if (chains.length === 0) throw new RangeError("expected at least one PKI, got none");
    const identity = { role: "smdp" as const, address: options.address ?? "smdp.example.com", chains, policy: { ...POLICY, ...options.policy } };
    const state: SmdpState = { ...freshState<DownloadSession>(options.seed ?? 0), nextOrder: 1, orders: new Map(), notifications: [] };
    super(identity, state, options.clock, options.date);
  }

  /** registeredID of CERT.DPauth, dotted. */
  get oid(): string {
    return this.core.identity.chains[0]?.oid as string;
  }

  /** Makes a download order. Throws TypeError, RangeError or SimError for options that don't fit. */
  order(options: OrderOptions): Order {
    return addOrder(this.core, options);
  }

  /** All orders as they are now. */
  get orders(): readonly Order[] {
    return [...this.core.state.orders.values()];
  }

  /** An order as it is now. Throws SimError "order" when there is none of that id. */
  orderById(id: number): Order {
    return orderOf(this.core, id);
  }

  /** Makes an allocated order downloadable. */
  release(id: number): Order {
    const order = orderOf(this.core, id);
    if (order.state !== "allocated") throw new SimError("order", `expected order ${id} to be allocated, it is ${order.state}`, { id });
    return updateOrder(this.core, order, { state: "released" });
  }

  /** The operator takes an order back, or ends its time. */
  end(id: number, state: "cancelled" | "expired"): Order {
    return updateOrder(this.core, orderOf(this.core, id), { state });
  }

  /** Notifications taken, in order of arrival, each once. */
  get notifications(): readonly NotificationRecord[] {
    return this.core.state.notifications;
  }

  /** Activation code of an order: 1$address$matchingId[$oid][$1] (SGP.22 v2.5 4.1). */
  activationCode(order: Order, options: { readonly withOid?: boolean; readonly prefix?: boolean } = {}): string {
    const oid = options.withOid === true ? this.oid : "";
    const code = order.confirmationCode === undefined ? [] : ["1"];
    const fields = ["1", this.address, order.matchingId, ...(oid !== "" || code.length > 0 ? [oid] : []), ...code];
    return `${options.prefix === true ? "LPA:" : ""}${fields.join("$")}`;
  }

  protected override run(request: RspRequest, notes: Notes): Outcome {
    switch (request.function) {
      case "initiateAuthentication":
        return { kind: "ok", answer: initiateAuthentication(this.core, request, notes) };
      case "authenticateClient":
        return { kind: "ok", answer: authenticateClient(this.core, request, notes) };
      case "getBoundProfilePackage":
        return { kind: "ok", answer: getBoundProfilePackage(this.core, request, notes) };
      case "cancelSession":
        return { kind: "ok", answer: cancelSession(this.core, request, notes) };
      case "handleNotification":
        handleNotification(this.core, request, notes);
        return { kind: "none" };
    }
  }
}
