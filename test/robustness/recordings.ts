/**
 * Rich runs of the agent in the simulated world, recorded event by event: what the mutations begin from.
 * Before each event stands an image of all that the agent remembers.
 */
import { tlv } from "../sim/codec/tlv.js";
import { Agent, type AgentLike, type EventMessage, type OpMessage } from "../sim/agent/index.js";
import { checkOp, initialOpRules, settleOp, type OpRulesState } from "../sim/agent/op-rules.js";
import { Event, Flag, Op } from "../sim/agent/abi.js";
import { behaviours, dataRequest, downloadTrigger, eco, iccid, OPERATIONAL, psmo, until, World, type WorldOptions } from "../sim/index.js";
import { parseCertificate } from "../sim/pki/certificate.js";
import type { ExchangeEntry } from "../sim/core/trace.js";

/** One event, and all that stood before it. */
export interface Step {
  /** The agent's memory. */
  readonly image: Uint8Array;
  readonly rules: OpRulesState;
  /** What the event answers; null: it is a Start. */
  readonly op: OpMessage | null;
  readonly event: EventMessage;
  readonly now: number;
  readonly store: ReadonlyMap<number, Uint8Array>;
}

export interface Recording {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly exchanges: readonly ExchangeEntry[];
}

interface Raw {
  readonly image: Uint8Array;
  readonly event: EventMessage;
  readonly now: number;
  readonly op: OpMessage;
}

/** The agent, noting what it is told. All its copies write into the same list. */
class Recorder implements AgentLike {
  readonly capacity: number;
  constructor(readonly agent: Agent, readonly notes: Raw[]) {
    this.capacity = agent.capacity;
  }
  step(event: EventMessage, now: number): OpMessage {
    const image = this.agent.snapshot();
    const op = this.agent.step(event, now);
    this.notes.push({ image, event: { ...event, payload: (event.payload ?? new Uint8Array(0)).slice() }, now, op });
    return op;
  }
  snapshot(): Uint8Array {
    return this.agent.snapshot();
  }
  restore(state: Uint8Array): void {
    this.agent.restore(state);
  }
  fresh(): Recorder {
    return new Recorder(this.agent.fresh(), this.notes);
  }
}

/** One run to record: a world, and what is played in it before it goes on to rest. */
export interface Run {
  readonly name: string;
  readonly world?: WorldOptions;
  readonly play?: (world: World) => Promise<void> | void;
}

const HIGHEST_CHANNEL = 19;
const TWO = { eims: [{}, { fqdn: "second.example.com" }] };
const EVERYTHING = [0xa0, 0x81, 0xa2, 0xbf20, 0xbf22, 0x83, 0x84, 0xa5, 0xa6, 0xa8, 0xa9];

/** Operational profiles, so that lists become longer than the agent's memory. */
function manyProfiles(count: number): NonNullable<WorldOptions["profiles"]> {
  return Array.from({ length: count }, (_, n) => ({ iccid: iccid(n + 1), enabled: n === 0, profileName: `Profile number ${n} of a long list`, serviceProviderName: "A long provider name" }));
}

function keyId(world: World): Uint8Array {
  return parseCertificate(world.pki.ci.certificate).subjectKeyId as Uint8Array;
}

function provision(): Uint8Array {
  return tlv(0xbf57, tlv(0xa0, new World().eim.configurationData({ associationToken: "request" })));
}

