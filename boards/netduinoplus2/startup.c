/* Vector table and reset of the STM32F405 (ARMv7-M B1.5, RM0090 12.2). Faults reset: the journal holds all that must survive. */
#include <stdint.h>

#include "board.h"
#include "stm32f405.h"

extern uint32_t _data[], _edata[], _data_load[], _bss[], _ebss[], _stack_top[], _stack_floor[];
extern int main(void);

void reset_handler(void);
static void fault_handler(void);
static void nothing(void);

/* The first entry is the stack pointer, the others are functions. */
union vector {
    uint32_t *stack;
    void (*handler)(void);
};

#define IRQS 82u
#define H(function) {.handler = function}

__attribute__((section(".vectors"), used)) static const union vector vectors[16 + IRQS] = {
    {.stack = _stack_top}, H(reset_handler), H(fault_handler), H(fault_handler), H(fault_handler), H(fault_handler), H(fault_handler), H(0), H(0), H(0), H(0),
    H(nothing), H(nothing), H(0), H(nothing), H(systick_handler),
    [16 + IRQ_USART1] = H(usart1_handler),
    [16 + IRQ_USART2] = H(usart2_handler),
};

__attribute__((section(".boot"), noreturn)) void reset_handler(void) {
    const uint32_t *from = _data_load;
    for (uint32_t *to = _data; to < _edata; to++) *to = *from++;
    for (uint32_t *to = _bss; to < _ebss; to++) *to = 0;
    /* Paint the stack: board_stack_used() sees how far it went. */
    uint32_t *here = (uint32_t *)__builtin_frame_address(0) - 16;
    for (uint32_t *to = _stack_floor; to < here; to++) *to = STACK_PAINT;
    main();
    board_reset();
}

uint32_t board_stack_used(void) {
    const uint32_t *at = _stack_floor;
    while (at < _stack_top && *at == STACK_PAINT) at++;
    return (uint32_t)((const uint8_t *)_stack_top - (const uint8_t *)at);
}

void board_reset(void) {
    SCB_AIRCR = 0x05FA0004u; /* SYSRESETREQ */
    for (;;) {
    }
}

static void fault_handler(void) {
    board_reset();
}

static void nothing(void) {
}
