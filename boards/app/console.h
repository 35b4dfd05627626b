/* Lines of a console without printf: text, numbers, hex. */
#ifndef APP_CONSOLE_H
#define APP_CONSOLE_H

#include "app/device.h"

void console_text(const struct device *device, const char *text);
void console_number(const struct device *device, int32_t number);
void console_hex(const struct device *device, const uint8_t *p, size_t len);
/* "report NAME DETAIL HEX", or "report NUMBER ..." without IPA_CFG_DEVICE_NAMES. */
void console_report(const struct device *device, const struct ipa_report *report);
/* "error WHAT NAME" */
void console_error(const struct device *device, const char *what, int err);

#endif
