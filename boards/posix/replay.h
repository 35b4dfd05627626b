/* The agent alone behind stdin and stdout: recorded events in, ops out. For replay only; no door of a device is here. */
#ifndef POSIX_REPLAY_H
#define POSIX_REPLAY_H

#include "container.h"

/*
 * The frames are those of boards/replay: u32 0 when ready; then u32 length, u32 now_ms, event in, and u32 length, op out
 * (negative: the status or error that came instead); little-endian. Length 0: seven numbers (of them only the steps and the octets of
 * memory mean something here). Ends with stdin. 0, or 1 with a line on stderr.
 */
int replay(const struct ipa_image *image, void *arena, size_t len);

#endif
