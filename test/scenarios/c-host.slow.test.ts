/** Every scenario in the whole C host, compared with V8; those with power cuts, cut at every op (c-host.test.ts has a share). */
import { test } from "node:test";
import { hasCHost } from "../sim/agent/c-host.js";
import { compareWithV8, cutEverywhere } from "./compare.js";
import { cHost } from "./c-host.image.js";
import { scenarios } from "./index.js";

const skip = hasCHost() ? false : "no C compiler, or no Mbed TLS: the binding with the C host was not built";
const cut = scenarios.filter((scenario) => scenario.replay === "cut");

test(`all ${scenarios.length} scenarios end in the C host as in V8, and go there op by op`, { skip }, () => compareWithV8(cHost(), scenarios));

test(`all ${cut.length} scenarios with power cuts hold in the C host with the power cut at every op`, { skip }, (t) => cutEverywhere(cHost(), cut, t));
