/*
 * Memory of Mbed TLS: one heap inside a buffer of the caller, first fit, joined when freed.
 *
 * Mbed TLS asks for memory without saying for whom, so that one process-wide variable is forced on us: the heap in use. Whoever
 * calls Mbed TLS sets its own heap first, for that call (host/link/, host/src/container.c); several instances may have one each,
 * but on an RTOS their calls into the host must not overlap.
 */
#ifndef IPA_TLS_HEAP_H
#define IPA_TLS_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct ipa_tls_block;

struct ipa_tls_heap {
    struct ipa_tls_block *first;
    size_t used;     /* octets now taken, with headers */
    size_t peak;     /* most since ipa_tls_heap_init */
    uint32_t refused; /* requests that found no room */
};

/* The buffer must outlive the heap; its ends are aligned to 8. IPA_OK, or IPA_ERR_NO_MEM when it is tiny. */
int ipa_tls_heap_init(struct ipa_tls_heap *heap, void *memory, size_t len);
/* The heap that Mbed TLS uses from now on, NULL: none, every request for memory fails. Returns the one before. */
struct ipa_tls_heap *ipa_tls_heap_use(struct ipa_tls_heap *heap);

/* What Mbed TLS calls (mbedtls_config.h). Zeroed memory, or NULL. */
void *ipa_tls_calloc(size_t count, size_t size);
/* Overwrites what is freed: most of it was secret. */
void ipa_tls_free(void *p);

#endif
