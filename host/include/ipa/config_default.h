/*
 * Sizes, each with what it costs in RAM. A board overrides them in its own ipa_config.h (found by -DIPA_CONFIG_H='"ipa_config.h"').
 */
#ifndef IPA_CONFIG_DEFAULT_H
#define IPA_CONFIG_DEFAULT_H

#include <stdint.h>

#ifdef IPA_CONFIG_H
#include IPA_CONFIG_H
#endif

/* Engine in place: fuel of one step of the agent, in branches and calls; no RAM. */
#ifndef IPA_CFG_FUEL
#define IPA_CFG_FUEL 4000000u
#endif
/* Engine in place: room that ipa_arena_need counts for the agent's globals, in words of 4 octets. */
#ifndef IPA_CFG_WASM_GLOBALS
#define IPA_CFG_WASM_GLOBALS 48u
#endif
/* Engine in place: 1 = full validation at load (flash), 0 = what memory safety needs. */
#ifndef IPA_CFG_WASM_VALIDATE
#define IPA_CFG_WASM_VALIDATE 0
#endif

/* Agent: octets kept of a LinkOpen (FQDN and trust) while the link is open; RAM of that size. The mailbox holds no more than 1024. */
#ifndef IPA_CFG_ENDPOINT
#define IPA_CFG_ENDPOINT 1024u
#endif
/* Agent: how long ipa_poll's caller may sleep while a door works, in ms; no RAM. */
#ifndef IPA_CFG_BUSY_MS
#define IPA_CFG_BUSY_MS 10u
#endif
/* Agent: a door that has not ended an op this long after its wait_ms is given up, in ms; no RAM. */
#ifndef IPA_CFG_GRACE_MS
#define IPA_CFG_GRACE_MS 10000u
#endif
/* Agent: the same for an op that has no wait_ms (an APDU may take the eUICC minutes), in ms; no RAM. */
#ifndef IPA_CFG_OP_MS
#define IPA_CFG_OP_MS 300000u
#endif
/* Agent: wait after the first trap in ms, doubled with each one up to the second number; no RAM. */
#ifndef IPA_CFG_TRAP_MS
#define IPA_CFG_TRAP_MS 1000u
#endif
#ifndef IPA_CFG_TRAP_MAX_MS
#define IPA_CFG_TRAP_MAX_MS 3600000u
#endif
/* Agent: so many traps before its first good poll, and an image gives way to the one in the other slot; no RAM. */
#ifndef IPA_CFG_TRAPS
#define IPA_CFG_TRAPS 3u
#endif

/* Journal: an area has at least so many octets, where half of the blocks give that; no RAM. Twice what the records need keeps erases rare. */
#ifndef IPA_CFG_JOURNAL_AREA
#define IPA_CFG_JOURNAL_AREA 16384u
#endif

/* wasm3: native stack that a call may take. No RAM by itself, but the stack must have it. */
#ifndef IPA_CFG_NATIVE_STACK
#if UINTPTR_MAX > 0xFFFFFFFFu
#define IPA_CFG_NATIVE_STACK 524288u
#else
#define IPA_CFG_NATIVE_STACK 6144u
#endif
#endif
/* wasm3: octets of its VM stack at least; RAM of that size. A poll takes more than 1 KiB of it, less than 1.5. */
#ifndef IPA_CFG_WASM3_STACK
#define IPA_CFG_WASM3_STACK 3072u
#endif
/* wasm3: the compiler's word for a variable of the thread (_Thread_local, __thread) where several threads have an agent; no RAM. */
#ifndef IPA_CFG_THREAD_LOCAL
#define IPA_CFG_THREAD_LOCAL
#endif

