/* The mailbox, ABI 1.0: host/README.md, byte by byte. The same numbers as assembly/abi.ts. */
#ifndef IPA_ABI_H
#define IPA_ABI_H

#define IPA_ABI_VERSION 0x10000u

/* Offsets in the mailbox, little-endian. */
enum {
    IPA_MB_KIND = 0,
    IPA_MB_FLAGS = 1,
    IPA_MB_AUX = 2,
    IPA_MB_LENGTH = 4,
    IPA_MB_STATUS = 8,   /* wait_ms in an op */
    IPA_MB_REF = 12,
    IPA_MB_ARG0 = 16,
    IPA_MB_ARG1 = 20,
    IPA_MB_PAYLOAD = 24
};

enum ipa_op_kind {
    IPA_OP_SLEEP = 1,
    IPA_OP_UICC_RESET = 2,
    IPA_OP_UICC_OPEN = 3,
    IPA_OP_UICC_TRANSMIT = 4,
    IPA_OP_UICC_CLOSE = 5,
    IPA_OP_BEARER = 6,
    IPA_OP_LINK_OPEN = 7,
    IPA_OP_LINK_SEND = 8,
    IPA_OP_LINK_RECEIVE = 9,
    IPA_OP_LINK_CLOSE = 10,
    IPA_OP_STORE_READ = 11,
    IPA_OP_STORE_WRITE = 12,
    IPA_OP_REPORT = 13,
    IPA_OP_HASH = 14
};

enum ipa_event_kind { IPA_EVENT_START = 1, IPA_EVENT_DONE = 2, IPA_EVENT_WAKE = 3 };

enum {
    IPA_FLAG_FIRST = 1,      /* LinkSend */
    IPA_FLAG_LAST = 2,       /* LinkSend, Done */
    IPA_FLAG_CARD_RESET = 4, /* Done, Wake */
    IPA_FLAG_IDLE = 1,       /* Sleep */
    IPA_FLAG_RESTART = 1     /* Bearer */
};

/* Report codes of the agent that the host itself looks at. */
enum { IPA_REPORT_POLL_ENDED = 4 };

/* Journal keys: the agent's own, those it may only read, and from here on the host's. */
enum { IPA_KEY_PROVISION = 16, IPA_KEY_READ_ONLY_END = 32, IPA_KEY_HOST = 64, IPA_KEY_IMAGE = 64 };

#endif
