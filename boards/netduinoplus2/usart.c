/*
 * USART1 console, USART2 modem (RM0090 30). Both directions of the modem go by interrupt and ring buffer, with RTS/CTS: at 115200 an octet
 * comes every 87 us, and an erase of flash stalls the core for 400 ms.
 *
 *   PA9 TX, PA10 RX console    PA2 TX, PA3 RX, PA0 CTS, PA1 RTS modem    all AF7
 */
#include "board.h"
#include "stm32f405.h"

#define BAUD 115200u
#define RING 512u  /* a power of two; RAM of that size, twice */

struct ring {
    volatile uint16_t head, tail; /* head: written next, by one side only; tail: read next, by the other */
    uint8_t data[RING];
};

static struct ring rx, tx;
static volatile uint32_t overruns;

static uint32_t filled(const struct ring *r) {
    return (uint16_t)(r->head - r->tail);
}

static void pin(uint32_t port, uint32_t number, uint32_t function) {
    struct gpio_regs *gpio = GPIO(port);
    uint32_t shift = (number & 7u) * 4u;
    gpio->moder = (gpio->moder & ~(3u << (number * 2u))) | 2u << (number * 2u);
    gpio->pupdr = (gpio->pupdr & ~(3u << (number * 2u))) | 1u << (number * 2u);
    gpio->afr[number >> 3] = (gpio->afr[number >> 3] & ~(15u << shift)) | function << shift;
}

void usart_init(uint32_t pclk1_hz, uint32_t pclk2_hz) {
    static const uint8_t pins[] = {0, 1, 2, 3, 9, 10};
    for (unsigned i = 0; i < sizeof pins; i++) pin(0, pins[i], 7);
    USART1->brr = (pclk2_hz + BAUD / 2u) / BAUD;
    USART1->cr1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
    USART2->brr = (pclk1_hz + BAUD / 2u) / BAUD;
    USART2->cr3 = USART_CR3_RTSE | USART_CR3_CTSE;
    USART2->cr1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    NVIC_ISER[IRQ_USART2 / 32u] = 1u << (IRQ_USART2 % 32u);
}

/* The console waits for its turn: a line of text is 8 ms. What is typed is looked at once a loop, the last key counts. */
void console_write(const char *text) {
    for (; *text != '\0'; text++) {
        for (uint32_t n = 1000000u; (USART1->sr & USART_SR_TXE) == 0 && n != 0; n--) {
        }
        USART1->dr = (uint8_t)*text;
    }
}

int console_read(void) {
    return (USART1->sr & (USART_SR_RXNE | USART_SR_ORE)) != 0 ? (int)(USART1->dr & 0x7Fu) : -1;
}

void usart1_handler(void) {
}

/* What the transmitter takes now; the rest by interrupt. (QEMU 7.2 has no TXE interrupt, and a transmitter that takes all.) */
static void send_octets(void) {
    while (filled(&tx) != 0 && (USART2->sr & USART_SR_TXE) != 0) USART2->dr = tx.data[tx.tail++ & (RING - 1u)];
    if (filled(&tx) != 0) USART2->cr1 |= USART_CR1_TXEIE;
    else USART2->cr1 &= ~USART_CR1_TXEIE;
}

void usart2_handler(void) {
    uint32_t sr = USART2->sr;
    if ((sr & USART_SR_ORE) != 0) overruns++;
    if ((sr & (USART_SR_RXNE | USART_SR_ORE)) != 0) {
        if (filled(&rx) < RING) rx.data[rx.head++ & (RING - 1u)] = (uint8_t)USART2->dr; /* clears both */
        else USART2->cr1 &= ~USART_CR1_RXNEIE; /* the octet stays there, and RTS holds the modem off, until modem_read */
    }
    if ((sr & USART_SR_TXE) != 0 && (USART2->cr1 & USART_CR1_TXEIE) != 0) send_octets();
}

uint32_t modem_overruns(void) {
    return overruns;
}

/* Without the modem's interrupt, which changes CR1 too. */
static void quiet(int on) {
    (on ? NVIC_ICER : NVIC_ISER)[IRQ_USART2 / 32u] = 1u << (IRQ_USART2 % 32u);
}

static size_t modem_read(void *ctx, uint8_t *p, size_t cap) {
    size_t n = 0;
    (void)ctx;
    while (n < cap && filled(&rx) != 0) p[n++] = rx.data[rx.tail++ & (RING - 1u)];
    if (n != 0) {
        quiet(1);
        USART2->cr1 |= USART_CR1_RXNEIE;
        quiet(0);
    }
    return n;
}

static size_t modem_write(void *ctx, const uint8_t *p, size_t len) {
    size_t n = 0;
    (void)ctx;
    while (n < len && filled(&tx) < RING) tx.data[tx.head++ & (RING - 1u)] = p[n++];
    quiet(1);
    send_octets();
    quiet(0);
    return n;
}

const struct ipa_uart modem_uart = {modem_read, modem_write, 0, 0};
