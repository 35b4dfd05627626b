/*
 * Results of the C host. 0 or a positive count is success; a negative number is one of these names, or a driver's own
 * code c as IPA_ERR_DRIVER - c, so that it is not lost. The first eleven are the status numbers that the agent
 * understands (host/README.md, "Status numbers"); every other one reaches it as it is, and is taken as a failure of that op.
 */
#ifndef IPA_ERR_H
#define IPA_ERR_H

enum ipa_err {
    IPA_OK = 0,

    /* What the agent knows by number (host/README.md). */
    IPA_ERR_UNSUPPORTED = -1,
    IPA_ERR_TIMEOUT = -2,
    IPA_ERR_NOT_FOUND = -3,
    IPA_ERR_LINK = -4,        /* no connection, or it broke */
    IPA_ERR_NAME = -5,        /* host name not resolved */
    IPA_ERR_TRUST = -6,       /* peer not trusted; the detail is one of IPA_ERR_TRUST_... below */
    IPA_ERR_NO_CARD = -7,
    IPA_ERR_NO_ISDR = -8,     /* SELECT of the ISD-R refused */
    IPA_ERR_CHANNEL = -9,     /* MANAGE CHANNEL refused */
    IPA_ERR_STORE = -10,
    IPA_ERR_TOO_LARGE = -11,

    /* Use of the host. */
    IPA_ERR_INVALID = -20,    /* an argument, or a call out of order */
    IPA_ERR_NO_MEM = -21,     /* the arena, or a buffer of ipa_config.h, is too small */
    IPA_ERR_ENTROPY = -22,    /* the entropy source failed */
    IPA_ERR_ABI = -23,        /* the agent speaks another ABI, or broke it */
    IPA_ERR_SELFTEST = -24,

    /* Engine (host/src/wasm.h). */
    IPA_ERR_WASM_REFUSED = -30,   /* malformed, or outside the subset */
    IPA_ERR_WASM_TRAP = -31,
    IPA_ERR_WASM_FUEL = -32,      /* ran longer than it may */
    IPA_ERR_WASM_STACK = -33,

    /* Container (host/src/container.h). */
    IPA_ERR_IMAGE_MAGIC = -40,
    IPA_ERR_IMAGE_FORMAT = -41,   /* header, lengths or sections */
    IPA_ERR_IMAGE_ABI = -42,
    IPA_ERR_IMAGE_KEY = -43,      /* signed with a key that this firmware doesn't have */
    IPA_ERR_IMAGE_HASH = -44,
    IPA_ERR_IMAGE_SIGNATURE = -45,
    IPA_ERR_IMAGE_OLD = -46,      /* older than the one that ran last */
    IPA_ERR_IMAGE_MEMORY = -47,   /* needs more linear memory than the arena has */

    /* Links: why a peer is not trusted, or what broke. */
    IPA_ERR_TRUST_KEY = -60,      /* its public key is not the pinned one */
    IPA_ERR_TRUST_CERTIFICATE = -61, /* its certificate is not the pinned one and not signed by it */
    IPA_ERR_TRUST_CHAIN = -62,
    IPA_ERR_TRUST_NAME = -63,     /* FQDN not in the certificate */
    IPA_ERR_TRUST_EXPIRED = -64,
    IPA_ERR_TRUST_PSK = -65,      /* PSK identity unknown, or wrong key */
    IPA_ERR_TRUST_VERSION = -66,  /* the peer offers only an older protocol or a weaker suite */
    IPA_ERR_TRUST_FORM = -67,     /* this link can't check this form of trust */
    IPA_ERR_TRUST_NONE = -68,     /* nothing to trust the peer by */
    IPA_ERR_TRUST_ROLE = -75,     /* certificate without the role of an SM-DP+ or SM-DS (SGP.22 4.5.2) */
    IPA_ERR_TLS_FRAGMENT = -69,   /* the server ignores max_fragment_length, and its record doesn't fit */
    IPA_ERR_TLS_ALERT = -70,
    IPA_ERR_TLS = -71,            /* any other failure of TLS or DTLS */
    IPA_ERR_PROTOCOL = -72,       /* CoAP or HTTP that breaks its RFC */
    IPA_ERR_CLOSED = -73,         /* the peer closed */
    IPA_ERR_RESTART = -74,        /* the server lost the body, or changed it in the middle: begin the exchange anew */

    /* Modem. */
    IPA_ERR_MODEM = -80,          /* ERROR, or an answer that fits no form */
    IPA_ERR_MODEM_SILENT = -81,   /* no answer in time, and none to plain AT */
    IPA_ERR_MODEM_RESET = -82,    /* it restarted in the middle */
    IPA_ERR_NO_NETWORK = -83,
    IPA_ERR_BUSY = -84,           /* another user has the modem, or no socket is free */

    /* Not ready: call again later with the same arguments. Never reaches the agent. */
    IPA_AGAIN = -1000,

    /* A driver's own code c (> 0) is IPA_ERR_DRIVER - c. +CME ERROR: n is IPA_ERR_CME - n. */
    IPA_ERR_CME = -2000,
    IPA_ERR_DRIVER = -4000
};

/* Name of an error, e.g. "IPA_ERR_TIMEOUT"; never NULL. */
const char *ipa_err_name(int err);

#endif
