/**
 * Control interface of the simulated eIM: HTTP and JSON, for scripts and laboratories, on the loopback interface only (it has no authentication).
 * Octets are upper-case hexadecimal. Errors: {"error":{"code","message","expected","got"}} with a fitting HTTP status.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fromUtf8, toHex } from "../core/bytes.js";
import { SimError } from "../core/errors.js";
import type { Curve } from "../pki/keys.js";
import { DescriptionError, hex, list, object, optional, parseJson, readPackage, string, whole } from "./describe.js";
import type { DeviceOptions, Eim } from "./eim.js";
import { readBody, start, type RunningServer } from "./server.js";
import type { DeviceState, PackageRecord } from "./state.js";

const BODY_LIMIT = 65_536;

export interface ControlOptions {
  readonly host?: string;
  readonly port?: number;
  /** CI certificates of devices that are registered without any. */
  readonly ciCertificates?: readonly Uint8Array[];
  /** Called after each change. */
  readonly onChange?: () => void;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly allow?: string;
}

/** What the interface can do, one line each: for --help. */
export const CONTROL_HELP = [
  "GET  /devices                     all devices, one line each",
  "POST /devices                     register: {\"eid\", \"euiccCertificate\"?, \"eumCertificate\"?, \"ciCertificates\"?, \"associationToken\"?, \"counter\"?, \"curve\"?}",
  "GET  /devices/EID                 what is known of a device, with its packages",
  "POST /devices/EID/packages        queue a package (see PACKAGES)",
  "GET  /devices/EID/results         results accepted, each once",
  "GET  /devices/EID/notifications   notifications taken, each once",
  "GET  /outbox                      notifications that wait for their SM-DP+",
  "GET  /audit                       every exchange",
].join("\n");

