/*
 * The engine wasm3 (0.5 from npm, or upstream 0.9) behind wasm.h; the only file that includes its headers. It compiles the
 * whole module into RAM when it is loaded: about one pointer for each octet of wasm. Cortex-M3 and up, RISC-V, desktop: where the
 * compiler makes no tail calls (Thumb-1) its native stack has no bound.
 *
 * wasm3 itself is compiled with -Dcalloc=ipa_wasm3_calloc -Drealloc=ipa_wasm3_realloc -Dfree=ipa_wasm3_free, so that
 * it allocates in the caller's memory only. Malformed modules may corrupt that memory: only verified images are loaded (container.h).
 * Fuel: wasm3 counts none, so that an endless loop is the watchdog's. memory.grow finds no more pages.
 */
#include <string.h>

#include "ipa/config_default.h"
#include "ipa/err.h"
#include "wasm.h"

#include "m3_env.h"
#include "wasm3.h"

/* From 0.9.1 on a memory belongs to its module. */
#define MEMORY_OF_MODULE (M3_VERSION_MAJOR > 0 || M3_VERSION_MINOR > 9 || (M3_VERSION_MINOR == 9 && M3_VERSION_REV > 0))

struct ipa_wasm {
    struct ipa_wasm_image image;
    IM3Runtime runtime;
    IM3Module module;
    IM3Function functions[IPA_WASM_STEP + 1];
    const char *problem;
    uintptr_t floor;      /* the native stack of a call must not go below */
    uint8_t *heap;
    size_t heap_len;
    size_t heap_top;      /* highest use since open */
};

/*
 * The exception to "no static state": wasm3's allocator and its m3_Yield hook get no context. It is set while a function of
 * this file runs, so two threads must not be inside wasm3 at the same time, unless IPA_CFG_THREAD_LOCAL names the compiler's word for
 * a variable of the thread. Instances as such don't know of each other.
 */
static IPA_CFG_THREAD_LOCAL struct ipa_wasm *running;

/* The heap: blocks without gaps, each with this header; the end is a block of size 0. */
struct block {
    uint32_t size;        /* octets behind the header, a multiple of 8 */
    uint32_t used;
};

static struct block *block_at(struct ipa_wasm *wasm, size_t at) {
    return (struct block *)(void *)(wasm->heap + at);
}

static void heap_clear(struct ipa_wasm *wasm) {
    struct block *all = block_at(wasm, 0);
    all->size = (uint32_t)(wasm->heap_len - 2 * sizeof(struct block));
    all->used = 0;
    block_at(wasm, wasm->heap_len - sizeof(struct block))->size = 0;
}

/* Makes of a block one of `size` octets and a free rest. */
static void split(struct block *block, uint32_t size) {
    if (block->size - size < 2 * sizeof(struct block)) return;
    struct block *rest = (struct block *)(void *)((uint8_t *)(block + 1) + size);
    rest->size = block->size - size - (uint32_t)sizeof(struct block);
    rest->used = 0;
    block->size = size;
}

/* Called by wasm3 alone, under these names. */
void *ipa_wasm3_calloc(size_t count, size_t each);
void *ipa_wasm3_realloc(void *p, size_t size);
void ipa_wasm3_free(void *p);

void *ipa_wasm3_calloc(size_t count, size_t each) {
    struct ipa_wasm *wasm = running;
    if (each != 0 && count > wasm->heap_len / each) return NULL;
    uint32_t size = (uint32_t)((count * each + 7) & ~(size_t)7);
    size_t at = 0;
    for (struct block *block; (block = block_at(wasm, at))->size != 0; at += sizeof *block + block->size) {
        if (block->used) continue;
        for (struct block *next; !(next = block_at(wasm, at + sizeof *block + block->size))->used && next->size != 0;) block->size += (uint32_t)sizeof *next + next->size;
        if (block->size < size) continue;
        split(block, size);
        block->used = 1;
        at += sizeof *block + block->size;
        if (at > wasm->heap_top) wasm->heap_top = at;
        return memset(block + 1, 0, block->size);
    }
    return NULL;
}

void ipa_wasm3_free(void *p) {
    if (p != NULL) ((struct block *)p - 1)->used = 0;
}

void *ipa_wasm3_realloc(void *p, size_t size) {
    void *moved = ipa_wasm3_calloc(size, 1);
    if (moved != NULL && p != NULL) {
        size_t old = ((struct block *)p - 1)->size;
        memcpy(moved, p, old < size ? old : size);
        ipa_wasm3_free(p);
    }
    return moved;
}

/* wasm3 asks at every call inside the module. */
M3Result m3_Yield(void) {
    uint8_t here;
    return running != NULL && (uintptr_t)&here < running->floor ? m3Err_trapStackOverflow : m3Err_none;
}

static int problem(struct ipa_wasm *wasm, const char *text, int err) {
    wasm->problem = text;
    return err;
}

/* The image's figure is what the in-place engine needs; wasm3's frames are larger. */
static uint32_t stack_len(const struct ipa_wasm_image *image) {
    return image->stack_len > IPA_CFG_WASM3_STACK ? image->stack_len : IPA_CFG_WASM3_STACK;
}

