/** The named behaviours of a simulated CoAP server (coap-dtls 7). Loss, duplicates, order and delay are the link's, not the server's. */
import { utf8, equal } from "../core/bytes.js";
import type { Behaviour, Incoming, Memory } from "./behaviour.js";
import { blockOf, blockOption, blockSize } from "./block.js";
import { code, type CoapOption } from "./codec.js";
import { first, opaque, Opt, uint } from "./options.js";
import type { Draft } from "./state.js";

const CONTINUE = code("2.31");
const NONE = new Uint8Array(0);

/** Empty ACK first, the answer as a CON of its own `delayMs` later (RFC 7252 5.2.2). */
export function separate(delayMs = 0): Behaviour {
  return { name: `separate(${delayMs})`, delivery: (draft) => (draft.code === CONTINUE ? undefined : { how: "separate", delayMs }) };
}

/** The separate response overtakes the empty ACK (RFC 7252 5.2.2). */
export function early(): Behaviour {
  return { name: "early()", delivery: (draft) => (draft.code === CONTINUE ? undefined : { how: "early" }) };
}

/** Blocks no larger than SZX, from the block with number `from` on, both ways (RFC 7959 2.3, 2.4). */
export function reducesSzx(szx: number, from = 0): Behaviour {
  const reached = (incoming: Incoming): boolean => Math.max(incoming.block1?.num ?? 0, incoming.block2?.num ?? 0) >= from;
  return {
    name: `reducesSzx(${szx}, ${from})`,
    szx(incoming, memory) {
      if (reached(incoming)) memory.on = 1;
      return memory.on === 1 ? szx : undefined;
    },
  };
}

/** Loses what it has collected at block `num` of an upload: 4.08 (RFC 7959 2.9.2). */
export function incompleteAt(num: number, times = 1): Behaviour {
  return limited(`incompleteAt(${num})`, times, (incoming) =>
    incoming.block1?.num === num ? { answer: { code: code("4.08"), options: [blockOption(Opt.Block1, incoming.block1)], payload: utf8("blocks were lost") }, forget: true } : undefined,
  );
}

/** 4.13 with Size1, and with Block1 of a smaller SZX where one is given (RFC 7959 2.9.3). */
export function tooLarge(limit: number, szx?: number, times = 1): Behaviour {
  return limited(`tooLarge(${limit})`, times, (incoming) => {
    if (incoming.message.payload.length === 0 || (szx !== undefined && incoming.block1 !== undefined && incoming.block1.szx <= szx)) return undefined;
    const hint = szx === undefined ? [] : [blockOption(Opt.Block1, { num: 0, more: false, szx })];
    return { answer: { code: code("4.13"), options: [...hint, uint(Opt.Size1, limit)], payload: NONE }, forget: true };
  });
}

/** The representation changes at block `num` of a download: another ETag. */
export function changesETag(num: number, times = 1): Behaviour {
  return onDownload(`changesETag(${num})`, num, times, (draft) => replace(draft, opaque(Opt.ETag, Uint8Array.of(0xde, 0xad))));
}

/** Block `num` of a download comes with the next one's number. */
export function wrongNum(num: number, times = 1): Behaviour {
  return onDownload(`wrongNum(${num})`, num, times, (draft) => {
    const block = blockOf(draft.options, Opt.Block2);
    return block === undefined ? draft : replace(draft, blockOption(Opt.Block2, { ...block, num: block.num + 1 }));
  });
}

/** Block `num` of a download carries more octets than its SZX says. */
export function oversizeBlock(num: number, times = 1): Behaviour {
  return onDownload(`oversizeBlock(${num})`, num, times, (draft) => {
    const block = blockOf(draft.options, Opt.Block2);
    if (block === undefined) return draft;
    const payload = new Uint8Array(blockSize(block.szx) + 1);
    payload.set(draft.payload.subarray(0, payload.length));
    return { ...draft, payload };
  });
}

/** 5.03 with Max-Age, so many times (RFC 7252 5.9.3.4). */
export function unavailable(maxAgeS: number, times = 1): Behaviour {
  return limited(`unavailable(${maxAgeS})`, times, () => ({ answer: { code: code("5.03"), options: [uint(Opt.MaxAge, maxAgeS)], payload: NONE } }));
}

/** Any error by its code: answers("4.29"). */
export function answers(text: string, times = 1, options: readonly CoapOption[] = []): Behaviour {
  return limited(`answers(${text})`, times, () => ({ answer: { code: code(text), options, payload: NONE } }));
}

/** 4.01 with Echo, until a request brings this Echo value (RFC 9175 2.3). */
export function echoChallenge(value: Uint8Array = utf8("echo-1")): Behaviour {
  return {
    name: "echoChallenge()",
    request(incoming) {
      const got = first(incoming.options, Opt.Echo);
      if (got !== undefined && equal(got, value)) return undefined;
      return { answer: { code: code("4.01"), options: [opaque(Opt.Echo, value)], payload: NONE } };
    },
  };
}

/** A Reset in place of an answer, so many times. */
export function resets(times = 1): Behaviour {
  return limited("resets()", times, () => "reset");
}

/** No answer and no acknowledgement, so many times. */
export function silent(times = 1): Behaviour {
  return limited("silent()", times, () => "silence");
}

/** An option is added to every answer: a critical one that nobody knows must be refused by the client (RFC 7252 5.4.1). */
export function addsOption(number: number, value: Uint8Array = NONE): Behaviour {
  return { name: `addsOption(${number})`, reply: (draft) => ({ ...draft, options: [...draft.options, opaque(number, value)] }) };
}

/** Misbehaves from the nth request message on only (0: the first). */
export function after(n: number, behaviour: Behaviour): Behaviour {
  const due = (memory: Memory): boolean => (memory.after ?? 0) > n;
  return {
    name: `after(${n}, ${behaviour.name})`,
    request(incoming, memory) {
      memory.after = (memory.after ?? 0) + 1;
      return due(memory) ? behaviour.request?.(incoming, memory) : undefined;
    },
    szx: (incoming, memory) => (due(memory) ? behaviour.szx?.(incoming, memory) : undefined),
    reply: (draft, incoming, memory) => (due(memory) ? behaviour.reply?.(draft, incoming, memory) ?? draft : draft),
    delivery: (draft, incoming, memory) => (due(memory) ? behaviour.delivery?.(draft, incoming, memory) : undefined),
  };
}

function limited(name: string, times: number, request: NonNullable<Behaviour["request"]>): Behaviour {
  return {
    name,
    request(incoming, memory) {
      if ((memory.done ?? 0) >= times) return undefined;
      const directive = request(incoming, memory);
      if (directive !== undefined) memory.done = (memory.done ?? 0) + 1;
      return directive;
    },
  };
}

function onDownload(name: string, num: number, times: number, change: (draft: Draft) => Draft): Behaviour {
  return {
    name,
    reply(draft, _incoming, memory) {
      if (blockOf(draft.options, Opt.Block2)?.num !== num || (memory.done ?? 0) >= times) return draft;
      memory.done = (memory.done ?? 0) + 1;
      return change(draft);
    },
  };
}

function replace(draft: Draft, option: CoapOption): Draft {
  return { ...draft, options: [...draft.options.filter(({ number }) => number !== option.number), option] };
}
