/* Sizes of the posix board: memory is no question here, so everything is in, with room for 64-bit pointers. */
#ifndef POSIX_IPA_CONFIG_H
#define POSIX_IPA_CONFIG_H

/* Agent with its engine: wasm3 takes four octets for one of wasm, the engine in place hardly any beside linear memory. */
#define IPA_CFG_AGENT_ARENA 393216
/* Links: two CoAP blocks and their headers, Mbed TLS's heap. */
#define IPA_CFG_LINK_ARENA 40960
/* Sockets of the modem: agent, application, and one to spare. */
#define IPA_CFG_MODEM_SOCKETS 3
/* The whole module is validated before it runs: flash is no question either. */
#define IPA_CFG_WASM_VALIDATE 1

#endif
