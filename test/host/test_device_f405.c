/*
 * UART ring buffers and watchdog of the Netduino Plus 2 on fake registers (RM0090 21.4, 30.6).
 *
 * sources: host/src/err.c
 * flags: -Iboards/netduinoplus2
 */
#include <stdint.h>

static void *fake_at(uint32_t address);
#define STM32_AT(address) fake_at(address)
#include "usart.c"
#include "watchdog.c"

#include "check.h"

static struct usart_regs console_regs, modem_regs;
static struct iwdg_regs iwdg;
static struct gpio_regs gpio;
static uint32_t enable[4], disable[4];

static void *fake_at(uint32_t address) {
    switch (address) {
        case 0x40011000u: return &console_regs;
        case 0x40004400u: return &modem_regs;
        case 0x40003000u: return &iwdg;
        case 0xE000E100u: return enable;
        case 0xE000E180u: return disable;
        default: return &gpio;
    }
}

/* An octet arrives: as in silicon, only while the receiver's interrupt is on. 1 when the driver took it. */
static int arrives(uint8_t octet) {
    if ((modem_regs.cr1 & USART_CR1_RXNEIE) == 0) return 0;
    modem_regs.sr = USART_SR_RXNE;
    modem_regs.dr = octet;
    usart2_handler();
    int taken = (modem_regs.cr1 & USART_CR1_RXNEIE) != 0;
    modem_regs.sr = 0;
    return taken;
}

static void begin(void) {
    uint8_t rest[RING];
    memset(&modem_regs, 0, sizeof modem_regs);
    usart_init(42000000, 84000000);
    (void)modem_uart.read(NULL, rest, sizeof rest);
    tx.head = tx.tail = 0;
}

TEST(usart_is_set_to_115200_with_flow_control) {
    begin();
    CHECK_INT(modem_regs.brr, 365);
    CHECK_INT(console_regs.brr, 729);
    CHECK_INT(modem_regs.cr3, USART_CR3_RTSE | USART_CR3_CTSE);
    CHECK_INT(enable[1], 1 << 6);
}

TEST(usart_gives_octets_in_order_over_the_end_of_the_ring) {
    uint8_t got[100];
    begin();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++) CHECK(arrives((uint8_t)(round + i)));
        CHECK_INT(modem_uart.read(NULL, got, sizeof got), 100);
        for (int i = 0; i < 100; i++) CHECK_INT(got[i], (uint8_t)(round + i));
    }
    CHECK_INT(modem_uart.read(NULL, got, sizeof got), 0);
}

TEST(usart_full_ring_leaves_the_octet_in_the_receiver_so_that_rts_holds_the_modem_off) {
    uint8_t got[RING + 1];
    begin();
    for (unsigned i = 0; i < RING; i++) CHECK(arrives((uint8_t)i));
    CHECK(!arrives(0x77));
    CHECK_INT(modem_regs.dr, 0x77);
    CHECK_INT(modem_uart.read(NULL, got, sizeof got), RING);
    CHECK(arrives(0x77));
    CHECK_INT(modem_uart.read(NULL, got, sizeof got), 1);
    CHECK_INT(got[0], 0x77);
    CHECK_INT(modem_overruns(), 0);
}

TEST(usart_counts_overruns) {
    begin();
    modem_regs.sr = USART_SR_ORE;
    usart2_handler();
    CHECK_INT(modem_overruns(), 1);
}

TEST(usart_keeps_what_the_transmitter_does_not_take_and_asks_for_its_interrupt) {
    uint8_t octets[RING + 10] = {1, 2, 3};
    begin();
    modem_regs.sr = 0;
    CHECK_INT(modem_uart.write(NULL, octets, sizeof octets), RING);
    CHECK_INT(modem_uart.write(NULL, octets, 1), 0);
    CHECK((modem_regs.cr1 & USART_CR1_TXEIE) != 0);
    modem_regs.sr = USART_SR_TXE;
    usart2_handler();
    CHECK((modem_regs.cr1 & USART_CR1_TXEIE) == 0);
    CHECK_INT(modem_uart.write(NULL, octets, 3), 3);
    CHECK_INT(modem_regs.dr, 3);
}

TEST(watchdog_is_started_once_with_26_s_and_fed_by_each_call) {
    board_watchdog(NULL);
    CHECK_INT(iwdg.pr, 6);
    CHECK_INT(iwdg.rlr, 3250);
    CHECK_INT(iwdg.kr, 0xAAAA);
    iwdg.rlr = 0;
    iwdg.kr = 0;
    board_watchdog(NULL);
    CHECK_INT(iwdg.rlr, 0);
    CHECK_INT(iwdg.kr, 0xAAAA);
}

int main(void) {
    RUN(usart_is_set_to_115200_with_flow_control);
    RUN(usart_gives_octets_in_order_over_the_end_of_the_ring);
    RUN(usart_full_ring_leaves_the_octet_in_the_receiver_so_that_rts_holds_the_modem_off);
    RUN(usart_counts_overruns);
    RUN(usart_keeps_what_the_transmitter_does_not_take_and_asks_for_its_interrupt);
    RUN(watchdog_is_started_once_with_26_s_and_fed_by_each_call);
    return check_end();
}