static M3Result load(struct ipa_wasm *wasm) {
    static const char *const names[] = { "ipa_abi", "ipa_mailbox", "ipa_capacity", "ipa_memory", "ipa_step" };
    IM3Environment environment = m3_NewEnvironment();
    if (environment == NULL) return m3Err_mallocFailed;
    wasm->runtime = m3_NewRuntime(environment, stack_len(&wasm->image), NULL);
    if (wasm->runtime == NULL) return m3Err_mallocFailed;
    wasm->runtime->memoryLimit = wasm->image.memory_len;
    IM3Module module = NULL;
    M3Result result = m3_ParseModule(environment, &module, wasm->image.wasm, wasm->image.wasm_len);
    wasm->module = module;
#if !MEMORY_OF_MODULE
    if (result == m3Err_none) module->memoryInfo.maxPages = module->memoryInfo.initPages; /* memory.grow says -1 */
#endif
    if (result == m3Err_none) result = m3_LoadModule(wasm->runtime, module);
    if (result == m3Err_none) result = m3_CompileModule(module);
    for (int i = 0; result == m3Err_none && i <= IPA_WASM_STEP; i++) {
        result = m3_FindFunction(&wasm->functions[i], wasm->runtime, names[i]);
        if (result != m3Err_none) break;
        if (m3_GetArgCount(wasm->functions[i]) != (i == IPA_WASM_STEP) || m3_GetRetCount(wasm->functions[i]) != 1) result = m3Err_argumentCountMismatch;
    }
    return result;
}

int ipa_wasm_reset(struct ipa_wasm *wasm) {
    /* The heap is forgotten whole: no leak, and nothing of what a trap left behind. */
    uint8_t here;
    heap_clear(wasm);
    memset(wasm->functions, 0, sizeof wasm->functions);
    wasm->floor = (uintptr_t)&here - IPA_CFG_NATIVE_STACK;
    running = wasm;
    M3Result result = load(wasm);
    running = NULL;
    if (result == m3Err_none) return problem(wasm, "", IPA_OK);
    return problem(wasm, result, result == m3Err_mallocFailed || result == m3Err_mallocFailedCodePage ? IPA_ERR_NO_MEM : IPA_ERR_WASM_REFUSED);
}

/*
 * Measured with the agent: metacode takes 1.05 pointers for an octet, the parsed module 0.15, wasm3's own records a few
 * hundred pointers. wasm3 0.5 writes through NULL when memory ends while it parses, so that less than this is not even tried.
 */
size_t ipa_wasm_need(const struct ipa_wasm_image *image) {
    return image->memory_len + stack_len(image) + sizeof(void *) * (1024 + image->wasm_len + image->wasm_len / 4);
}

int ipa_wasm_open(struct ipa_wasm **out, const struct ipa_wasm_image *image, void *at, size_t len) {
    size_t head = (sizeof(struct ipa_wasm) + 7) & ~(size_t)7;
    *out = NULL;
    if ((uintptr_t)at % 8 != 0 || image->wasm == NULL || len > UINT32_MAX) return IPA_ERR_INVALID;
    if (len < head) return IPA_ERR_NO_MEM;
    struct ipa_wasm *wasm = *out = at;
    memset(wasm, 0, sizeof *wasm);
    if (len < ipa_wasm_need(image)) return problem(wasm, m3Err_mallocFailed, IPA_ERR_NO_MEM);
    wasm->image = *image;
    wasm->heap = (uint8_t *)at + head;
    wasm->heap_len = (len - head) & ~(size_t)7;
    return ipa_wasm_reset(wasm);
}

int ipa_wasm_call(struct ipa_wasm *wasm, enum ipa_wasm_export fn, int32_t arg, int32_t *result) {
    const void *args[] = { &arg };
    const void *results[] = { result };
    uint8_t here;
    if ((unsigned)fn > IPA_WASM_STEP || wasm->functions[fn] == NULL) return IPA_ERR_INVALID;
    wasm->floor = (uintptr_t)&here - IPA_CFG_NATIVE_STACK;
    running = wasm;
    M3Result trap = m3_Call(wasm->functions[fn], fn == IPA_WASM_STEP, args);
    if (trap == m3Err_none) trap = m3_GetResults(wasm->functions[fn], 1, results);
    running = NULL;
    if (trap == m3Err_none) return IPA_OK;
    return problem(wasm, trap, trap == m3Err_trapStackOverflow ? IPA_ERR_WASM_STACK : IPA_ERR_WASM_TRAP);
}

uint8_t *ipa_wasm_memory(struct ipa_wasm *wasm, uint32_t at, uint32_t len) {
#if MEMORY_OF_MODULE
    size_t size = 0;
    uint8_t *memory = m3_GetMemory(wasm->module, &size, 0);
#else
    uint32_t size = 0;
    uint8_t *memory = m3_GetMemory(wasm->runtime, &size, 0);
#endif
    return memory == NULL || at > size || len > size - at ? NULL : memory + at;
}

const char *ipa_wasm_problem(const struct ipa_wasm *wasm) {
    return wasm->problem;
}

size_t ipa_wasm_used(const struct ipa_wasm *wasm) {
    return (size_t)(wasm->heap - (const uint8_t *)wasm) + wasm->heap_top;
}

void ipa_wasm_close(struct ipa_wasm *wasm) {
    wasm->runtime = NULL; /* all of it is in the caller's memory */
}
