/**
 * Block-wise transfer, server side (RFC 7959 2; RFC 9175 3; coap-dtls 2): requests are put together, responses cut.
 * State is keyed by endpoint, method, URI and Request-Tag: never by token or Message ID, since clients rightly use new ones for each block.
 */
import { createHash } from "node:crypto";
import { concat, toHex, utf8 } from "../core/bytes.js";
import { blockOffset, blockOption, blockSize, blockText, type Block } from "./block.js";
import { code, type CoapOption } from "./codec.js";
import { all, opaque, Opt, uint, uintOf } from "./options.js";
import type { CoapResponse, Download, Draft, EndpointState, Upload } from "./state.js";

const NONE = new Uint8Array(0);
const KEY_OPTIONS = [Opt.UriHost, Opt.UriPort, Opt.UriPath, Opt.UriQuery, Opt.RequestTag];

/** Name of one operation at an endpoint. */
export function operationKey(method: number, options: readonly CoapOption[]): string {
  return [String(method), ...KEY_OPTIONS.map((number) => all(options, number).map(toHex).join("/"))].join(":");
}

/** An error answer with a sentence for people as diagnostic payload (RFC 7252 5.5.2). */
export function errorDraft(text: string, why: string, options: readonly CoapOption[] = []): Draft {
  return { code: code(text), options, payload: utf8(why) };
}

export interface UploadStep {
  readonly key: string;
  readonly block: Block;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
  /** Largest SZX that this server takes now. */
  readonly szx: number;
  readonly bodyLimit: number;
  readonly expires: number;
}

/** Takes one Block1 message: an answer for it, or the whole body once its last block is there. */
export function takeBlock(state: EndpointState, step: UploadStep): Draft | { readonly body: Uint8Array } {
  const { key, block, payload } = step;
  const wrong = shapeProblem(block, payload);
  if (wrong !== undefined) {
    state.uploads.delete(key);
    return errorDraft("4.00", wrong, [blockOption(Opt.Block1, block)]);
  }
  const upload = block.num === 0 ? begin(step) : state.uploads.get(key);
  const missing = gap(upload, step);
  if (upload === undefined || missing !== undefined) {
    state.uploads.delete(key);
    return errorDraft("4.08", missing ?? "", [blockOption(Opt.Block1, block)]);
  }
  const length = upload.length + payload.length;
  if (length > step.bodyLimit || (uintOf(step.options, Opt.Size1) ?? 0) > step.bodyLimit) {
    state.uploads.delete(key);
    return errorDraft("4.13", `a body of at most ${step.bodyLimit} octets expected`, [blockOption(Opt.Block1, { ...block, more: false }), uint(Opt.Size1, step.bodyLimit)]);
  }
  const parts = [...upload.parts, payload];
  if (!block.more) {
    state.uploads.delete(key);
    return { body: concat(...parts) };
  }
  state.uploads.set(key, { ...upload, parts, length, expires: step.expires });
  return { code: code("2.31"), options: [blockOption(Opt.Block1, { ...block, szx: Math.min(block.szx, step.szx) })], payload: NONE };
}

function begin(step: UploadStep): Upload {
  return { parts: [], length: 0, contentFormat: uintOf(step.options, Opt.ContentFormat), expires: step.expires };
}

function shapeProblem(block: Block, payload: Uint8Array): string | undefined {
  const size = blockSize(block.szx);
  if (payload.length === 0) return `Block1 ${blockText(block)}: a payload expected, got none`;
  if (block.more && payload.length !== size) return `Block1 ${blockText(block)}: ${size} octets expected, got ${payload.length}`;
  return payload.length > size ? `Block1 ${blockText(block)}: at most ${size} octets expected, got ${payload.length}` : undefined;
}

function gap(upload: Upload | undefined, { block, options }: UploadStep): string | undefined {
  if (upload === undefined) return `Block1 ${blockText(block)}: block 0 expected first`;
  if (upload.length !== blockOffset(block)) return `Block1 ${blockText(block)}: the block at octet ${upload.length} expected, got octet ${blockOffset(block)}`;
  const format = uintOf(options, Opt.ContentFormat);
  return format === upload.contentFormat ? undefined : `Content-Format ${upload.contentFormat ?? "(none)"} expected as in block 0, got ${format ?? "(none)"}`;
}

/** Keeps a response whose body does not fit one block, or that was asked for by blocks; undefined when it goes out whole. */
export function startDownload(response: CoapResponse, asked: Block | undefined, szxLimit: number, expires: number): Download | undefined {
  const body = response.payload ?? NONE;
  const szx = Math.min(asked?.szx ?? 6, szxLimit);
  if (body.length <= blockSize(szx) && (asked === undefined || body.length === 0)) return undefined;
  const etag = createHash("sha256").update(body).digest().subarray(0, 4);
  return { body, code: response.code, szx, head: [opaque(Opt.ETag, new Uint8Array(etag)), ...headOf(response)], cutAfter: response.cutAfter, expires };
}

/** Options of a response beside those of its blocks. */
export function headOf(response: CoapResponse): CoapOption[] {
  const { contentFormat, maxAge } = response;
  return [...(contentFormat === undefined ? [] : [uint(Opt.ContentFormat, contentFormat)]), ...(maxAge === undefined ? [] : [uint(Opt.MaxAge, maxAge)])];
}

/** The part of a download that begins at `offset`, in blocks of SZX: offset is a multiple of their size. "silence" behind its cut. */
export function slice(download: Download, offset: number, szx: number): Draft | "silence" {
  const size = blockSize(szx);
  if (offset > 0 && offset >= download.body.length) return errorDraft("4.00", `Block2: a block before octet ${download.body.length} expected, got octet ${offset}`);
  if (download.cutAfter !== undefined && offset >= download.cutAfter) return "silence";
  const more = offset + size < download.body.length;
  const block = blockOption(Opt.Block2, { num: offset / size, more, szx });
  const total = offset === 0 ? [uint(Opt.Size2, download.body.length)] : [];
  return { code: download.code, options: [...download.head, block, ...total], payload: download.body.slice(offset, offset + size) };
}
