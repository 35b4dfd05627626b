/**
 * What one poll is made of (SGP.32 v1.2 3.1.1.1, 5.14.5; procedures 3): packages one after the other until there are none, and the
 * eIM's own errors.
 */
import assert from "node:assert/strict";
import { fromHex } from "../../sim/core/bytes.js";
import { BOOTSTRAP, behaviours, dataRequest, defineScenario, eco, OPERATIONAL, psmo, rawPackage, Report, until, type Scenario, type World } from "../../sim/index.js";
import { asked, complaints, gets, pollsEnded, provided, results, pending } from "../esipa-view.js";

const MINUTE = 60_000;

const mixed = defineScenario({
  name: "packages of mixed kinds are worked on in order, each before the next one is asked for, until noEimPackageAvailable",
  objectives: ["C2", "D3", "F1"],
  prepare(world) {
    world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    world.eim.queue(world.eid, dataRequest({ tags: [0x81] }));
    world.eim.queue(world.eid, eco.listEim());
    world.eim.queue(world.eid, rawPackage(fromHex("BF7F03800101")));
    world.eim.queue(world.eid, psmo.getRAT());
  },
  claims(world) {
    assert.deepEqual(results(world), ["setDefaultDpAddress 0", "ipaEuiccData", "listEim 0", "eimPackageResultResponseError 2", "getRAT 0"]);
    assert.equal(world.eim.device(world.eid).data.defaultSmdpAddress, "dp.example.com");
    assert.deepEqual(pending(world), []);
  },
  traffic(world, trace) {
    const pair = ["GetEimPackage", "ProvideEimPackageResult"];
    assert.deepEqual(asked(world.eim), [...pair, ...pair, ...pair, ...pair, ...pair, "GetEimPackage"]);
    assert.deepEqual(pollsEnded(trace), [0]);
    assert.equal(trace.totals().connections, 1, "one connection for the whole loop");
    assert.deepEqual(complaints(world), []);
  },
  replay: "cut",
});

/** Digits of the PLMN as a person says them, and octets as in TS 24.008; none: unknown. */
const plmns = ([["262-01", "62F210"], ["001-01", "00F110"], ["310-410", "130014"], ["310-012", "132010"], ["unknown", ""]] as const).map(([digits, octets]) =>
  defineScenario({
    name: `rPLMN: a device registered with ${digits} sends ${octets === "" ? "no rPLMN" : octets}`,
    objectives: ["C1", "C5"],
    prepare: (world) => world.modem.plmn(BOOTSTRAP, fromHex(octets)),
    claims(world) {
      const optional = octets === "" ? "" : `8203${octets}`;
      assert.deepEqual(gets(world.eim), [`BF4F${octets === "" ? "12" : "17"}5A10${world.eid}${optional}`]);
      if (octets !== "") assert.equal(world.eim.device(world.eid).rPlmn, digits);
    },
  }));

