/** How a DTLS peer is made to misbehave, by name. Pure but for `memory`, which belongs to the peer's state. */

export type Memory = Record<string, number>;

/** Flights by their number in RFC 6347 4.2.4: 1, 3, 5 are the client's, 2 (HelloVerifyRequest), 4 and 6 the server's. */
export type FlightNumber = 1 | 2 | 3 | 4 | 5 | 6;

export interface DtlsBehaviour {
  readonly name: string;
  /** Changes a handshake message's body before it is hashed and sent; undefined leaves the message out. */
  handshake?(type: number, body: Uint8Array, memory: Memory): Uint8Array | undefined;
  /** Changes the datagrams of a flight, each time it is sent. */
  flight?(number: FlightNumber, datagrams: readonly Uint8Array[], memory: Memory): readonly Uint8Array[];
  /** Changes the datagrams of application data. */
  data?(datagrams: readonly Uint8Array[], memory: Memory): readonly Uint8Array[];
  /** Changes the PSK that is used. */
  psk?(psk: Uint8Array): Uint8Array;
}

/** Behaviours in use, newest first, with their memories: plain numbers in the peer's state. */
export class Behaviours {
  readonly #known = new Map<number, DtlsBehaviour>();
  state: { used: number[]; memory: Map<number, Memory> } = { used: [], memory: new Map() };

  use(behaviour: DtlsBehaviour): () => void {
    const id = this.#known.size + 1;
    this.#known.set(id, behaviour);
    this.state.memory.set(id, {});
    this.state.used = [id, ...this.state.used];
    return () => {
      this.state.used = this.state.used.filter((used) => used !== id);
    };
  }

  handshake(type: number, body: Uint8Array): Uint8Array | undefined {
    return this.#fold<Uint8Array | undefined>(body, (now, behaviour, memory) => (now === undefined ? now : behaviour.handshake === undefined ? now : behaviour.handshake(type, now, memory)));
  }

  flight(number: FlightNumber, datagrams: readonly Uint8Array[]): readonly Uint8Array[] {
    return this.#fold(datagrams, (now, behaviour, memory) => behaviour.flight?.(number, now, memory) ?? now);
  }

  data(datagrams: readonly Uint8Array[]): readonly Uint8Array[] {
    return this.#fold(datagrams, (now, behaviour, memory) => behaviour.data?.(now, memory) ?? now);
  }

  psk(psk: Uint8Array): Uint8Array {
    return this.#fold(psk, (now, behaviour) => behaviour.psk?.(now) ?? now);
  }

  /** Oldest first, so that the newest has the last word. */
  #fold<T>(value: T, change: (now: T, behaviour: DtlsBehaviour, memory: Memory) => T): T {
    return [...this.state.used].reverse().reduce((now, id) => change(now, this.#known.get(id) as DtlsBehaviour, this.state.memory.get(id) as Memory), value);
  }
}
