/* See options.h. What is read lives as long as the program. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_FILE = 1 << 20 };

static const char help[] =
    "Usage: posix --uart PATH --flash FILE --image FILE --key ID:HEX [options]\n"
    "\n"
    "A device with an IPA as a Linux program; the modem on its serial line.\n"
    "\n"
    "  --uart PATH           modem: a serial device, a pty, or unix:PATH\n"
    "  --baud N, --flow      rate (115200), RTS/CTS\n"
    "  --flash FILE          the journal's flash: 64 KiB, made when it is not there\n"
    "  --image FILE          signed container with the agent; a second one is the second slot\n"
    "  --key ID:HEX          public key that containers are signed with: id, and point 04 X Y (tinyipa sign --public)\n"
    "  --family NAME         auto (default), generic, quectel, ublox, simcom, nordic\n"
    "  --apn NAME, --psm T, --edrx T, --lte-m\n"
    "  --psk ID:HEX          CoAPS by this pre-shared key only\n"
    "  --ca FILE             CAs of SM-DP+ and SM-DS, DER one behind the other: allows direct download\n"
    "  --agent-config HEX    further configuration of the agent (BER-TLV)\n"
    "  --sensor HOST:PORT    where readings go by UDP; --sensor-period S (60)\n"
    "  --poll-now            polls at once; SIGUSR1, or a p on stdin, does it later\n"
    "  --exit-when-idle      ends when a poll is over and nothing is in hand\n"
    "  --self-test           the port self-test in place of the agent (boards/app/selftest.h)\n"
    "  --entropy-seed N      tests only: entropy from a seed\n"
    "  --replay              tests only: events on stdin, ops on stdout\n";

static int misuse(const char *expected, const char *got) {
    fprintf(stderr, "posix: expected %s, got %s\n", expected, got == NULL ? "nothing" : got);
    return -1;
}

/* Octets of a hex text, or -1. */
static int from_hex(const char *text, uint8_t *out, size_t cap) {
    size_t len = strlen(text) / 2;
    if (strlen(text) % 2 != 0 || len > cap || strspn(text, "0123456789abcdefABCDEF") != strlen(text)) return -1;
    for (size_t i = 0; i < len; i++) {
        const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (int)len;
}

static int read_whole(const char *path, const uint8_t **data, size_t *len) {
    FILE *file = fopen(path, "rb");
    uint8_t *buffer = file == NULL ? NULL : malloc(LONGEST_FILE);
    *len = buffer == NULL ? 0 : fread(buffer, 1, LONGEST_FILE, file);
    *data = buffer;
    if (file != NULL) fclose(file);
    return *len == 0 ? misuse("a readable file", path) : 0;
}

static int read_image(struct options *o, const char *path) {
    int slot = o->settings.image[0] != NULL;
    return read_whole(path, &o->settings.image[slot], &o->settings.image_len[slot]);
}

static int read_key(struct options *o, char *text) {
    char *colon = strchr(text, ':');
    if (colon == NULL || from_hex(colon + 1, o->point, sizeof o->point) != sizeof o->point) return misuse("ID:HEX with 65 octets for --key", text);
    o->key.id = (uint32_t)strtoul(text, NULL, 0);
    o->key.point = o->point;
    o->settings.keys = &o->key;
    o->settings.key_count = 1;
    return 0;
}

/* An identity may hold colons: the last one divides. */
static int read_psk(struct options *o, char *text) {
    char *colon = strrchr(text, ':');
    int len = colon == NULL ? -1 : from_hex(colon + 1, o->psk, sizeof o->psk);
    if (len < 1) return misuse("ID:HEX with 1 to 64 octets for --psk", text);
    *colon = '\0';
    o->settings.psk_identity = text;
    o->settings.psk = o->psk;
    o->settings.psk_len = (size_t)len;
    return 0;
}

static int read_family(struct options *o, const char *name) {
    static const struct ipa_modem_family *const all[] = {&ipa_family_quectel, &ipa_family_ublox, &ipa_family_simcom, &ipa_family_nordic, &ipa_family_generic, NULL};
    static const struct ipa_modem_family *const quectel[] = {&ipa_family_quectel, NULL}, *const ublox[] = {&ipa_family_ublox, NULL}, *const simcom[] = {&ipa_family_simcom, NULL},
        *const nordic[] = {&ipa_family_nordic, NULL}, *const generic[] = {&ipa_family_generic, NULL};
    static const struct {
        const char *name;
        const struct ipa_modem_family *const *families;
    } choices[] = {{"auto", all}, {"quectel", quectel}, {"ublox", ublox}, {"simcom", simcom}, {"nordic", nordic}, {"generic", generic}};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(choices[i].name, name) != 0) continue;
        o->settings.families = choices[i].families;
        o->settings.cid = choices[i].families == nordic ? 0 : 1;
        return 0;
    }
    return misuse("auto, generic, quectel, ublox, simcom or nordic for --family", name);
}

