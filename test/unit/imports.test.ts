/** The import rules, on made-up trees: one that keeps them, and for each rule one that breaks just it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkImports, importsOf } from "../../host/tool/imports.js";

const GOOD: Record<string, string> = {
  "assembly/abi.ts": "",
  "assembly/tlv.ts": `import { Tag } from "./abi";`,
  "assembly/es10.ts": `import { Reader } from "./tlv";`,
  "assembly/procedures/euicc-package.ts": `import { load } from "../es10";`,
  "assembly/procedures/notification-delivery.ts": `import { list } from "../es10";`,
  "assembly/agent.ts": `import { step } from "./procedures/euicc-package";`,
  "assembly/index.ts": `export { ipa_step } from "./agent";`,
  "assembly/__tests__/tlv.spec.ts": `import { Reader } from "../tlv";`,
  "test/sim/core/bytes.ts": `import { createHash } from "node:crypto";`,
  "test/sim/codec/tlv.ts": `import { toHex } from "../core/bytes.js";`,
  "test/sim/pki/keys.ts": `import { tlv } from "../codec/tlv.js";`,
  "test/sim/euicc/index.ts": `import { sign } from "../pki/keys.js";\nimport { a } from "./state.js";`,
  "test/sim/euicc/state.ts": "",
  "test/sim/eim/index.ts": `import { verify } from "../pki/keys.js";`,
  "test/sim/world.ts": `import { Euicc } from "./euicc/index.js";\nimport { Eim } from "./eim/index.js";`,
  "test/cli/decode.ts": `import { readAll } from "../sim/codec/tlv.js";`,
  "test/unit/keys.test.ts": `import { sign } from "../sim/pki/keys.js";`,
};

function problems(change: Record<string, string>): string[] {
  return checkImports(new Map(Object.entries({ ...GOOD, ...change })));
}

function refuses(change: Record<string, string>, expected: RegExp): void {
  const found = problems(change);
  assert.equal(found.length, 1, JSON.stringify(found));
  assert.match(found[0] as string, expected);
}

describe("import rules", () => {
  test("a tree that keeps them has no problems", () => {
    assert.deepEqual(problems({}), []);
  });

  test("a module of the agent imports only from layers below its own", () => {
    refuses({ "assembly/tags.ts": `import { Reader } from "./tlv";` }, /^assembly\/tags\.ts imports assembly\/tlv\.ts: a module imports only from layers below/);
    refuses({ "assembly/esipa.ts": `import { load } from "./agent";`, "assembly/agent.ts": "" }, /^assembly\/esipa\.ts imports assembly\/agent\.ts/);
    refuses({ "assembly/journal.ts": `import { step } from "./agent";` }, /^assembly\/journal\.ts imports assembly\/agent\.ts/);
  });

  test("a procedure never imports another", () => {
    refuses({ "assembly/procedures/notification-delivery.ts": `import { step } from "./euicc-package";` }, /a procedure never imports another/);
  });

  test("a module of the agent without a layer is named", () => {
    refuses({ "assembly/helpers.ts": "" }, /^assembly\/helpers\.ts has no layer/);
  });

  test("the agent imports nothing from outside assembly/, and no test of its own", () => {
    refuses({ "assembly/tlv.ts": `import { tlv } from "../test/sim/codec/tlv";` }, /imports nothing from outside assembly/);
    refuses({ "assembly/tlv.ts": `import { vector } from "./__tests__/vectors";`, "assembly/__tests__/vectors.ts": "" }, /never imports a test/);
  });

  test("sim and its tests never import assembly", () => {
    refuses({ "test/sim/codec/tlv.ts": `import { Tag } from "../../../assembly/tags.js";` }, /share nothing with the agent/);
    refuses({ "test/unit/keys.test.ts": `import { Tag } from "../../assembly/abi.js";` }, /share nothing with the agent/);
  });

  test("peers never import each other", () => {
    refuses({ "test/sim/eim/index.ts": `import { Euicc } from "../euicc/index.js";` }, /^test\/sim\/eim\/index\.ts imports test\/sim\/euicc\/index\.ts: eim may import core, codec, pki\b/);
    refuses({ "test/sim/agent/agent.ts": `import { Eim } from "../eim/index.js";` }, /agent may import core, codec, pki/);
  });

  test("codec and core import nothing above them, pki no peer", () => {
    refuses({ "test/sim/core/rng.ts": `import { sign } from "../pki/keys.js";` }, /core may import nothing else/);
    refuses({ "test/sim/codec/apdu.ts": `import { sign } from "../pki/keys.js";` }, /codec may import core/);
    refuses({ "test/sim/pki/keys.ts": `import { a } from "../euicc/state.js";` }, /pki may import core, codec/);
  });

  test("nothing below the world imports it, nothing in sim imports the command line or a test", () => {
    refuses({ "test/sim/modem/at.ts": `import { World } from "../world.js";` }, /nothing below the world imports it/);
    refuses({ "test/sim/world.ts": `import { command } from "../cli/decode.js";` }, /test\/sim imports nothing from outside itself/);
  });

  test("a folder of test/sim that no rule knows is named", () => {
    refuses({ "test/sim/helpers/x.ts": "" }, /^test\/sim\/helpers\/x\.ts is in no known folder/);
  });

  test("the build tools stand alone", () => {
    refuses({ "host/tool/gate.ts": `import { toHex } from "../../test/sim/core/bytes.js";` }, /the build tools stand alone/);
  });

  test("a cycle is shown as the way round; one of types only is none", () => {
    const three = (last: string): Record<string, string> => ({
      "test/sim/euicc/state.ts": `import { b } from "./b.js";`,
      "test/sim/euicc/b.ts": `import { c } from "./c.js";`,
      "test/sim/euicc/c.ts": last,
    });
    refuses(three(`import { a } from "./state.js";`), /^cycle: test\/sim\/euicc\/state\.ts → test\/sim\/euicc\/b\.ts → test\/sim\/euicc\/c\.ts → test\/sim\/euicc\/state\.ts$/);
    assert.deepEqual(problems(three(`import type { A } from "./state.js";`)), []);
  });

  test("imports over several lines, re-exports, dynamic and bare ones are seen, and text in comments is not", () => {
    const text = `
/**
 * import { x } from "./no.js";
 */
import {
  a,
  type B,
} from "./a.js";
export * from "./b.js";
import "./c.js";
const d = await import("./d.js");
import type { E } from "./e.js";
import { f } from "node:fs";
`;
    assert.deepEqual(importsOf("x/y.ts", text, new Map()).map(({ to, typeOnly }) => [to, typeOnly]), [
      ["x/a.js", false], ["x/b.js", false], ["x/c.js", false], ["x/d.js", false], ["x/e.js", true],
    ]);
  });
});
