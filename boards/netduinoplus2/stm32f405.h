/*
 * Registers of the STM32F405 (RM0090) that this board uses. A unit test puts fakes in their place: STM32_AT(address) gives where a
 * block of registers stands.
 */
#ifndef STM32F405_H
#define STM32F405_H

#include <stdint.h>

struct rcc_regs { /* 0x40023800, RM0090 7.3 */
    volatile uint32_t cr, pllcfgr, cfgr, cir, ahb1rstr, ahb2rstr, ahb3rstr, r0, apb1rstr, apb2rstr, r1[2];
    volatile uint32_t ahb1enr, ahb2enr, ahb3enr, r2, apb1enr, apb2enr, r3[2];
    volatile uint32_t ahb1lpenr, ahb2lpenr, ahb3lpenr, r4, apb1lpenr, apb2lpenr, r5[2], bdcr, csr;
};

struct flash_regs { /* 0x40023C00, 3.9 */
    volatile uint32_t acr, keyr, optkeyr, sr, cr, optcr;
};

struct gpio_regs { /* 0x40020000 + 0x400 * port, 8.4 */
    volatile uint32_t moder, otyper, ospeedr, pupdr, idr, odr, bsrr, lckr, afr[2];
};

struct usart_regs { /* 30.6 */
    volatile uint32_t sr, dr, brr, cr1, cr2, cr3, gtpr;
};

struct rng_regs { /* 0x50060800, 24.4 */
    volatile uint32_t cr, sr, dr;
};

struct iwdg_regs { /* 0x40003000, 21.4 */
    volatile uint32_t kr, pr, rlr, sr;
};

struct systick_regs { /* 0xE000E010, ARMv7-M B3.3 */
    volatile uint32_t ctrl, load, val, calib;
};

#ifndef STM32_AT
#define STM32_AT(address) (address)
#endif
#define RCC ((struct rcc_regs *)STM32_AT(0x40023800u))
#define FLASH ((struct flash_regs *)STM32_AT(0x40023C00u))
#define GPIO(port) ((struct gpio_regs *)STM32_AT(0x40020000u + 0x400u * (port)))
#define USART1 ((struct usart_regs *)STM32_AT(0x40011000u))
#define USART2 ((struct usart_regs *)STM32_AT(0x40004400u))
#define RNG ((struct rng_regs *)STM32_AT(0x50060800u))
#define IWDG ((struct iwdg_regs *)STM32_AT(0x40003000u))
#define SYSTICK ((struct systick_regs *)STM32_AT(0xE000E010u))
#define NVIC_ISER ((volatile uint32_t *)STM32_AT(0xE000E100u))
#define NVIC_ICER ((volatile uint32_t *)STM32_AT(0xE000E180u))
#define SCB_AIRCR (*(volatile uint32_t *)STM32_AT(0xE000ED0Cu))

#define IRQ_USART1 37u
#define IRQ_USART2 38u

#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS (3u << 2)

#define FLASH_SR_BSY (1u << 16)
#define FLASH_SR_ERRORS 0xF2u /* PGSERR PGPERR PGAERR WRPERR OPERR */
#define FLASH_CR_PG (1u << 0)
#define FLASH_CR_SER (1u << 1)
#define FLASH_CR_SNB(n) ((uint32_t)(n) << 3)
#define FLASH_CR_PSIZE_WORD (2u << 8)
#define FLASH_CR_STRT (1u << 16)
#define FLASH_CR_LOCK (1u << 31)
#define FLASH_KEY1 0x45670123u
#define FLASH_KEY2 0xCDEF89ABu

#define USART_SR_ORE (1u << 3)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_TXEIE (1u << 7)
#define USART_CR1_UE (1u << 13)
#define USART_CR3_RTSE (1u << 8)
#define USART_CR3_CTSE (1u << 9)

#define RNG_CR_RNGEN (1u << 2)
#define RNG_SR_DRDY (1u << 0)
#define RNG_SR_FAULTS 0x66u /* CECS SECS CEIS SEIS */

#endif
