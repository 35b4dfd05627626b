/** Every scenario on every engine of the C host, compared with V8: octet by octet of each op, and the end state (engines.test.ts has a share). */
import { test } from "node:test";
import { hasEngine, NATIVE_ENGINES, NativeAgent } from "../sim/agent/index.js";
import { compareWithV8 } from "./compare.js";
import { scenarios } from "./index.js";

for (const engine of NATIVE_ENGINES) {
  const skip = hasEngine(engine) ? false : `no C compiler: the binding with ${engine} was not built`;
  test(`all ${scenarios.length} scenarios run on ${engine} as in V8, op by op`, { skip }, () => compareWithV8(NativeAgent.load(engine), scenarios));
}
