/**
 * Instructions of WebAssembly (core specification 2.0, section 5.4): names of all, immediates of those that the agent may use.
 * The subset is what the in-place engine executes: integers, structured control, one memory, bulk copy and fill, sign extension.
 * Left out of the subset: floating point, SIMD, references, tables and indirect calls, memory.grow, passive segments, threads, exceptions, tail calls.
 */

/** What follows an opcode: nothing, one LEB128 number, a block type, two numbers of a memory access, br_table's vector, one or two zero octets, a constant. */
export type Immediate = "none" | "index" | "block" | "memarg" | "table" | "memory" | "memory2" | "i32" | "i64";

/** From 0x45 to 0xC4 without a gap. */
const NUMERIC = `
i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u
i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u
f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge
i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr
i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr
f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign
f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign
i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u i64.extend_i32_s i64.extend_i32_u
i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64
f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64
i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s`.trim().split(/\s+/);

/** From 0x28 to 0x3E without a gap. */
const MEMORY = `
i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u
i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u
i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32`.trim().split(/\s+/);

const REFUSED: Readonly<Record<number, string>> = {
  0x06: "try", 0x07: "catch", 0x08: "throw", 0x09: "rethrow", 0x0a: "throw_ref",
  0x11: "call_indirect", 0x12: "return_call", 0x13: "return_call_indirect", 0x14: "call_ref", 0x15: "return_call_ref",
  0x18: "delegate", 0x19: "catch_all", 0x1c: "select (typed)", 0x1f: "try_table", 0x25: "table.get", 0x26: "table.set", 0x40: "memory.grow",
  0x43: "f32.const", 0x44: "f64.const", 0xd0: "ref.null", 0xd1: "ref.is_null", 0xd2: "ref.func",
  0xfb: "garbage collection (prefix FB)", 0xfd: "SIMD (prefix FD)", 0xfe: "threads (prefix FE)",
};

const CONTROL: Readonly<Record<number, readonly [string, Immediate]>> = {
  0x00: ["unreachable", "none"], 0x01: ["nop", "none"], 0x02: ["block", "block"], 0x03: ["loop", "block"], 0x04: ["if", "block"],
  0x05: ["else", "none"], 0x0b: ["end", "none"], 0x0c: ["br", "index"], 0x0d: ["br_if", "index"], 0x0e: ["br_table", "table"],
  0x0f: ["return", "none"], 0x10: ["call", "index"], 0x1a: ["drop", "none"], 0x1b: ["select", "none"],
  0x20: ["local.get", "index"], 0x21: ["local.set", "index"], 0x22: ["local.tee", "index"], 0x23: ["global.get", "index"], 0x24: ["global.set", "index"],
  0x3f: ["memory.size", "memory"], 0x41: ["i32.const", "i32"], 0x42: ["i64.const", "i64"],
};

/** Second numbers behind the prefix 0xFC. */
const PREFIX_FC = `
i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u
memory.init data.drop memory.copy memory.fill table.init elem.drop table.copy table.grow table.size table.fill`.trim().split(/\s+/);

const ALLOWED_FC: Readonly<Record<number, Immediate>> = { 10: "memory2", 11: "memory" };

/** An instruction by its opcode: the immediate when it is of the subset, undefined when it is refused. */
export function opcode(code: number): { name: string; immediate: Immediate | undefined } {
  const control = CONTROL[code];
  if (control !== undefined) return { name: control[0], immediate: control[1] };
  const access = MEMORY[code - 0x28];
  if (access !== undefined) return { name: access, immediate: access.startsWith("f") ? undefined : "memarg" };
  const numeric = NUMERIC[code - 0x45];
  if (numeric !== undefined) return { name: numeric, immediate: /f32|f64/.test(numeric) ? undefined : "none" };
  return { name: REFUSED[code] ?? `opcode ${hex(code)}`, immediate: undefined };
}

/** As opcode, for the number behind the prefix 0xFC. */
export function opcodeFc(code: number): { name: string; immediate: Immediate | undefined } {
  return { name: PREFIX_FC[code] ?? `opcode FC ${code}`, immediate: ALLOWED_FC[code] };
}

export function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, "0");
}