/* Links: which secure layers are in the image (host/link/mbedtls_config.h): CoAP over DTLS, HTTP over TLS. Flash: README of host/. */
#ifndef IPA_CFG_DTLS
#define IPA_CFG_DTLS 1
#endif
#ifndef IPA_CFG_TLS
#define IPA_CFG_TLS 1
#endif
/* HTTP at all: a board whose modem does TLS has IPA_CFG_TLS 0 and this 1. */
#ifndef IPA_CFG_HTTPS
#define IPA_CFG_HTTPS IPA_CFG_TLS
#endif
/* Device (boards/app): TLS and DTLS are the modem's, and so are the checks. */
#ifndef IPA_CFG_MODEM_TLS
#define IPA_CFG_MODEM_TLS 0
#endif
/* DTLS by certificates (trust from the eIM configuration), and by a pre-shared key that the board gives. */
#ifndef IPA_CFG_DTLS_ECDSA
#define IPA_CFG_DTLS_ECDSA 1
#endif
#ifndef IPA_CFG_DTLS_PSK
#define IPA_CFG_DTLS_PSK 1
#endif
/* Tests only: Mbed TLS with its server side. */
#ifndef IPA_CFG_TLS_SERVER
#define IPA_CFG_TLS_SERVER 0
#endif
/* Record buffers, as many octets of RAM each and about 100 more. In: a record of a CoAP block (1280 would do), and in TLS also the
 * server's whole chain of certificates: two or three of P-256. */
#ifndef IPA_CFG_TLS_IN
#define IPA_CFG_TLS_IN 2048
#endif
#ifndef IPA_CFG_TLS_OUT
#define IPA_CFG_TLS_OUT 1280
#endif
/* DTLS: most RAM for handshake messages that came in pieces or too early; taken only while it is needed. */
#ifndef IPA_CFG_DTLS_REASSEMBLY
#define IPA_CFG_DTLS_REASSEMBLY 4096
#endif

/* AT driver (host/modem/at.h). Seconds that a command of the modem alone may take; no RAM. */
#ifndef IPA_CFG_AT_WAIT_S
#define IPA_CFG_AT_WAIT_S 5
#endif
/* Rest of a line that is kept, payload apart: the longest URC is one of +CEREG; 1 octet each. */
#ifndef IPA_CFG_AT_LINE
#define IPA_CFG_AT_LINE 96
#endif
/* Session id of +CCHO with its end; 1 octet each. */
#ifndef IPA_CFG_AT_ID
#define IPA_CFG_AT_ID 21
#endif
/* What is written to the UART at once, at least 12; 1 octet each. */
#ifndef IPA_CFG_AT_OUT
#define IPA_CFG_AT_OUT 24
#endif
/* Rest between a final result and the next command; a family may ask for more. No RAM, as all times below. */
#ifndef IPA_CFG_AT_GAP_MS
#define IPA_CFG_AT_GAP_MS 20
#endif
/* Rest between a prompt and the payload: u-blox asks for 50, and clocks are coarse. */
#ifndef IPA_CFG_AT_PROMPT_MS
#define IPA_CFG_AT_PROMPT_MS 60
#endif
/* Longest silence within a payload that was announced. */
#ifndef IPA_CFG_AT_OCTET_MS
#define IPA_CFG_AT_OCTET_MS 2000
#endif
/* Silence that is waited for when driver and modem are out of step, then so many times AT, so far apart. */
#ifndef IPA_CFG_AT_DRAIN_MS
#define IPA_CFG_AT_DRAIN_MS 200
#endif
#ifndef IPA_CFG_AT_SYNC
#define IPA_CFG_AT_SYNC 5
#endif
#ifndef IPA_CFG_AT_SYNC_MS
#define IPA_CFG_AT_SYNC_MS 300
#endif
/* The same after a reset or a long sleep: 20 s. */
#ifndef IPA_CFG_AT_BOOT_SYNC
#define IPA_CFG_AT_BOOT_SYNC 66
#endif
/* UICC: seconds for an APDU, and for one that may make keys or install (STORE DATA); up to 240 has been asked for. */
#ifndef IPA_CFG_APDU_S
#define IPA_CFG_APDU_S 10
#endif
#ifndef IPA_CFG_APDU_LONG_S
#define IPA_CFG_APDU_LONG_S 60
#endif
/* Sockets of the modem that agent and application have together; 16 octets each. */
#ifndef IPA_CFG_MODEM_SOCKETS
#define IPA_CFG_MODEM_SOCKETS 2
#endif
/* A socket without news is asked so often, since a notice may be lost on the line. */
#ifndef IPA_CFG_MODEM_ASK_MS
#define IPA_CFG_MODEM_ASK_MS 2000
#endif
/* A user of the modem that does not come back for its result loses its turn after this time. */
#ifndef IPA_CFG_MODEM_TURN_MS
#define IPA_CFG_MODEM_TURN_MS 10000
#endif

