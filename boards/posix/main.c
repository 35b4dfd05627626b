/*
 * The posix board: the whole device (boards/app) as a Linux program: a serial device, pty or unix socket as the modem's UART, a file as
 * flash. First port and reference; README.md. SIGUSR1 polls now, SIGTERM and SIGINT end it as a planned power-off would.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "app/device.h"
#include "app/selftest.h"
#include "flash_file.h"
#include "options.h"
#include "replay.h"
#include "uart_posix.h"

/* The one instance of this program; signals need it too. */
static struct posix {
    struct options options;
    struct ipa_uart_posix line;
    struct ipa_store flash;
    int flash_fd;
    uint64_t random;
    int quiet_stdin;
    struct device device;
    uint64_t agent_memory[IPA_CFG_AGENT_ARENA / 8], link_memory[IPA_CFG_LINK_ARENA / 8];
} posix;
static volatile sig_atomic_t wanted, ended;

static void on_signal(int number) {
    if (number == SIGUSR1) wanted = 1;
    else ended = 1;
}

static uint32_t now_ms(void *ctx) {
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

static uint32_t utc_s(void *ctx) {
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint32_t)t.tv_sec;
}

static int entropy(void *ctx, uint8_t *p, size_t len) {
    struct posix *x = ctx;
    if (!x->options.seeded) return getrandom(p, len, 0) == (ssize_t)len ? IPA_OK : IPA_ERR_ENTROPY;
    for (; len != 0; len--) {
        x->random = x->random * 6364136223846793005u + 1442695040888963407u;
        *p++ = (uint8_t)(x->random >> 56);
    }
    return IPA_OK;
}

static void sleep_ms(void *ctx, uint32_t ms) {
    struct posix *x = ctx;
    struct pollfd input[2] = {{x->line.fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (ms != 0 && !x->line.broken) (void)poll(input, x->quiet_stdin ? 1 : 2, (int)ms);
}

static void console(void *ctx, const char *text) {
    (void)ctx;
    for (; *text != '\0'; text++) {
        if (*text != '\r') putchar(*text);
    }
    fflush(stdout);
}

/* A key that waits; stdin at its end is left alone from then on. */
static int key(void *ctx) {
    struct posix *x = ctx;
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char c;
    if (x->quiet_stdin || poll(&input, 1, 0) <= 0) return -1;
    if (read(STDIN_FILENO, &c, 1) == 1) return c;
    x->quiet_stdin = 1;
    return -1;
}

static int run(struct posix *x, const struct device_board *board) {
    device_init(&x->device, board, &x->options.settings);
    if (x->options.selftest) return device_selftest(&x->device) != 0;
    if (x->options.poll_now) device_poll_now(&x->device);
    while (!ended) {
        uint32_t wait_ms = device_step(&x->device);
        if (x->line.broken) {
            fprintf(stderr, "%s: %s\n", x->options.uart, x->line.broken > 0 ? strerror(x->line.broken) : "the modem's line ended");
            return 1;
        }
        if (x->options.exit_when_idle && x->device.idle && x->device.polls != 0) break;
        if (wanted) device_poll_now(&x->device);
        wanted = 0;
        board->sleep(board->ctx, wait_ms);
    }
    int err = device_rest(&x->device);
    if (err != IPA_OK) fprintf(stderr, "the DTLS session was not saved: %s\n", ipa_err_name(err));
    ipa_uart_posix_close(&x->line);
    return 0;
}

static int replay_image(struct posix *x) {
    static struct ipa_image image;
    const struct device_settings *s = &x->options.settings;
    int err = ipa_container_read(&image, s->image[0], s->image_len[0]);
    if (err == IPA_OK) err = ipa_container_verify(&image, s->keys, s->key_count, x->agent_memory, sizeof x->agent_memory);
    if (err == IPA_OK) return replay(&image, x->agent_memory, sizeof x->agent_memory);
    fprintf(stderr, "%s\n", ipa_err_name(err));
    return 1;
}

int main(int argc, char **argv) {
    struct posix *x = &posix;
    int err = options_read(&x->options, argc, argv);
    if (err != 0) return err > 0 ? 0 : 2;
    if (x->options.replay) return replay_image(x);
    x->random = x->options.seed;
    if (flash_file_open(&x->flash, &x->flash_fd, x->options.flash) != 0) {
        perror(x->options.flash);
        return 1;
    }
    err = ipa_uart_posix_open(&x->line, x->options.uart, x->options.baud, x->options.flow);
    if (err != 0) {
        fprintf(stderr, "%s: %s\n", x->options.uart, strerror(-err));
        return 1;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    const struct device_board board = {
        .name = "posix", .options = x->options.seeded ? " seeded-entropy" : "", .uart = ipa_uart_posix(&x->line), .store = &x->flash, .now_ms = now_ms, .utc_s = utc_s,
        .agent_memory = x->agent_memory, .agent_memory_len = sizeof x->agent_memory, .link_memory = x->link_memory, .link_memory_len = sizeof x->link_memory,
        .entropy = entropy, .sleep = sleep_ms, .console = console, .key = key, .ctx = x,
    };
    return run(x, &board);
}
