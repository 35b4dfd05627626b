/** What the specs share: octets written as hexadecimal into the agent's own buffers. */
import { WORK, WORK_SIZE } from "../memory";

function nibble(code: i32): u32 {
  return code < 0x3a ? code - 0x30 : (code | 0x20) - 0x57;
}

/** Writes the octets of `text` (hexadecimal, blanks allowed) to `p`; gives their number. */
export function put(p: usize, text: string): u32 {
  let count: u32 = 0;
  let high: i32 = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code == 0x20) continue;
    if (high < 0) high = nibble(code);
    else {
      store<u8>(p + count++, (high << 4) | nibble(code));
      high = -1;
    }
  }
  return count;
}

/** True when the octets at `p` are those of `text`. */
export function holds(p: usize, text: string): bool {
  const scratch = WORK + WORK_SIZE - 512;
  const len = put(scratch, text);
  return memory.compare(p, scratch, len) == 0;
}
