/*
 * Port self-test: whether a board's functions do what device.h asks of them. It takes the whole device for itself, up to two minutes.
 *
 *   clock     now_ms moves, and sleep lets time pass
 *   entropy   two draws differ
 *   flash     a record is there again after it was written; run it twice to see it survive a reset ("starts 2")
 *   modem     answers AT and tells its IMEI
 *   eUICC     SELECT of the ISD-R answers 9000
 */
#ifndef APP_SELFTEST_H
#define APP_SELFTEST_H

#include "app/device.h"

/* 1: the firmware begins with it. */
#ifndef IPA_CFG_SELFTEST
#define IPA_CFG_SELFTEST 0
#endif

/* One console line for each: "selftest WHAT ok", or the error. Behind device_init. How many failed; without a clock it ends at once. */
int device_selftest(struct device *device);

#endif
