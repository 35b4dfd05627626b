/* Door to a serial line, usually the modem's. Neither function blocks. */
#ifndef IPA_UART_H
#define IPA_UART_H

#include <stddef.h>
#include <stdint.h>

struct ipa_uart {
    size_t (*read)(void *ctx, uint8_t *p, size_t cap);        /* octets that had come, 0 when none */
    size_t (*write)(void *ctx, const uint8_t *p, size_t len);  /* octets taken, 0 when the line is busy */
    int (*wake)(void *ctx, int awake);  /* DTR, PWRKEY or such: keep the modem awake, or let it sleep; may be NULL */
    void *ctx;
};

#endif
