/* Memory of Mbed TLS (tls_heap.h): a list of blocks in address order, each with its size and whether it is taken. */
#include "link/tls_heap.h"

#include <string.h>

#include "ipa/err.h"

#define ALIGN 8u

struct ipa_tls_block {
    struct ipa_tls_block *next;
    uint32_t size;      /* octets behind this header */
    uint32_t taken;
};

/* Header, rounded up: what lies behind it is aligned too. */
#define HEADER ((sizeof(struct ipa_tls_block) + ALIGN - 1) / ALIGN * ALIGN)

static struct ipa_tls_heap *heap_in_use;

int ipa_tls_heap_init(struct ipa_tls_heap *heap, void *memory, size_t len) {
    size_t skip = (ALIGN - (uintptr_t)memory % ALIGN) % ALIGN;
    if (memory == NULL || len < skip + HEADER + ALIGN) return IPA_ERR_NO_MEM;
    len = (len - skip) / ALIGN * ALIGN;
    heap->first = (struct ipa_tls_block *)(void *)((uint8_t *)memory + skip);
    heap->first->next = NULL;
    heap->first->size = (uint32_t)(len - HEADER);
    heap->first->taken = 0;
    heap->used = 0;
    heap->peak = 0;
    heap->refused = 0;
    return IPA_OK;
}

struct ipa_tls_heap *ipa_tls_heap_use(struct ipa_tls_heap *heap) {
    struct ipa_tls_heap *before = heap_in_use;
    heap_in_use = heap;
    return before;
}

/* Cuts what isn't needed off the block. */
static void split(struct ipa_tls_block *block, size_t size) {
    if (block->size < size + HEADER + ALIGN) return;
    struct ipa_tls_block *rest = (struct ipa_tls_block *)(void *)((uint8_t *)block + HEADER + size);
    rest->next = block->next;
    rest->size = (uint32_t)(block->size - size - HEADER);
    rest->taken = 0;
    block->next = rest;
    block->size = (uint32_t)size;
}

void *ipa_tls_calloc(size_t count, size_t size) {
    struct ipa_tls_heap *heap = heap_in_use;
    if (heap == NULL || count == 0 || size == 0 || size > (UINT32_MAX / 2) / count) return NULL;
    size_t need = (count * size + ALIGN - 1) / ALIGN * ALIGN;
    struct ipa_tls_block *block = heap->first;
    while (block != NULL && (block->taken || block->size < need)) block = block->next;
    if (block == NULL) {
        heap->refused++;
        return NULL;
    }
    split(block, need);
    block->taken = 1;
    heap->used += HEADER + block->size;
    if (heap->used > heap->peak) heap->peak = heap->used;
    return memset((uint8_t *)block + HEADER, 0, block->size);
}

static void join(struct ipa_tls_block *block) {
    while (block->next != NULL && !block->taken && !block->next->taken) {
        block->size += (uint32_t)HEADER + block->next->size;
        block->next = block->next->next;
    }
}

void ipa_tls_free(void *p) {
    struct ipa_tls_heap *heap = heap_in_use;
    if (p == NULL || heap == NULL) return;
    struct ipa_tls_block *block = heap->first, *before = NULL;
    while (block != NULL && (uint8_t *)block + HEADER != (uint8_t *)p) {
        before = block;
        block = block->next;
    }
    if (block == NULL || !block->taken) return;
    memset(p, 0, block->size);
    block->taken = 0;
    heap->used -= HEADER + block->size;
    join(block);
    if (before != NULL) join(before);
}
