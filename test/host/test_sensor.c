/*
 * The application beside the agent (boards/app/sensor.c): its readings, one each period, over sockets that take their time.
 *
 * sources: boards/app/sensor.c host/src/err.c
 * flags: -Iboards
 */
#include "app/sensor.h"

#include "check.h"
#include "ipa/err.h"

/* A door that says IPA_AGAIN `delay` times before each result. */
static struct {
    int delay, left;
    int open_result, send_result;
    int opens, closes;
    char sent[24];
} door;

static int later(int result) {
    if (door.left-- > 0) return IPA_AGAIN;
    door.left = door.delay;
    return result;
}

static int open_socket(void *ctx, const struct ipa_net_peer *to) {
    (void)ctx;
    CHECK_INT(to->port, 4711);
    CHECK_BYTES(to->host, to->host_len, "there", 5);
    int r = later(door.open_result);
    if (r >= 0) door.opens++;
    return r;
}

static int send_datagram(void *ctx, int socket, const uint8_t *data, size_t len) {
    (void)ctx;
    CHECK_INT(socket, door.open_result);
    int r = later(door.send_result);
    if (r >= 0) {
        memcpy(door.sent, data, len);
        door.sent[len] = '\0';
    }
    return r;
}

static int close_socket(void *ctx, int socket) {
    (void)ctx;
    CHECK_INT(socket, door.open_result);
    int r = later(IPA_OK);
    if (r == IPA_OK) door.closes++;
    return r;
}

static void begin(struct sensor *sensor, int delay) {
    struct ipa_net net = {open_socket, send_datagram, NULL, close_socket, 1024, NULL};
    memset(&door, 0, sizeof door);
    door.delay = door.left = delay;
    door.open_result = 1;
    sensor_init(sensor, net, "there", 4711, 1000, 0xFFFFFF00u); /* the clock wraps within the first period */
}

static void run(struct sensor *sensor, uint32_t from, uint32_t ms) {
    for (uint32_t t = 0; t < ms; t += 10) (void)sensor_poll(sensor, from + t);
}

TEST(sensor_sends_one_reading_each_period_and_closes_its_socket) {
    struct sensor sensor;
    begin(&sensor, 3);
    CHECK(sensor_poll(&sensor, 0xFFFFFF00u) == 1000);
    run(&sensor, 0xFFFFFF00u, 990);
    CHECK_INT(door.opens, 0);
    run(&sensor, 0xFFFFFF00u + 990, 510);
    CHECK_INT(sensor.sent, 1);
    CHECK_BYTES(door.sent, strlen(door.sent), "reading 1", 9);
    CHECK_INT(door.closes, 1);
    run(&sensor, 0xFFFFFF00u + 1500, 1000);
    CHECK_INT(sensor.sent, 2);
    CHECK_INT(door.closes, 2);
}

TEST(sensor_waits_a_period_after_a_failure_and_counts_on) {
    struct sensor sensor;
    begin(&sensor, 0);
    door.open_result = IPA_ERR_NO_NETWORK;
    run(&sensor, 0xFFFFFF00u, 1500);
    CHECK_INT(sensor.failed, 1);
    CHECK_INT(door.closes, 0);
    door.open_result = 1;
    door.send_result = IPA_ERR_LINK;
    run(&sensor, 0xFFFFFF00u + 1500, 1000);
    CHECK_INT(sensor.failed, 2);
    CHECK_INT(door.closes, 1);
    door.send_result = 0;
    run(&sensor, 0xFFFFFF00u + 2500, 1000);
    CHECK_BYTES(door.sent, strlen(door.sent), "reading 3", 9);
}

TEST(sensor_without_a_host_sends_nothing) {
    struct sensor sensor;
    begin(&sensor, 0);
    sensor.host = "";
    run(&sensor, 0xFFFFFF00u, 5000);
    CHECK_INT(door.opens, 0);
}

int main(void) {
    RUN(sensor_sends_one_reading_each_period_and_closes_its_socket);
    RUN(sensor_waits_a_period_after_a_failure_and_counts_on);
    RUN(sensor_without_a_host_sends_nothing);
    return check_end();
}