/** Polls and packages of all kinds. */
export const POLLS: readonly Run[] = [
  { name: "nothing" },
  {
    name: "enable with rollback granted",
    play: (world) => {
      world.eim.queue(world.eid, psmo.listProfileInfo());
      world.eim.queue(world.eid, [psmo.getRAT(), psmo.enable(OPERATIONAL, { rollback: true })]);
      world.eim.queue(world.eid, [psmo.setDefaultDpAddress("dp.example.com"), psmo.setFallbackAttribute(OPERATIONAL)]);
    },
  },
  {
    name: "rollback",
    play: (world) => {
      world.modem.coverage(OPERATIONAL, "none");
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
    },
  },
  {
    name: "data",
    world: { configuration: { switches: ["NoBundle"], deviceCapabilities: tlv(0x80, [11, 0, 0]) } },
    play: async (world) => {
      world.eim.use(behaviours.forFunction(0xbf3d, behaviours.status(500)));
      world.eim.use(behaviours.emptyAcknowledgement());
      world.eim.queue(world.eid, [psmo.enable(OPERATIONAL)]);
      await world.run(until.polls(2));
      world.eim.queue(world.eid, dataRequest({ tags: EVERYTHING, ciPkId: keyId(world).subarray(0, 2), notification: { event: [1, 2] } }));
      world.eim.queue(world.eid, dataRequest({ tags: EVERYTHING, notification: { seqNumber: 1 }, euiccPackageResult: { seqNumber: 3 } }));
      world.wake("poll");
    },
  },
  {
    name: "eIM configuration",
    world: { configuration: { switches: ["RemoveOwnEpr"] }, euicc: { apdu: { response: "9000", firstChannel: 7 } } },
    play: (world) => {
      const other = new World({ eims: [{ fqdn: "other.example.com" }] }).eim.configurationData({ associationToken: "request" });
      world.eim.queue(world.eid, [eco.listEim(), eco.addEim(other)]);
      world.eim.queue(world.eid, [eco.updateEim(other), eco.deleteEim(world.eim.eimId)]);
    },
  },
  { name: "association", world: { eims: [{ association: null }], provision: provision(), euicc: { apdu: { response: "9000" } } } },
  {
    name: "two eIMs",
    world: { ...TWO, euicc: { quirks: ["eim-list-split", "non-minimal-lengths", "unknown-trailing"], apdu: { responseChunk: 40 } }, configuration: { blockSize: 60 } },
    play: (world) => {
      world.link.split("random");
      for (const eim of world.eims) eim.queue(world.eid, [psmo.delete(OPERATIONAL), psmo.listProfileInfo()]);
      world.eim.queue(world.eid, dataRequest({ tags: EVERYTHING }));
    },
  },
  {
    name: "parked notifications",
    world: { configuration: { switches: ["NoBundle"] } },
    play: async (world) => {
      world.eim.use(behaviours.nth(1, behaviours.forFunction(0xbf3d, behaviours.status(400))));
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL));
      await world.run(until.time(3 * 3_600_000));
    },
  },
  {
    name: "long lists",
    world: { profiles: manyProfiles(40), configuration: { switches: ["LegacyTags"] } },
    play: (world) => {
      world.eim.queue(world.eid, psmo.listProfileInfo());
      world.eim.use(behaviours.once(behaviours.forFunction(0xbf50, behaviours.status(503, { retryAfter: 60 }))));
    },
  },
  {
    name: "refused packages",
    world: { configuration: { features: [] } }, // an IPA without profile download refuses a trigger
    play: (world) => {
      world.eim.queue(world.eid, downloadTrigger({ activationCode: "1$smdp.example.com$A" }));
      for (const kind of ["packageWithoutList", "dataRequestCutOff", "triggerCutOff"] as const) world.eim.use(behaviours.once(behaviours.malformedPackage(kind)));
      world.eim.use(behaviours.nth(3, behaviours.unknownPackage()));
    },
  },
  {
    name: "power cut behind an execution",
    play: async (world) => {
      world.eim.use(behaviours.once(behaviours.forFunction(0xbf50, behaviours.silent())));
      world.eim.queue(world.eid, psmo.enable(OPERATIONAL, { rollback: true }));
      await world.run(until.ops(62));
      world.powerCut();
    },
  },
];

/** Records the runs; the same wasm gives the same recordings. */
export async function record(agent: Agent, runs: readonly Run[] = POLLS): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const run of runs) recordings.push(await recordOne(run, agent));
  return recordings;
}

async function recordOne(run: Run, agent: Agent): Promise<Recording> {
  const notes: Raw[] = [];
  const world = new World({ ...run.world, agent: new Recorder(agent, notes) });
  const store = new Map(world.store.records);
  await run.play?.(world);
  await world.run(until.idle());
  return { name: run.name, steps: withState(notes, store, agent.capacity), exchanges: world.trace.exchanges };
}

/** Follows the host's rules and the store along the run. */
function withState(notes: readonly Raw[], store: Map<number, Uint8Array>, capacity: number): Step[] {
  let rules = initialOpRules();
  let before: OpMessage | null = null;
  let records = store;
  return notes.map(({ image, event, now, op }) => {
    const answered: OpMessage | null = event.kind === Event.Start ? null : before;
    const step: Step = { image, rules: { ...rules }, op: answered, event, now, store: records };
    if (answered === null) rules = initialOpRules();
    else settle(rules, answered, event);
    if (answered?.kind === Op.StoreWrite) records = written(records, answered);
    checkOp(rules, op, capacity);
    before = op;
    return step;
  });
}

/** What a carried-out op and its event change in the rules. */
export function settle(rules: OpRulesState, op: OpMessage, event: EventMessage): void {
  const flags = event.flags ?? 0;
  if (op.kind !== Op.Sleep) settleOp(rules, op, { ok: (event.status ?? 0) >= 0, channel: event.arg0 ?? 0, last: (flags & Flag.Last) !== 0 });
  const noChannel = op.kind === Op.UiccOpen && (event.arg0 ?? 0) > HIGHEST_CHANNEL;
  if ((flags & Flag.CardReset) !== 0 || noChannel) rules.channel = null;
}

export function written(records: ReadonlyMap<number, Uint8Array>, op: OpMessage): Map<number, Uint8Array> {
  const next = new Map(records);
  if (op.payload.length === 0) next.delete(op.arg0);
  else next.set(op.arg0, op.payload);
  return next;
}
