/* Command line of the posix board. */
#ifndef POSIX_OPTIONS_H
#define POSIX_OPTIONS_H

#include "app/device.h"

struct options {
    const char *uart, *flash;
    unsigned long baud;
    int flow, poll_now, exit_when_idle, replay, seeded, selftest;
    uint64_t seed;
    struct device_settings settings;
    /* What the settings point to. */
    struct ipa_image_key key;
    uint8_t point[65], psk[64], agent_config[64];
};

/* 0; 1: the help was printed; -1: misuse, said on stderr. */
int options_read(struct options *options, int argc, char **argv);

#endif
