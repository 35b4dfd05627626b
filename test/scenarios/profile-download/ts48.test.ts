/** Public test profiles of GSMA TS.48 through a whole download, where they are at hand; the product's own profiles prove the same without them. */
import { existsSync, readFileSync } from "node:fs";
import { defineScenario, registerScenario } from "../../sim/index.js";
import { exactly } from "./sizes.js";
import { DOWNLOADED, installedQuietly, orderAndTrigger, theOrder, WITH_SMDP } from "./view.js";

const TS48 = new URL("../../../../../../shared/data/ts48/", import.meta.url);

for (const name of ["TS48v1_A", "TS48v4_SAIP2.3_NoBERTLV", "TS48v5_SAIP2.3_BERTLV_SUCI"]) {
  const file = new URL(`${name}.der`, TS48);
  if (!existsSync(file)) continue;
  registerScenario(
    defineScenario({
      name: `the public test profile ${name} is downloaded`,
      objectives: ["H10"],
      world: { ...WITH_SMDP, euicc: { download: { freeMemory: 1_000_000 } } },
      prepare: (world) => void orderAndTrigger(world, { profile: new Uint8Array(readFileSync(file)), iccid: DOWNLOADED, patchIccid: true }),
      claims: (world) => installedQuietly(world, theOrder(world)),
      traffic: exactly,
    }),
  );
}
