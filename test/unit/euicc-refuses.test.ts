/** What the simulated eUICC refuses, with which code, and that it says why. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "../sim/core/bytes.js";
import { opened, ordinary, results, started } from "./euicc-kit.js";
import { REFUSALS } from "./euicc-refusal-cases.js";

describe("the eUICC refuses", () => {
  for (const one of REFUSALS) {
    test(one.title, () => {
      const { euicc, reader } = started(one.options ?? ordinary());
      one.prepare?.(reader);
      const before = euicc.snapshot().nonvolatile;
      if (one.sw !== undefined) {
        if (one.es10 !== undefined) assert.throws(() => reader.es10(one.es10 as Uint8Array));
        else reader.send(one.apdu as Uint8Array);
        assert.equal(reader.sw.toString(16), one.sw.toString(16));
        assert.deepEqual(euicc.snapshot().nonvolatile, before, "a refused command changes nothing");
      } else {
        const answer = reader.es10(one.es10 as Uint8Array);
        if (one.answer !== undefined) {
          assert.equal(toHex(answer), one.answer);
          if (one.changes !== true) assert.deepEqual(euicc.snapshot().nonvolatile, before, "a refused function changes nothing");
        }
        if (one.results !== undefined) assert.deepEqual(results(answer), one.results);
        if (one.signedError !== undefined) {
          const { alternative, members } = opened(answer);
          assert.deepEqual([alternative, members.at(-1)?.tag, members.at(-1)?.value[0]], [0xa1, 0x02, one.signedError]);
          assert.deepEqual(euicc.snapshot().nonvolatile, before, "a refused package changes nothing");
        }
      }
      const refusal = euicc.refusals.at(-1);
      assert.match(refusal?.why ?? "nothing was logged", one.why);
    });
  }
});
