/* Sockets of a POSIX system as struct ipa_net: UDP and TCP, non-blocking. Leaves out: secure kinds; names are resolved by getaddrinfo, which blocks. */
#ifndef IPA_NET_POSIX_H
#define IPA_NET_POSIX_H

#include "ipa/net.h"

#define NET_POSIX_SOCKETS 4

struct net_posix {
    int fd[NET_POSIX_SOCKETS];          /* -1: free */
    uint8_t kind[NET_POSIX_SOCKETS];
    int opening;                        /* slot of a TCP connect in progress, -1: none */
    uint32_t opening_key;               /* whose */
    /* Connect here instead, whatever the name: "127.0.0.1", port. NULL: nowhere. For tests. */
    const char *instead;
    uint16_t instead_port;
};

void net_posix_init(struct net_posix *n, struct ipa_net *door);
/* Waits until a socket has something to read or `ms` are over. */
void net_posix_wait(struct net_posix *n, uint32_t ms);

#endif
