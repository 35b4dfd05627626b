/** Exports of the agent: ABI 1.0, host/README.md. */
import { ABI_VERSION, CAPACITY } from "./abi";
import { step } from "./agent";
import { MAILBOX } from "./memory";

export function ipa_abi(): i32 {
  return ABI_VERSION;
}

export function ipa_mailbox(): i32 {
  return <i32>MAILBOX;
}

export function ipa_capacity(): i32 {
  return CAPACITY;
}

/** End of the static data: what a host must back with memory. */
export function ipa_memory(): i32 {
  return <i32>__heap_base;
}

export function ipa_step(now_ms: i32): i32 {
  return step(now_ms);
}
