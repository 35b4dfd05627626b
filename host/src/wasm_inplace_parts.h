/*
 * The insides of the in-place engine: instance, side table, readers. For wasm_inplace*.c only.
 *
 * Side table, little-endian, aligned to 4 octets, made by host/tool/side-table.ts or by ipa_wasm_inplace_make():
 *
 *     0  u32 magic "IPS1"          12  u32 number of branch entries
 *     4  u32 octets of the wasm    16  u32 number of long entries
 *     8  u32 octets of stack that  20  u32 number of functions
 *        any export needs, 0 when
 *        the module recurses       24  branch entries (4 each), long entries (12 each), functions (10 each), to a multiple of 4
 *
 * A branch entry stands for one place where control may jump, in the order of the code: if (when false), else (reached
 * from above), br, br_if, each target of br_table. It says how far to go, from behind the opcode (br_table: behind the number of targets) and from the entry itself:
 *
 *     bits 0-13 octets of code, signed | 14-25 entries, signed | 26-28 words to drop | 29-30 words to keep above them | 31 zero
 *     bit 31 set: bits 0-30 number a long entry: i32 octets, i32 entries, u16 drop, u16 keep
 *
 * Entries of unreachable code are 0. In a function with flag WIDE, each drop and select has an entry too: 1 when its operand
 * is an i64. In a function with flag MAPPED, which has i64 locals, the branch entries begin with the number of its locals
 * and one entry for each: word offset | 256 when it is an i64.
 */
#ifndef IPA_WASM_INPLACE_PARTS_H
#define IPA_WASM_INPLACE_PARTS_H

#include "ipa/config_default.h"
#include "wasm_inplace.h"

#define SIDE_MAGIC 0x31535049u
#define SIDE_HEADER 24u
#define LONG_ENTRY 12u
#define FRAME_WORDS 2u  /* u16 return offset, u16 entry, u16 function, u16 word offset of the caller's locals */
#define GUARD_WORDS 4u  /* below the first frame: an operator may read its operands before it checks that they are there */
#define SPARE_WORDS 2u  /* above the last operand: one comparison serves operators that push one word or two */
#define STACK_LEAST (GUARD_WORDS + FRAME_WORDS + SPARE_WORDS)
#define MODULE_MAX 0xffffu
#define PAGE 65536u

#ifndef IPA_CFG_WASM_GOTO /* computed goto instead of switch */
#ifdef __GNUC__
#define IPA_CFG_WASM_GOTO 1
#else
#define IPA_CFG_WASM_GOTO 0
#endif
#endif

#ifndef IPA_CFG_WASM_MAKE /* ipa_wasm_inplace_make(); flash only, and only where it is called */
#define IPA_CFG_WASM_MAKE 1
#endif

#ifndef IPA_CFG_WASM_TEXTS /* full validation says what is wrong, not only that it is; 0.8 kB of flash */
#define IPA_CFG_WASM_TEXTS 0
#endif

#ifndef IPA_CFG_WASM_GAP /* octets between the parts of the caller's memory, which a test poisons; RAM: three times as much */
#define IPA_CFG_WASM_GAP 0
#endif

#if defined(__GNUC__)
#define IPA_NOINLINE __attribute__((noinline))
#define IPA_ALIAS __attribute__((may_alias))
#else
#define IPA_NOINLINE
#define IPA_ALIAS
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LE16(x) ((uint16_t)((x) << 8 | (x) >> 8))
#define LE32(x) ((x) << 24 | ((x) & 0xff00u) << 8 | ((x) >> 8 & 0xff00u) | (x) >> 24)
#else
#define LE16(x) (x)
#define LE32(x) (x)
#endif

typedef uint32_t IPA_ALIAS side_word; /* types of the table's own, since it reaches us as octets */

enum {
    SECTION_TYPE = 1, SECTION_IMPORT, SECTION_FUNCTION, SECTION_TABLE, SECTION_MEMORY, SECTION_GLOBAL, SECTION_EXPORT, SECTION_START,
    SECTION_ELEMENT, SECTION_CODE, SECTION_DATA, SECTION_DATA_COUNT, SECTIONS
};

