/** `--host`: the engine that runs the agent. */
import { Agent, findAgent, NATIVE_ENGINES, NativeAgent, type AgentLike } from "../sim/agent/index.js";
import { UsageError } from "./command.js";

/**
 * The shipped agent in V8, or in an engine of the C host; `more`: what else a command takes. Throws SimError "no-engine" when that was not built,
 * UsageError for another name.
 */
export function engineOf(name = "v8", more: Readonly<Record<string, () => AgentLike>> = {}): AgentLike {
  const engines = Object.fromEntries(NATIVE_ENGINES.map((engine) => [engine, () => NativeAgent.load(engine)]));
  const known: Record<string, () => AgentLike> = { v8: () => Agent.load(findAgent()), ...engines, ...more };
  const make = Object.hasOwn(known, name) ? known[name] : undefined;
  if (make === undefined) throw new UsageError(`expected ${Object.keys(known).join(", ").replace(/, (\w+)$/, " or $1")} for --host, got "${name}"`);
  return make();
}