/** Serves the control interface. Throws RangeError for a host that is not loopback. */
export function serveControl(eim: Eim, options: ControlOptions = {}): Promise<RunningServer> {
  const host = options.host ?? "127.0.0.1";
  if (!isLoopback(host)) throw new RangeError(`expected a loopback address for the control interface, got "${host}"`);
  const server = createServer((incoming, outgoing) => {
    answerTo(eim, incoming, options).then((answer) => send(outgoing, answer), () => outgoing.destroy());
  });
  return start(server, host, options.port ?? 0, "http");
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

async function answerTo(eim: Eim, incoming: IncomingMessage, options: ControlOptions): Promise<Answer> {
  const body = await readBody(incoming, BODY_LIMIT);
  if (body.length > BODY_LIMIT) return failure(413, "tooLarge", `body: at most ${BODY_LIMIT} octets expected, got more`);
  try {
    return route(eim, incoming.method ?? "", (incoming.url ?? "").split("?")[0] ?? "", body, options);
  } catch (cause) {
    return failed(cause);
  }
}

type Handler = (body: Uint8Array) => Answer;

function route(eim: Eim, method: string, path: string, body: Uint8Array, options: ControlOptions): Answer {
  const handlers = handlersOf(eim, path, options);
  if (handlers === undefined) return failure(404, "notFound", `path: one of those in --help expected, got ${path}`);
  const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
  if (handler === undefined) {
    const allow = Object.keys(handlers).join(", ");
    return { ...failure(405, "methodNotAllowed", `method: ${allow} expected, got ${method}`, allow, method), allow };
  }
  return handler(body);
}

function handlersOf(eim: Eim, path: string, options: ControlOptions): Readonly<Record<string, Handler>> | undefined {
  if (path === "/audit") return { GET: () => ok(eim.seen) };
  if (path === "/outbox") return { GET: () => ok(eim.outbox()) };
  if (path === "/devices") return { GET: () => ok(eim.devices.map((eid) => summary(eim.device(eid)))), POST: (body) => register(eim, body, options) };
  const [, eid, part] = /^\/devices\/([^/]+)(?:\/(packages|results|notifications))?$/.exec(path) ?? [];
  if (eid === undefined) return undefined;
  if (part === undefined) return { GET: () => ok(eim.device(eid)) };
  if (part === "results") return { GET: () => ok(eim.results(eid)) };
  if (part === "notifications") return { GET: () => ok(eim.notifications(eid)) };
  return { GET: () => ok(eim.device(eid).packages), POST: (body) => enqueue(eim, eid, body, options) };
}

function register(eim: Eim, body: Uint8Array, options: ControlOptions): Answer {
  const device = readDevice(parseJson(fromUtf8(body), "body"), options);
  if (eim.devices.includes(device.eid)) return failure(409, "conflict", `EID ${device.eid} is registered already`, "an EID that is not registered", device.eid);
  eim.addDevice(device);
  options.onChange?.();
  return { status: 201, body: summary(eim.device(device.eid)) };
}

function enqueue(eim: Eim, eid: string, body: Uint8Array, options: ControlOptions): Answer {
  eim.device(eid);
  const { content, options: queueOptions } = readPackage(parseJson(fromUtf8(body), "body"));
  const record: PackageRecord = eim.queue(eid, content, queueOptions);
  options.onChange?.();
  return { status: 201, body: record };
}

function readDevice(value: unknown, options: ControlOptions): DeviceOptions {
  const given = object(value, "device", ["eid", "euiccCertificate", "eumCertificate", "ciCertificates", "associationToken", "counter", "curve"]);
  const eid = string(given.eid, "eid");
  if (!/^[0-9]{32}$/.test(eid)) throw new DescriptionError("eid", "32 digits", eid);
  const euiccCertificate = optional(given.euiccCertificate, "euiccCertificate", hex);
  const eumCertificate = optional(given.eumCertificate, "eumCertificate", hex);
  const ciCertificates = optional(given.ciCertificates, "ciCertificates", (item, where) => list(item, where).map((der) => hex(der, where)));
  const associationToken = optional(given.associationToken, "associationToken", whole);
  const counter = optional(given.counter, "counter", whole);
  const curve = optional(given.curve, "curve", readCurve);
  return {
    eid,
    ciCertificates: ciCertificates ?? options.ciCertificates ?? [],
    ...(euiccCertificate && { euiccCertificate }),
    ...(eumCertificate && { eumCertificate }),
    ...(associationToken !== undefined && { associationToken }),
    ...(counter !== undefined && { counter }),
    ...(curve && { curve }),
  };
}

function readCurve(value: unknown, where: string): Curve {
  if (value !== "P-256" && value !== "brainpoolP256r1") throw new DescriptionError(where, "P-256 or brainpoolP256r1", value);
  return value;
}

function summary(device: DeviceState): Record<string, unknown> {
  const { eid, counter, associationToken, packages, results, notifications } = device;
  return {
    eid,
    counter,
    associationToken,
    queued: packages.filter((record) => record.state === "queued").length,
    results: results.length,
    notifications: notifications.length,
  };
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function failure(status: number, code: string, message: string, expected?: unknown, got?: unknown): Answer {
  return { status, body: { error: { code, message, expected, got } } };
}

/** Misuse becomes an answer; anything else is a defect of ours, and says so. */
function failed(cause: unknown): Answer {
  if (cause instanceof DescriptionError) return failure(400, cause.code, cause.message, cause.detail.expected, cause.detail.got);
  if (cause instanceof SimError) return failure(cause.code === "unknownDevice" ? 404 : 422, cause.code, cause.message, undefined, cause.detail);
  if (cause instanceof TypeError || cause instanceof RangeError) return failure(422, "value", cause.message);
  return failure(500, "internal", (cause as Error).message);
}

function send(outgoing: ServerResponse, { status, body, allow }: Answer): void {
  const text = JSON.stringify(body, (_name, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value));
  const framing: Record<string, string> = { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) };
  if (allow !== undefined) framing.allow = allow;
  if (status === 413) framing.connection = "close";
  outgoing.writeHead(status, framing).end(text);
}
