/*
 * A minimal application beside the agent: every so often it sends a reading as one UDP datagram, over the same modem (modem.h says how
 * two users share it). It shows what an application needs of tinyipa: nothing but a user of its own.
 */
#ifndef APP_SENSOR_H
#define APP_SENSOR_H

#include "ipa/net.h"

struct sensor {
    struct ipa_net net;
    const char *host;          /* name or address, terminated; empty: nothing is sent */
    uint16_t port;
    uint32_t period_ms;
    uint32_t due;              /* when the next reading is sent */
    uint32_t sent;             /* readings that went out */
    uint32_t failed;
    int socket;                /* -1: none */
    uint8_t stage;
    char text[24];
};

/* net: the door of the application's modem user. */
void sensor_init(struct sensor *sensor, struct ipa_net net, const char *host, uint16_t port, uint32_t period_ms, uint32_t now_ms);

/* Sends what is due; returns how long the caller may sleep, in ms. Never blocks. */
uint32_t sensor_poll(struct sensor *sensor, uint32_t now_ms);

#endif
