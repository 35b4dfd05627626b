/**
 * The whole C host as the carrier of the agent (host/node/host_machine.h): its doors are the world's, its journal in emulated flash is its own.
 * Needs the binding dist/native/ipa_host.node.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { AgentTrapError, SimError } from "../core/errors.js";
import { Mailbox } from "./abi.js";
import type { AgentLike } from "./agent.js";
import { findAgent } from "./find.js";
import { decodeOp, encodeEvent, eventHex, type EventMessage, type OpMessage } from "./mailbox.js";

/** What host/node/host_addon.c exports. */
interface Addon {
  open(container: Uint8Array, point: Uint8Array, keyId: number): object;
  capacity(handle: object): number;
  memory(handle: object): number;
  step(handle: object, event: Uint8Array, nowMs: number): Uint8Array;
  cut(handle: object): void;
  save(handle: object): Uint8Array;
  load(handle: object, saved: Uint8Array): void;
}

/** A signed container (host/README.md) and the public key that the firmware has for it. */
export interface CHostImage {
  readonly container: Uint8Array;
  /** 04 X Y, 65 octets. */
  readonly point: Uint8Array;
  readonly keyId: number;
}

/** The one machine of a process, which lies at one address; whose turn it is, and who waits with its state outside. */
interface Machine {
  readonly addon: Addon;
  readonly handle: object;
  user: CHostAgent | undefined;
}

export class CHostAgent implements AgentLike {
  readonly capacity: number;
  /** Octets of linear memory, as the container declares them. */
  readonly memoryEnd: number;
  readonly #machine: Machine;
  /** Its state while it is another's turn. */
  #saved: Uint8Array;

  private constructor(machine: Machine, saved: Uint8Array) {
    this.#machine = machine;
    this.#saved = saved;
    this.capacity = machine.addon.capacity(machine.handle);
    this.memoryEnd = machine.addon.memory(machine.handle);
  }

  /** A device with this image and virgin flash. Throws SimError "no-engine" when the binding was not built, Error IPA_ERR_IMAGE_... when the image is refused. */
  static load(image: CHostImage): CHostAgent {
    if (!hasCHost()) throw new SimError("no-engine", `expected ${addonPath()}: it is built by npm run build where a C compiler and Mbed TLS are there`);
    const addon = createRequire(import.meta.url)(addonPath()) as Addon;
    const handle = addon.open(image.container, image.point, image.keyId);
    return new CHostAgent({ addon, handle, user: undefined }, addon.save(handle));
  }

  /** Throws AgentTrapError when the agent traps, SimError "c-host" when the C host ends, or breaks a rule of its doors or of its journal. */
  step(event: EventMessage, nowMs: number): OpMessage {
    const { addon, handle } = this.#turn();
    try {
      const op = addon.step(handle, encodeEvent(event, this.capacity), nowMs);
      return decodeOp(op[Mailbox.kind] as number, op);
    } catch (error) {
      const details = { event: eventHex(event), nowMs };
      if ((error as { code?: string }).code === "IPA_ERR_WASM_TRAP") throw new AgentTrapError("trap", `the agent trapped on event ${details.event}`, details);
      throw new SimError("c-host", `${(error as Error).message}, on event ${details.event}`, details);
    }
  }

  snapshot(): Uint8Array {
    return this.#machine.user === this ? this.#machine.addon.save(this.#machine.handle) : this.#saved;
  }

  restore(state: Uint8Array): void {
    if (this.#machine.user === this) this.#machine.user = undefined;
    this.#saved = state;
  }

  /** The same device after a power cut: its flash stays. Throws SimError "c-host" when the cut has damaged a record. */
  fresh(): CHostAgent {
    const before = this.snapshot();
    const { addon, handle } = this.#turn();
    try {
      addon.cut(handle);
      return new CHostAgent(this.#machine, addon.save(handle));
    } catch (error) {
      throw new SimError("c-host", (error as Error).message);
    } finally {
      addon.load(handle, before);
    }
  }

  dispose(): void {
    if (this.#machine.user === this) this.#machine.user = undefined;
    this.#saved = new Uint8Array(0);
  }

  /** Puts this device into the machine. */
  #turn(): Machine {
    const { addon, handle, user } = this.#machine;
    if (user === this) return this.#machine;
    if (user !== undefined) user.#saved = addon.save(handle);
    addon.load(handle, this.#saved);
    this.#machine.user = this;
    return this.#machine;
  }
}

/** True when the binding was built. */
export function hasCHost(): boolean {
  return existsSync(addonPath());
}

function addonPath(): string {
  return join(dirname(findAgent()), "native", "ipa_host.node");
}