/** The eIM says so once, and has a package the next time. */
const errors = ([[2, "eidNotFound", 10], [3, "invalidEid", 10], [4, "missingEid", 10], [127, "undefinedError", 0.8]] as const).map(([code, name, least]) =>
  defineScenario({
    name: `eimPackageError ${code} ${name} ends the poll without side effects, and the eIM is asked again later`,
    objectives: ["C3", "C7"],
    prepare(world) {
      world.eim.use(behaviours.once(behaviours.eimPackageError(code)));
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    until: until.polls(2),
    claims: (world) => assert.deepEqual([results(world), pending(world)], [["setDefaultDpAddress 0"], []]),
    traffic(world, trace) {
      const [first, ...others] = world.eim.seen;
      assert.equal(others[0]?.function, "GetEimPackage", "nothing else is sent after the error");
      assert.deepEqual(world.euicc.functions.filter((tag) => tag === 0xbf51), [0xbf51]);
      const refused = trace.reports.filter((report) => report.code === Report.DeviceRefused).map((report) => report.detail);
      assert.deepEqual(refused, code === 127 ? [] : [code], "a configuration problem is reported");
      const pause = (others[0]?.time ?? 0) - (first?.time ?? 0);
      assert.ok(pause >= least * MINUTE, `asked again after ${pause / 1000} s`);
      assert.equal(pollsEnded(trace)[0], -113);
    },
    replay: "cut",
  }));

/** A stranger's answer that is an error number of no meaning: as undefinedError. */
const otherError = defineScenario({
  name: "an eimPackageError that the standard does not know ends the poll as undefinedError does",
  objectives: ["C3"],
  prepare: (world) => void world.eim.use(behaviours.eimPackageError(77)),
  until: until.polls(1),
  claims(world, trace) {
    assert.ok(asked(world.eim).every((name) => name === "GetEimPackage"));
    assert.equal(pollsEnded(trace)[0], -113);
    assert.ok(!world.euicc.functions.includes(0xbf51));
  },
});

/** BF50 that refuses, as it must be, for what the agent can't work on. */
interface Unusable {
  readonly name: string;
  readonly prepare: (world: World) => void;
  readonly provided: string;
}

const TX = "8004BAD0BAD0";
const malformed = (kind: behaviours.Malformed, bytes: string): Unusable => ({
  name: `malformed package (${kind})`,
  prepare: (world) => void world.eim.use(behaviours.once(behaviours.malformedPackage(kind))),
  provided: bytes,
});
const raw = (name: string, der: string, bytes: string): Unusable => ({ name, prepare: (world) => void world.eim.use(behaviours.once(behaviours.unknownPackage(fromHex(der)))), provided: bytes });

const INVALID = "A003020101";
const INVALID_TX = `A009${TX}020101`;
const UNKNOWN = "A003020102";

/** Rows of procedures 27: unknownPackage, invalidPackageFormat with the eimTransactionId where it is readable, incorrectTagList. */
const unusable: readonly Unusable[] = [
  malformed("packageEmpty", INVALID),
  malformed("packageWithoutSignature", INVALID_TX),
  malformed("packageWithoutCounter", INVALID_TX),
  malformed("packageWithoutEid", INVALID_TX),
  malformed("packageWithoutList", INVALID_TX),
  malformed("packageCutOff", INVALID_TX),
  {
    name: "IpaEuiccDataRequest without tagList",
    prepare: (world) => void world.eim.queue(world.eid, rawPackage(fromHex("BF52068304BAD0BAD0"))),
    provided: `BF520BA109${TX}020101`,
  },
  malformed("dataRequestCutOff", INVALID),
  malformed("triggerWithUnknownAlternative", INVALID_TX),
  malformed("triggerWithEmptyChoice", INVALID_TX),
  malformed("triggerWithBadActivationCode", INVALID_TX),
  malformed("triggerCutOff", INVALID),
  raw("package without eimId", "BF512E301A5A10890490320011234500012345678901238101018204BAD0BAD0A002A6005F3701AA", INVALID_TX),
  raw("unknown package tag", "BF7F03800101", UNKNOWN),
  raw("unknown package tag of one octet", "850101", UNKNOWN),
  raw("unknown package without content", "BF6000", UNKNOWN),
  raw("package tag of three octets", "BF810103800101", UNKNOWN),
  raw("BF53, which only answers carry,", "BF5303800101", UNKNOWN),
  raw("SEQUENCE in the place of a package", "3003800101", UNKNOWN),
];

const refused: readonly Scenario[] = unusable.map(({ name, prepare, provided: bytes }) =>
  defineScenario({
    name: `${name} is answered ${bytes}, and the next package is executed`,
    objectives: ["C6"],
    prepare(world) {
      prepare(world);
      world.eim.queue(world.eid, psmo.setDefaultDpAddress("dp.example.com"));
    },
    claims(world) {
      assert.deepEqual(results(world).slice(-1), ["setDefaultDpAddress 0"]);
      assert.deepEqual(pending(world), []);
    },
    traffic(world, trace) {
      assert.equal(provided(world.eim)[0], bytes);
      assert.equal(provided(world.eim).length, 2);
      assert.equal(world.euicc.functions.filter((tag) => tag === 0xbf51).length, 1, "the eUICC never sees it");
      assert.deepEqual(pollsEnded(trace), [0], "in the same poll");
    },
  }));

/** Malformed once, cut at each op: a representative. */
const refusedAndCut = defineScenario({
  name: "an eUICC Package without signature leaves no trace on the eUICC, whatever is cut",
  objectives: ["C6"],
  prepare(world) {
    world.eim.queue(world.eid, rawPackage(fromHex("BF5106300482021234")));
    world.eim.queue(world.eid, psmo.getRAT());
  },
  claims(world) {
    assert.deepEqual(results(world), ["eimPackageResultResponseError 1", "getRAT 0"]);
    assert.deepEqual([world.enabled, pending(world)], [BOOTSTRAP, []]);
    assert.equal(world.euicc.profiles.length, 2, OPERATIONAL);
  },
  replay: "cut",
});

export const scenarios: readonly Scenario[] = [mixed, ...plmns, ...errors, otherError, ...refused, refusedAndCut];
