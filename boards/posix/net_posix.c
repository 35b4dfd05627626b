/* Sockets of a POSIX system (net_posix.h; POSIX.1-2008). */
#define _POSIX_C_SOURCE 200809L
#include "net_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ipa/err.h"

static int map(int error) {
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == EINPROGRESS) return IPA_AGAIN;
    if (error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN) return IPA_ERR_NO_NETWORK;
    if (error == EPIPE || error == ECONNRESET) return IPA_ERR_CLOSED;
    return IPA_ERR_LINK;
}

static int free_slot(const struct net_posix *n) {
    for (int i = 0; i < NET_POSIX_SOCKETS; i++) {
        if (n->fd[i] < 0) return i;
    }
    return -1;
}

static int resolve(const struct net_posix *n, const struct ipa_net_peer *to, struct addrinfo **found) {
    char host[256], port[8];
    struct addrinfo hints;
    if (to->host_len >= sizeof host) return IPA_ERR_NAME;
    snprintf(host, sizeof host, "%.*s", (int)to->host_len, to->host);
    snprintf(port, sizeof port, "%u", n->instead != NULL && n->instead_port != 0 ? n->instead_port : to->port);
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = to->kind == IPA_NET_UDP ? SOCK_DGRAM : SOCK_STREAM;
    return getaddrinfo(n->instead != NULL ? n->instead : host, port, &hints, found) == 0 ? IPA_OK : IPA_ERR_NAME;
}

static int start(struct net_posix *n, const struct ipa_net_peer *to, int slot) {
    struct addrinfo *at = NULL;
    int one = 1, err = resolve(n, to, &at);
    if (err < 0) return err;
    int fd = socket(at->ai_family, at->ai_socktype, 0);
    if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0) {
        if (to->kind == IPA_NET_TCP) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        err = connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? IPA_OK : map(errno);
    } else {
        err = IPA_ERR_LINK;
    }
    freeaddrinfo(at);
    if (err < 0 && err != IPA_AGAIN) {
        if (fd >= 0) close(fd);
        return err;
    }
    n->fd[slot] = fd;
    n->kind[slot] = (uint8_t)to->kind;
    return err;
}

static int net_close(void *ctx, int slot) {
    struct net_posix *n = ctx;
    if (slot < 0 || slot >= NET_POSIX_SOCKETS || n->fd[slot] < 0) return IPA_ERR_INVALID;
    close(n->fd[slot]);
    n->fd[slot] = -1;
    if (n->opening == slot) n->opening = -1;
    return IPA_OK;
}

/* Tells one peer from another: a connect in progress that nobody asks for any more is given up. */
static uint32_t key_of(const struct ipa_net_peer *to) {
    uint32_t key = 2166136261u ^ to->port ^ (uint32_t)to->kind << 16;
    for (size_t i = 0; i < to->host_len; i++) key = (key ^ (uint8_t)to->host[i]) * 16777619u;
    return key;
}

/* A connect in progress: done when the socket can be written. */
static int finish(struct net_posix *n, int slot) {
    struct pollfd p = {n->fd[slot], POLLOUT, 0};
    int error = 0;
    socklen_t len = sizeof error;
    if (poll(&p, 1, 0) == 0) return IPA_AGAIN;
    n->opening = -1;
    if (getsockopt(n->fd[slot], SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) return slot;
    (void)net_close(n, slot);
    return error == 0 ? IPA_ERR_LINK : map(error);
}

static int net_open(void *ctx, const struct ipa_net_peer *to) {
    struct net_posix *n = ctx;
    if (n->opening >= 0 && n->opening_key == key_of(to)) return finish(n, n->opening);
    if (n->opening >= 0) (void)net_close(n, n->opening);
    if (to->kind != IPA_NET_UDP && to->kind != IPA_NET_TCP) return IPA_ERR_TRUST_FORM;
    int slot = free_slot(n);
    if (slot < 0) return IPA_ERR_BUSY;
    int err = start(n, to, slot);
    if (err == IPA_AGAIN) {
        n->opening = slot;
        n->opening_key = key_of(to);
    }
    return err < 0 ? err : slot;
}

/* A refused datagram (ICMP) is a lost one: whoever sent it repeats. */
static int datagram_error(const struct net_posix *n, int slot, int error) {
    return n->kind[slot] == IPA_NET_UDP && error == ECONNREFUSED ? IPA_AGAIN : map(error);
}

static int net_send(void *ctx, int slot, const uint8_t *data, size_t len) {
    struct net_posix *n = ctx;
    if (slot < 0 || slot >= NET_POSIX_SOCKETS || n->fd[slot] < 0) return IPA_ERR_INVALID;
    ssize_t sent = send(n->fd[slot], data, len, MSG_NOSIGNAL);
    if (sent < 0 && n->kind[slot] == IPA_NET_UDP && errno == ECONNREFUSED) sent = send(n->fd[slot], data, len, MSG_NOSIGNAL);
    return sent >= 0 ? (int)sent : datagram_error(n, slot, errno);
}

static int net_receive(void *ctx, int slot, uint8_t *data, size_t cap) {
    struct net_posix *n = ctx;
    if (slot < 0 || slot >= NET_POSIX_SOCKETS || n->fd[slot] < 0) return IPA_ERR_INVALID;
    struct iovec part = {data, cap};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t got = recvmsg(n->fd[slot], &message, 0);
    if (got < 0) return datagram_error(n, slot, errno);
    if (n->kind[slot] == IPA_NET_UDP) return message.msg_flags & MSG_TRUNC ? IPA_ERR_TOO_LARGE : (int)got;
    return got == 0 ? IPA_ERR_CLOSED : (int)got;
}

void net_posix_init(struct net_posix *n, struct ipa_net *door) {
    memset(n, 0, sizeof *n);
    memset(door, 0, sizeof *door);
    for (int i = 0; i < NET_POSIX_SOCKETS; i++) n->fd[i] = -1;
    n->opening = -1;
    door->open = net_open;
    door->send = net_send;
    door->receive = net_receive;
    door->close = net_close;
    door->send_max = 1280;
    door->ctx = n;
}

void net_posix_wait(struct net_posix *n, uint32_t ms) {
    struct pollfd polled[NET_POSIX_SOCKETS];
    nfds_t count = 0;
    for (int i = 0; i < NET_POSIX_SOCKETS; i++) {
        if (n->fd[i] < 0) continue;
        polled[count].fd = n->fd[i];
        polled[count].events = n->opening == i ? POLLOUT : POLLIN;
        polled[count++].revents = 0;
    }
    (void)poll(polled, count, (int)ms);
}