enum { FN_RESULTS = 3, FN_WIDE = 4, FN_MAPPED = 8 };

struct IPA_ALIAS wasm_fn {
    uint16_t start;   /* offset of the first instruction */
    uint16_t end;     /* offset of the last one, which is end */
    uint16_t entry;   /* its first branch entry */
    uint8_t params;   /* words */
    uint8_t locals;   /* words, beside the parameters */
    uint8_t fast;     /* so many locals, from the first on, are i32 */
    uint8_t flags;
};

struct ipa_wasm {
    const uint8_t *wasm;
    const side_word *entries;
    const struct wasm_fn *functions;
    uint8_t *memory;
    uint32_t *globals;
    uint32_t *stack;
    uint32_t *stack_end;
    const char *problem;
    uint32_t wasm_len;
    uint32_t memory_len;
    uint32_t n_entries, n_longs, n_functions;
    int32_t fuel, fuel_left;
    uint16_t sections[SECTIONS]; /* offsets of their contents; 0: there is none */
    uint16_t code_end;
    uint16_t fast_globals; /* their number, when all are i32; else 0 */
    uint16_t global_words;
    uint16_t pages;
    uint16_t has_memory;
    uint16_t exports[5]; /* function, 0xffff: missing */
};

/* Reads LEB128 within the module; sticky: `bad` is set at the first octet that is not there. */
struct wasm_reader {
    const uint8_t *p;
    const uint8_t *end;
    int bad;
};

uint32_t ipa_wasm_u8(struct wasm_reader *r);
uint32_t ipa_wasm_u32(struct wasm_reader *r);

/* LEB128 of up to ten octets; sign: 0x40 for a signed number, else 0. Only octets that are not there are bad. */
uint64_t ipa_wasm_number(struct wasm_reader *r, uint32_t sign);

/* The same, and bad when it is longer than a number of `bits` bits may be. */
uint64_t ipa_wasm_strict_number(struct wasm_reader *r, uint32_t bits, uint32_t sign);

/* At the section's content, behind the number of its items, which it gives; 0 when there is no such section. */
uint32_t ipa_wasm_section(const struct ipa_wasm *wasm, uint32_t id, struct wasm_reader *r);

/*
 * Slot of a global as a word offset, with flags. Behind the last one: GLOBALS_END and the words of all; GLOBALS_BAD when one is
 * no constant i32 or i64. With `fill`, writes the initial values there, up to this global.
 */
#define GLOBAL_MUTABLE 0x20000000u
#define GLOBAL_WIDE 0x40000000u
#define GLOBALS_END 0x80000000u
#define GLOBALS_BAD 0xffffffffu
uint32_t ipa_wasm_global_slot(const struct ipa_wasm *wasm, uint32_t index, uint32_t *fill);

/* Finds the sections and checks their frame, globals and data included. 0 or IPA_ERR_WASM_REFUSED with problem set. */
int ipa_wasm_sections(struct ipa_wasm *wasm);

/* What validation at load leaves out (wasm_inplace_strict.c): NULL, or what is wrong. */
const char *ipa_wasm_strict(const struct ipa_wasm *wasm);

/* Loads and stores from i32.load (0x28) on: log2 of their octets, and these. */
enum { ACCESS_WIDE = 4, ACCESS_SIGNED = 8 };
extern const uint8_t ipa_wasm_accesses[23];

/* Runs a function to its end. 0 or IPA_ERR_WASM_... with problem set. args at wasm->stack + GUARD_WORDS. */
int ipa_wasm_run(struct ipa_wasm *wasm, uint32_t function);

#if IPA_CFG_WASM_VALIDATE
/* Validates module and side table with the scratch given. 0, or IPA_ERR_WASM_REFUSED, IPA_ERR_NO_MEM, with problem set. */
int ipa_wasm_validate(struct ipa_wasm *wasm, void *scratch, size_t len);
#endif

#endif
