/*
 * Sizes of this board: 16 KiB of SRAM in all, no secure layer of its own: the modem's. Each with what it costs in RAM; what is not
 * named here is as in host/include/ipa/config_default.h. `npm run firmware -- microbit` prints the sums.
 */
#ifndef MICROBIT_IPA_CONFIG_H
#define MICROBIT_IPA_CONFIG_H

/* The agent: linear memory, engine with its stack (9728), the host's own record (about 250 and IPA_CFG_ENDPOINT). 1 octet each. */
#define IPA_CFG_AGENT_ARENA 10240
/* FQDN and trust of one eIM: a certificate of P-256 has 350 to 500 octets. Lies in the arena. 1 octet each. */
#define IPA_CFG_ENDPOINT 640
/* The link: CoAP with a block each way. 1 octet each. */
#define IPA_CFG_LINK_ARENA 1736

/* TLS and DTLS are the modem's; of Mbed TLS only the check of the agent's signature is in the image, in the agent's arena. */
#define IPA_CFG_DTLS 0
#define IPA_CFG_TLS 0
#define IPA_CFG_HTTPS 0
#define IPA_CFG_MODEM_TLS 1

/* Blocks of 512 octets. Two buffers of 1 octet each. */
#define IPA_CFG_COAP_SZX 5
/* Name of the eIM up to 90 octets. 1 octet each. */
#define IPA_CFG_COAP_HEADER 192
#define IPA_CFG_COAP_ANSWER_HEADER 64
/* 2 octets each, 4 octets each. */
#define IPA_CFG_COAP_SEEN 4
#define IPA_CFG_COAP_REPLIES 2

/* Longest line from the modem, payload apart; 1 octet each. */
#define IPA_CFG_AT_LINE 64
/* The UART's ring, a power of two; RTS holds the modem while it is full. 1 octet each. */
#define BOARD_RING 64
/* RFC 7925's suite for PSK. A BG95 whose DTLS has only CBC suites does not reach an eIM that keeps to RFC 7925. */
#define IPA_CFG_QUECTEL_DTLS_SUITE "0XC0A8"
/* Numbers, not names: there is no console. Flash. */
#define IPA_CFG_DEVICE_NAMES 0
/* IMEI and what the product adds. 1 octet each. */
#define IPA_CFG_DEVICE_CONFIG 64

#endif