static int read_sensor(struct options *o, char *text) {
    char *colon = strrchr(text, ':');
    if (colon == NULL) return misuse("HOST:PORT for --sensor", text);
    *colon = '\0';
    o->settings.sensor_host = text;
    o->settings.sensor_port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return 0;
}

static int read_agent_config(struct options *o, const char *text) {
    int len = from_hex(text, o->agent_config, sizeof o->agent_config);
    if (len < 0) return misuse("at most 64 octets in hex for --agent-config", text);
    o->settings.agent_config = o->agent_config;
    o->settings.agent_config_len = (size_t)len;
    return 0;
}

static int read_flag(struct options *o, const char *name) {
    if (strcmp(name, "--flow") == 0) o->flow = 1;
    else if (strcmp(name, "--poll-now") == 0) o->poll_now = 1;
    else if (strcmp(name, "--exit-when-idle") == 0) o->exit_when_idle = 1;
    else if (strcmp(name, "--replay") == 0) o->replay = 1;
    else if (strcmp(name, "--self-test") == 0) o->selftest = 1;
    else if (strcmp(name, "--lte-m") == 0) o->settings.lte_m = 1;
    else return 0;
    return 1;
}

static int read_value(struct options *o, const char *name, char *value) {
    struct device_settings *s = &o->settings;
    if (strcmp(name, "--uart") == 0) o->uart = value;
    else if (strcmp(name, "--baud") == 0) o->baud = strtoul(value, NULL, 10);
    else if (strcmp(name, "--flash") == 0) o->flash = value;
    else if (strcmp(name, "--image") == 0) return read_image(o, value);
    else if (strcmp(name, "--key") == 0) return read_key(o, value);
    else if (strcmp(name, "--family") == 0) return read_family(o, value);
    else if (strcmp(name, "--apn") == 0) s->apn = value;
    else if (strcmp(name, "--psm") == 0) s->psm = value;
    else if (strcmp(name, "--edrx") == 0) s->edrx = value;
    else if (strcmp(name, "--psk") == 0) return read_psk(o, value);
    else if (strcmp(name, "--ca") == 0) return read_whole(value, &s->ca, &s->ca_len);
    else if (strcmp(name, "--agent-config") == 0) return read_agent_config(o, value);
    else if (strcmp(name, "--sensor") == 0) return read_sensor(o, value);
    else if (strcmp(name, "--sensor-period") == 0) s->sensor_period_ms = (uint32_t)(strtod(value, NULL) * 1000);
    else if (strcmp(name, "--entropy-seed") == 0) {
        o->seeded = 1;
        o->seed = strtoull(value, NULL, 10);
    } else return misuse("an option of --help", name);
    return 0;
}

int options_read(struct options *o, int argc, char **argv) {
    char auto_family[] = "auto";
    o->baud = 115200;
    o->settings.sensor_host = "";
    o->settings.sensor_period_ms = 60000;
    (void)read_family(o, auto_family);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 1;
        }
        if (read_flag(o, argv[i])) continue;
        if (i + 1 == argc) return misuse("a value, or an option of --help,", argv[i]);
        if (read_value(o, argv[i], argv[i + 1]) != 0) return -1;
        i++;
    }
    if (o->settings.image[0] == NULL || o->settings.key_count == 0) return misuse("--image and --key", "less");
    if (!o->replay && (o->uart == NULL || o->flash == NULL)) return misuse("--uart and --flash", "less");
    return 0;
}
