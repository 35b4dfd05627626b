/*
 * Serial line of the posix board behind struct ipa_uart: a serial device, a pty (both by termios: raw, 8N1), or a unix socket.
 * Left out: DTR as a wake line, other rates than termios has names for here.
 */
#ifndef IPA_BOARDS_POSIX_UART_H
#define IPA_BOARDS_POSIX_UART_H

#include "ipa/uart.h"

struct ipa_uart_posix {
    int fd;
    int broken;   /* errno of what broke the line, or -1 at its end */
};

/*
 * path: "unix:PATH", or a device. baud: 9600 to 921600, ignored for sockets and ptys; flow: 1 for RTS/CTS.
 * 0, or errno as a negative number.
 */
int ipa_uart_posix_open(struct ipa_uart_posix *line, const char *path, unsigned long baud, int flow);
/* The door; line must outlive it. */
struct ipa_uart ipa_uart_posix(struct ipa_uart_posix *line);
/* Waits until octets can be read, at most wait_ms. */
void ipa_uart_posix_wait(const struct ipa_uart_posix *line, unsigned wait_ms);
void ipa_uart_posix_close(struct ipa_uart_posix *line);

#endif
