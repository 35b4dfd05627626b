/*
 * Sockets of a modem behind struct ipa_net: UDP and TCP of each family, and its secure sockets where it has them.
 * Left out: listening sockets, transparent mode, name resolution apart from opening.
 */
#ifndef IPA_MODEM_NET_AT_H
#define IPA_MODEM_NET_AT_H

#include "modem/modem.h"

/* State of struct ipa_modem_socket. */
enum {
    IPA_SOCKET_OPEN = 1,
    IPA_SOCKET_DATA = 2,
    IPA_SOCKET_CLOSED = 4,   /* by the peer */
    IPA_SOCKET_BROKEN = 8,
    IPA_SOCKET_DOOMED = 16,  /* nobody has it any more, the modem has not closed it yet */
    IPA_SOCKET_GONE = 32     /* the modem has restarted, and does not know it any more */
};

/*
 * The door of a user; IPA_CFG_MODEM_SOCKETS for both together. A datagram that comes while the caller turns to something else may
 * get lost, a stream that is left in the middle of an operation is broken (IPA_ERR_LINK). close is done at once for the caller; the modem's
 * socket is closed by ipa_modem_poll, or before the next one is opened. send_max is the family's, or the smallest of all families while it is
 * not known yet (ipa_modem_imei makes it known).
 */
struct ipa_net ipa_modem_net(struct ipa_modem_user *user);

/* For modem.c: closes the sockets that nobody has any more, within an operation. IPA_AGAIN while it works, else IPA_OK. */
int ipa_net_sweep(struct ipa_modem *modem);
/* There are some. */
int ipa_net_doomed(const struct ipa_modem *modem);

/* For modem.c: an operation on this socket was given up half way. */
void ipa_net_cut(struct ipa_modem *modem, uint8_t slot);

#endif
