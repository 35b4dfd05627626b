/**
 * Every message of a profile download, on the shipping wasm: split at every point, in pieces of one octet, and cut off at every point (SGP.32 v1.2 3.2.3; SGP.22 v2.5
 * 5.6, 6.5; host/README.md, LinkReceive). A split changes nothing that is done; behind a cut the eIM is never told an installation that the eUICC has not signed.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { prepare, type Scene } from "../robustness/material.js";
import { play, type Deeds } from "../robustness/play.js";
import type { Understudy } from "../robustness/understudy.js";
import { toHex } from "../sim/core/bytes.js";
import { findAgent, Report } from "../sim/index.js";

/** Longer messages are tried at every point near their ends, and at every STRIDE-th else: no length of a piece or a field is a multiple of it. */
const LONG = 200;
const STRIDE = 11;
const EDGE = 30;

const material = await prepare(new Uint8Array(readFileSync(findAgent())), "downloads");
const scenes = ["activation code", "several blocks, session keys replaced, pieces of any size", "Confirmation Code", "SM-DS"].flatMap((name) => ["indirect", "direct"].map((way) => sceneOf(`${way}: ${name}`)));

interface Message {
  readonly scene: Scene;
  readonly at: number;
  readonly side: "card" | "server";
  readonly tag: string;
  readonly bytes: Uint8Array;
}

function sceneOf(name: string): Scene {
  const scene = material.scenes.find((one) => one.name === name);
  assert.ok(scene !== undefined, name);
  return scene;
}

/** Messages from the trigger on. */
function messagesOf(scene: Scene): Message[] {
  const { card, eim } = scene.script;
  const from = eim[0]?.at ?? 0;
  return [
    ...card.filter((item) => item.at > from).map(({ at, tag, answer }): Message => ({ scene, at, side: "card", tag, bytes: answer })),
    ...eim.map(({ at, tag, answer }): Message => ({ scene, at, side: "server", tag, bytes: answer.body })),
  ].filter((message) => message.bytes.length > 0);
}

function points(length: number): number[] {
  return Array.from({ length }, (_, n) => n).filter((n) => length <= LONG || n % STRIDE === 0 || n < EDGE || n >= length - EDGE);
}

const done = ({ sleepMs: _sleepMs, ...deeds }: Deeds): Omit<Deeds, "sleepMs"> => deeds;

function played(message: Message, what: string, tune: (peers: Understudy) => void): Deeds {
  try {
    return play(material, message.scene, message.at, tune);
  } catch (error) {
    throw new Error(`${message.tag} at event ${message.at} of "${message.scene.name}" ${what}: ${(error as Error).message}`, { cause: error });
  }
}

for (const scene of scenes) {
  describe(scene.name, () => {
    const messages = messagesOf(scene);

    test("split at any point each message is the same message", (t) => {
      let splits = 0;
      for (const message of messages) {
        const whole = done(played(message, "whole", () => undefined));
        // No piece is empty; behind the last octet of a body its end may come alone.
        for (const n of points(message.bytes.length + (message.side === "card" ? 0 : 1)).slice(1)) {
          splits++;
          const deeds = played(message, `split behind ${n} octets`, (peers) => (message.side === "card" ? (peers.splitCard = n) : (peers.splitReply = n)));
          assert.deepEqual(done(deeds), whole, `${message.tag} at event ${message.at} split behind ${n} octets`);
        }
      }
      t.diagnostic(`${splits} splits`);
    });

    test("all in pieces of one octet, and of seven, it is the same download", () => {
      const [first] = messages.filter((message) => message.side === "server");
      assert.ok(first !== undefined);
      const whole = done(played(first, "whole", () => undefined));
      for (const piece of [1, 7]) assert.deepEqual(done(played(first, `in pieces of ${piece}`, (peers) => Object.assign(peers, { piece, chunk: 16 + piece }))), whole);
    });

    test("cut off at any point no message makes the IPA tell an installation that the eUICC has not signed", (t) => {
      let cuts = 0;
      const signed = scene.script.card.flatMap((item) => [...toHex(item.answer).matchAll(/BF3781[0-9A-F]{2}BF27/g)].map((found) => toHex(item.answer).slice(found.index)));
      for (const message of messages) {
        for (const n of points(message.bytes.length)) {
          cuts++;
          const bytes = message.bytes.slice(0, n);
          const deeds = played(message, `cut off behind ${n} octets`, (peers) => (message.side === "card" ? (peers.nextCard = bytes) : (peers.nextReply = { code: 200, retryAfter: 0, body: bytes })));
          for (const request of deeds.requests.filter((one) => one.startsWith("BF3D") && one.includes("BF3781"))) {
            const pir = request.slice(request.indexOf("BF3781"));
            assert.ok(signed.some((one) => one.startsWith(pir)), `${message.tag} cut off behind ${n} octets: ${request}`);
          }
          const installed = deeds.reports.some(([code]) => code === Report.ProfileInstalled);
          assert.ok(!installed || signed.length > 0);
        }
      }
      t.diagnostic(`${cuts} truncations`);
    });
  });
}
