/** `--host`: the engine that runs the agent. */
import { Agent, findAgent, NATIVE_ENGINES, NativeAgent, type AgentLike } from "../sim/agent/index.js";
import { UsageError } from "./command.js";

/** The shipped agent in V8, or in an engine of the C host. Throws SimError "no-engine" when that was not built, UsageError for another name. */
export function engineOf(name = "v8"): AgentLike {
  if (name === "v8") return Agent.load(findAgent());
  const engine = NATIVE_ENGINES.find((known) => known === name);
  if (engine === undefined) throw new UsageError(`expected v8, ${NATIVE_ENGINES.join(" or ")} for --host, got "${name}"`);
  return NativeAgent.load(engine);
}
