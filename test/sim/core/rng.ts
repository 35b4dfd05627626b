/**
 * Seeded chance (xoshiro128**, seeded by splitmix32): the same seed gives the same world, on any machine.
 * For tests and simulated peers only; real keys come from node:crypto.
 */
export class Rng {
  /** Four words of state: plain data, so that a forked world goes on with the same chances. */
  state: [number, number, number, number];

  constructor(seed: number) {
    let x = seed >>> 0;
    const next = (): number => {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.state = [next(), next(), next(), next()];
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(): number {
    const s = this.state;
    const rotl = (v: number, k: number): number => ((v << k) | (v >>> (32 - k))) >>> 0;
    const result = Math.imul(rotl(Math.imul(s[1], 5) >>> 0, 7), 9) >>> 0;
    const t = (s[1] << 9) >>> 0;
    s[2] = (s[2] ^ s[0]) >>> 0;
    s[3] = (s[3] ^ s[1]) >>> 0;
    s[1] = (s[1] ^ s[2]) >>> 0;
    s[0] = (s[0] ^ s[3]) >>> 0;
    s[2] = (s[2] ^ t) >>> 0;
    s[3] = rotl(s[3], 11);
    return result;
  }

  /** A whole number from 0 to `below` - 1. */
  int(below: number): number {
    if (!(below >= 1)) throw new RangeError(`expected a bound of 1 or more, got ${below}`);
    return Math.floor((this.u32() / 0x1_0000_0000) * below);
  }

  /** `n` octets. */
  bytes(n: number): Uint8Array {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) out[i] = this.u32() & 0xff;
    return out;
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("expected something to pick from, got an empty list");
    return items[this.int(items.length)] as T;
  }
}