/* CoAP: largest block, 6 for 1024 octets, 5 for 512 (modems that take 1024 octets in a command); RAM: two blocks. */
#ifndef IPA_CFG_COAP_SZX
#define IPA_CFG_COAP_SZX 6
#endif
/* CoAP: header and options of a request, as many octets of RAM; the name of the server takes up to 100 fewer. */
#ifndef IPA_CFG_COAP_HEADER
#define IPA_CFG_COAP_HEADER 192
#endif
/* CoAP: header and options of an answer, as many octets of RAM. */
#ifndef IPA_CFG_COAP_ANSWER_HEADER
#define IPA_CFG_COAP_ANSWER_HEADER 128
#endif
/* CoAP: confirmable answers whose repetition is recognised, 2 octets of RAM each; and replies in hand, 4 octets each. */
#ifndef IPA_CFG_COAP_SEEN
#define IPA_CFG_COAP_SEEN 8
#endif
#ifndef IPA_CFG_COAP_REPLIES
#define IPA_CFG_COAP_REPLIES 4
#endif

/* DTLS: largest datagram that we send, header of UDP not counted; no RAM. */
#ifndef IPA_CFG_DTLS_MTU
#define IPA_CFG_DTLS_MTU 1232
#endif

/* DTLS: how often the first message goes out over a session that was kept or saved, before it is given up for a new handshake. */
#ifndef IPA_CFG_DTLS_RESUME_TRIES
#define IPA_CFG_DTLS_RESUME_TRIES 2
#endif
/* Laboratory: CoAP without DTLS can be configured. A release image refuses it. */
#ifndef IPA_CFG_LAB_PLAIN_COAP
#define IPA_CFG_LAB_PLAIN_COAP 0
#endif
#if IPA_CFG_LAB_PLAIN_COAP && defined(IPA_CFG_RELEASE) && IPA_CFG_RELEASE
#error "IPA_CFG_LAB_PLAIN_COAP is for the laboratory: a release image speaks CoAP over DTLS only"
#endif

/* HTTP: octets kept of a header line, and read at once (a small request goes out in one record from there); RAM as many. */
#ifndef IPA_CFG_HTTP_LINE
#define IPA_CFG_HTTP_LINE 96
#endif
#ifndef IPA_CFG_HTTP_IN
#define IPA_CFG_HTTP_IN 640
#endif
/* HTTP: longest head of an answer that is read; no RAM. */
#ifndef IPA_CFG_HTTP_HEAD
#define IPA_CFG_HTTP_HEAD 8192
#endif

/* Security tag under which a Nordic modem keeps the certificate that its DTLS checks a server by. No RAM. */
#ifndef IPA_CFG_NORDIC_SECURITY_TAG
#define IPA_CFG_NORDIC_SECURITY_TAG "7322"
#endif
/* Suite of Quectel's own DTLS: PSK with AES-128-CBC is what firmware is known to have; a firmware with PSK-CCM-8: "0XC0A8". No RAM. */
#ifndef IPA_CFG_QUECTEL_DTLS_SUITE
#define IPA_CFG_QUECTEL_DTLS_SUITE "0X00AE"
#endif

#endif
