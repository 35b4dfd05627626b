/*
 * Sockets below the links: UDP and TCP of a modem or of an operating system. One datagram or one run of octets at a time.
 * Secure sockets of a modem (IPA_NET_TLS, IPA_NET_DTLS) check the trust themselves, or refuse it by name: never ignored.
 * A function that needs time returns IPA_AGAIN and is called again with the same arguments.
 */
#ifndef IPA_NET_H
#define IPA_NET_H

#include <stddef.h>
#include <stdint.h>

enum ipa_net_kind { IPA_NET_UDP = 0, IPA_NET_TCP = 1, IPA_NET_DTLS = 2, IPA_NET_TLS = 3 };

struct ipa_net_peer {
    enum ipa_net_kind kind;
    const char *host;        /* name or address, not terminated */
    size_t host_len;
    uint16_t port;
    const uint8_t *trust;    /* secure kinds: A6 data object, or NULL */
    size_t trust_len;
    const char *psk_identity; /* secure kinds: PSK in place of certificates, or NULL */
    const uint8_t *psk;
    size_t psk_len;
    const uint8_t *certificate; /* secure kinds: X.509 certificate of the server or of a CA above it, DER without its 30 and length; else NULL */
    size_t certificate_len;
    const uint8_t *identity; /* 32 octets, the same only for the same host, port and trust; or NULL */
};

struct ipa_net {
    /* Handle >= 0, IPA_ERR_NAME, _LINK, _BUSY (no socket free), _NO_NETWORK, _TRUST_... */
    int (*open)(void *ctx, const struct ipa_net_peer *to);
    /* UDP: the whole datagram or an error. TCP: how many octets were taken, at least 1. */
    int (*send)(void *ctx, int socket, const uint8_t *data, size_t len);
    /* Octets received; UDP: one datagram, IPA_ERR_TOO_LARGE when it exceeds cap. IPA_AGAIN: nothing there. IPA_ERR_CLOSED. */
    int (*receive)(void *ctx, int socket, uint8_t *data, size_t cap);
    /* Done at once for the caller: never IPA_AGAIN. */
    int (*close)(void *ctx, int socket);
    uint16_t send_max;       /* most octets in one send; a datagram above it is refused */
    void *ctx;
};

#endif
