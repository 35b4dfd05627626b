/* A whole modem driver on the scripted modem of at_fake.h, its boot answered. */
#ifndef MODEM_FAKE_H
#define MODEM_FAKE_H

#include "modem/net_at.h"
#include "modem/uicc_at.h"

#include "at_fake.h"
#include "check.h"

#define OKAY "\r\nOK\r\n"

static const char *const fake_boot_answers[] = {
    "AT\r", OKAY, "ATE0\r", OKAY, "ATV1\r", OKAY, "AT+CMEE=1\r", OKAY, "AT+CGSN\r", "\r\n356938035643809\r\n" OKAY, "AT+CEREG=0\r", OKAY, "AT+COPS=3,2\r", OKAY,
    "AT+CFUN=1\r", OKAY, "AT+CGMM\r", "\r\nBG95-M3\r\n" OKAY, "AT+QSCLK=0\r", OKAY, "AT+QURCCFG=\"urcport\",\"uart1\"\r", OKAY,
    "AT+UPSV=0\r", OKAY, "AT+UDCONF=1,0\r", OKAY, "AT+USOCL=0\r", "\r\nERROR\r\n", "AT+USOCL=1\r", "\r\nERROR\r\n", "AT+CSCLK=0\r", OKAY, "AT#XCLOSE\r", OKAY, "AT%XSIM=1\r", OKAY,
    "AT+CACID=0\r", OKAY, "AT+CASSLCFG=0,\"SSL\",0\r", OKAY,
    NULL,
};

struct phone {
    struct fake fake;
    struct ipa_modem modem;
    struct ipa_modem_config config;
    const struct ipa_modem_family *families[6];
    struct ipa_uicc uicc;
    struct ipa_net net;
};

static inline void phone_on(struct phone *p, const struct ipa_modem_family *family, struct fake fake) {
    memset(p, 0, sizeof *p);
    p->fake = fake;
    p->fake.now = 1000;
    p->fake.boot = fake_boot_answers;
    p->families[0] = family;
    p->config.uart = fake_uart(&p->fake);
    p->config.now_ms = fake_now;
    p->config.ctx = &p->fake;
    p->config.families = p->families;
    p->config.cid = 1;
    fake_unasked(&p->fake);
    ipa_modem_init(&p->modem, &p->config);
    p->uicc = ipa_modem_uicc(&p->modem.agent);
    p->net = ipa_modem_net(&p->modem.agent);
}

/* All of the script was said and heard, and nothing else. */
static inline void phone_done(struct phone *p) {
    CHECK_INT(p->fake.step, p->fake.count);
    if (p->fake.wrong[0] != 0) printf("# unexpected %s\n", p->fake.wrong);
    CHECK(p->fake.wrong[0] == 0);
}

#endif
