/* The application beside the agent: open, send, close; a failure waits for the next period, as sensors do. */
#include "app/sensor.h"

#include <string.h>

#include "ipa/err.h"

enum { WAITS, OPENS, SENDS, CLOSES };

void sensor_init(struct sensor *sensor, struct ipa_net net, const char *host, uint16_t port, uint32_t period_ms, uint32_t now_ms) {
    memset(sensor, 0, sizeof *sensor);
    sensor->net = net;
    sensor->host = host;
    sensor->port = port;
    sensor->period_ms = period_ms;
    sensor->due = now_ms + period_ms;
    sensor->socket = -1;
}

/* "reading 17": what a real one would take from its ADC. */
static void write_reading(struct sensor *sensor) {
    char digits[10];
    uint32_t number = sensor->sent + sensor->failed + 1;
    size_t n = 0, at = 8;
    do digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    memcpy(sensor->text, "reading ", at);
    while (n != 0) sensor->text[at++] = digits[--n];
    sensor->text[at] = '\0';
}

static void done(struct sensor *sensor, int result, uint32_t now_ms) {
    if (result < 0) sensor->failed++;
    else sensor->sent++;
    sensor->due = now_ms + sensor->period_ms;
    sensor->stage = sensor->socket < 0 ? WAITS : CLOSES;
}

static int work(struct sensor *sensor, uint32_t now_ms) {
    int r;
    switch (sensor->stage) {
        case OPENS: {
            struct ipa_net_peer peer = {.kind = IPA_NET_UDP, .host = sensor->host, .host_len = strlen(sensor->host), .port = sensor->port};
            r = sensor->net.open(sensor->net.ctx, &peer);
            if (r == IPA_AGAIN) return r;
            sensor->socket = r;
            if (r < 0) done(sensor, r, now_ms);
            else sensor->stage = SENDS;
            return 0;
        }
        case SENDS:
            r = sensor->net.send(sensor->net.ctx, sensor->socket, (const uint8_t *)sensor->text, strlen(sensor->text));
            if (r == IPA_AGAIN) return r;
            done(sensor, r, now_ms);
            return 0;
        default:
            r = sensor->net.close(sensor->net.ctx, sensor->socket);
            if (r == IPA_AGAIN) return r;
            sensor->socket = -1;
            sensor->stage = WAITS;
            return 0;
    }
}

uint32_t sensor_poll(struct sensor *sensor, uint32_t now_ms) {
    if (sensor->host[0] == '\0') return 60000;
    if (sensor->stage == WAITS) {
        uint32_t left = sensor->due - now_ms;
        if (left != 0 && left <= sensor->period_ms) return left;
        write_reading(sensor);
        sensor->stage = OPENS;
    }
    return work(sensor, now_ms) == IPA_AGAIN ? 10 : 0;
}
