/*
 * Runs modules on wasm3 for tests in TypeScript, through wasm.h alone: the commands of inplace_driver.c that need no more than that.
 *
 *     open MEMORY STACK WASM -      code used problem
 *     step ARG | export K           code result problem
 *     write AT OCTETS | read AT LENGTH | hash | reset
 *
 * sources: host/src/wasm_wasm3.c
 * needs: wasm3
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"
#include "src/wasm.h"

#define LINE (1u << 20)

static char line[LINE];
static uint8_t wasm[1 << 16], octets_in[1 << 17];
static uint64_t arena[1 << 19];
static struct ipa_wasm *instance;
static uint32_t memory_len;

static char *word(char **at)
{
    char *from = *at + strspn(*at, " \n"), *end = from + strcspn(from, " \n");
    if (*end != 0) *end++ = 0;
    *at = end;
    return from;
}

static uint32_t number(char **at)
{
    return (uint32_t)strtoul(word(at), NULL, 16);
}

static uint32_t octets(char **at, uint8_t *to, size_t cap)
{
    const char *text = word(at);
    uint32_t n = 0;
    char pair[3] = {0, 0, 0};
    if (*text == '-') return 0;
    for (; text[0] != 0 && text[1] != 0; text += 2, n++) {
        if (n >= cap) exit(3);
        pair[0] = text[0];
        pair[1] = text[1];
        to[n] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void open_module(char *at)
{
    struct ipa_wasm_image image = {wasm, 0, NULL, 0, 0, 0};
    int err;
    memory_len = image.memory_len = number(&at);
    image.stack_len = number(&at);
    image.wasm_len = octets(&at, wasm, sizeof wasm);
    if (instance != NULL) ipa_wasm_close(instance);
    err = ipa_wasm_open(&instance, &image, arena, sizeof arena);
    printf("%d %x %s\n", err, err == 0 ? (unsigned)ipa_wasm_used(instance) : 0, instance == NULL ? "" : ipa_wasm_problem(instance));
    if (err != 0) instance = NULL;
}

static void exported(enum ipa_wasm_export which, int32_t arg)
{
    int32_t result = 0;
    int err = ipa_wasm_call(instance, which, arg, &result);
    printf("%d %x %s\n", err, (unsigned)result, ipa_wasm_problem(instance));
}

static void hash(void)
{
    const uint8_t *memory = ipa_wasm_memory(instance, 0, memory_len);
    uint32_t h = 0x811c9dc5u, i;
    for (i = 0; memory != NULL && i < memory_len; i++) h = (h ^ memory[i]) * 0x01000193u;
    printf("0 %x\n", (unsigned)h);
}

static void memory_command(const char *name, char *at)
{
    uint32_t from = number(&at), n = name[0] == 'w' ? octets(&at, octets_in, sizeof octets_in) : number(&at);
    uint8_t *to = ipa_wasm_memory(instance, from, n);
    printf("%d ", to == NULL ? IPA_ERR_INVALID : 0);
    if (to != NULL && name[0] == 'w') memcpy(to, octets_in, n);
    for (; to != NULL && name[0] == 'r' && n != 0; n--) printf("%02x", *to++);
    putchar('\n');
}

int main(void)
{
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *at = line;
        const char *name = word(&at);
        if (strcmp(name, "open") == 0) open_module(at);
        else if (instance == NULL) printf("%d 0 no instance\n", IPA_ERR_INVALID);
        else if (strcmp(name, "step") == 0) exported(IPA_WASM_STEP, (int32_t)number(&at));
        else if (strcmp(name, "export") == 0) exported((enum ipa_wasm_export)number(&at), 0);
        else if (strcmp(name, "write") == 0 || strcmp(name, "read") == 0) memory_command(name, at);
        else if (strcmp(name, "hash") == 0) hash();
        else if (strcmp(name, "reset") == 0) printf("%d\n", ipa_wasm_reset(instance));
        else printf("%d 0 unknown command\n", IPA_ERR_INVALID);
        fflush(stdout);
    }
    return 0;
}
