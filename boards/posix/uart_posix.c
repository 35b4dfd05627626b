/* Serial line of the posix board; see uart_posix.h. POSIX.1-2008 termios, RTS/CTS and rates above 38400 as Linux has them. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include "uart_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static const struct {
    unsigned long baud;
    speed_t speed;
} rates[] = { { 9600, B9600 }, { 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 }, { 115200, B115200 }, { 230400, B230400 }, { 460800, B460800 }, { 921600, B921600 } };

static size_t line_read(void *ctx, uint8_t *p, size_t cap) {
    struct ipa_uart_posix *line = ctx;
    ssize_t len = line->broken ? -1 : read(line->fd, p, cap);
    if (len > 0) return (size_t)len;
    if (line->broken == 0 && len == 0) line->broken = -1;
    else if (line->broken == 0 && errno != EAGAIN && errno != EINTR) line->broken = errno;
    return 0;
}

static size_t line_write(void *ctx, const uint8_t *p, size_t len) {
    struct ipa_uart_posix *line = ctx;
    ssize_t taken = line->broken ? -1 : write(line->fd, p, len);
    if (taken >= 0) return (size_t)taken;
    if (line->broken == 0 && errno != EAGAIN && errno != EINTR) line->broken = errno;
    return 0;
}

static int open_socket(const char *path) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int set_line(int fd, unsigned long baud, int flow) {
    struct termios settings;
    size_t i = 0;
    if (tcgetattr(fd, &settings) != 0) return -1;
    while (i < sizeof rates / sizeof *rates && rates[i].baud != baud) i++;
    if (i == sizeof rates / sizeof *rates) {
        errno = EINVAL;
        return -1;
    }
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    settings.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
    if (flow) settings.c_cflag |= CRTSCTS;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    cfsetispeed(&settings, rates[i].speed);
    cfsetospeed(&settings, rates[i].speed);
    return tcsetattr(fd, TCSANOW, &settings);
}

int ipa_uart_posix_open(struct ipa_uart_posix *line, const char *path, unsigned long baud, int flow) {
    int is_socket = strncmp(path, "unix:", 5) == 0;
    line->broken = 0;
    line->fd = is_socket ? open_socket(path + 5) : open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line->fd < 0) return -errno;
    if (fcntl(line->fd, F_SETFL, O_NONBLOCK) != 0 || (!is_socket && set_line(line->fd, baud, flow) != 0)) {
        int error = errno;
        close(line->fd);
        return -error;
    }
    return 0;
}

struct ipa_uart ipa_uart_posix(struct ipa_uart_posix *line) {
    struct ipa_uart uart = { line_read, line_write, NULL, line };
    return uart;
}

void ipa_uart_posix_wait(const struct ipa_uart_posix *line, unsigned wait_ms) {
    struct pollfd readable = { .fd = line->fd, .events = POLLIN };
    poll(&readable, line->broken ? 0 : 1, (int)wait_ms);
}

void ipa_uart_posix_close(struct ipa_uart_posix *line) {
    if (line->fd >= 0) close(line->fd);
    line->fd = -1;
}
