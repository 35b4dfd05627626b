/**
 * The simulated world as a library: `new World()`, its peers, and scenarios. `Agent` and `Host` are for those who bring their own world.
 */
export { BOOTSTRAP, EIM_FQDN, iccid, OPERATIONAL, sharedPki, SMDP_ADDRESS, SMDS_ADDRESS, type WorldEim, type WorldOptions, type WorldSmdp, type WorldSmds } from "./world-options.js";
export { cutNumber, until, World, type Bounds, type Moment, type Until, type WorldSnapshot } from "./world.js";
export { cutScenario, defineScenario, registerScenario, repeatLine, runScenario, type Run, type RunOptions, type Scenario } from "./scenario.js";
export { differences, endState, type EndState } from "./end-state.js";
export { Agent, configuration, findAgent, Host, HttpsLink, MemoryStore, RawUicc, Report, type AgentLike, type Configuration, type EventMessage, type OpMessage } from "./agent/index.js";
export { behaviours, dataRequest, downloadTrigger, eco, Eim, psmo, rawPackage } from "./eim/index.js";
export { Euicc } from "./euicc/index.js";
export { faults } from "./link/index.js";
export { behaviours as rspBehaviours, sampleProfile, Smdp } from "./smdp/index.js";
export { Smds } from "./smds/index.js";
export { Modem } from "./modem/index.js";
export { Trace } from "./core/trace.js";
