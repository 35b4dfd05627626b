/* Independent watchdog (RM0090 21): 26 s from the 32 kHz oscillator by 256, started by the first call; nothing stops it any more. */
#include "board.h"
#include "stm32f405.h"

#define WATCHDOG_S 26u

void board_watchdog(void *ctx) {
    static uint8_t started; /* there is one watchdog */
    (void)ctx;
    if (!started) {
        IWDG->kr = 0x5555u;
        IWDG->pr = 6u;
        IWDG->rlr = WATCHDOG_S * 125u;
        IWDG->kr = 0xCCCCu;
        started = 1;
    }
    IWDG->kr = 0xAAAAu;
}
