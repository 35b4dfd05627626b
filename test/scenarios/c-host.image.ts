/** The shipped agent as a container for the C host, signed with a key of this process's own. */
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { makeContainer, signingKey, versionNumber } from "../../host/tool/container.js";
import { Agent, findAgent } from "../sim/agent/index.js";
import { ABI_VERSION } from "../sim/agent/abi.js";
import { CHostAgent, type CHostImage } from "../sim/agent/c-host.js";
import { SimError } from "../sim/core/errors.js";

const STACK = 2048;

/** A device that has the C host and the shipped agent. Throws SimError "no-engine" when its binding or the side table was not built. */
export function cHost(): CHostAgent {
  return CHostAgent.load(signedAgent());
}

function signedAgent(path = findAgent()): CHostImage {
  const side = path.replace(/\.wasm$/, ".side");
  if (!existsSync(side)) throw new SimError("no-engine", `expected the side table ${side}: build first (npm run build)`);
  const wasm = new Uint8Array(readFileSync(path));
  const key = signingKey(generateKeyPairSync("ec", { namedCurve: "P-256", privateKeyEncoding: { type: "sec1", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } }).privateKey);
  const container = makeContainer({ wasm, sideTable: new Uint8Array(readFileSync(side)), version: versionNumber("1.0.0"), abi: ABI_VERSION, memory: new Agent(wasm).memoryEnd, stack: STACK }, key);
  return { container, point: key.point, keyId: key.id };
}
