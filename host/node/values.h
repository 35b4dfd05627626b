/* Values between JavaScript and C that both Node bindings (addon.c, doors.c) use. */
#ifndef IPA_NODE_VALUES_H
#define IPA_NODE_VALUES_H

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

struct ipa_node_function {
    const char *name;
    napi_callback function;
};

/* Throws an Error whose code is the name of `err` and whose message adds `problem`, unless that is NULL; gives NULL. */
napi_value ipa_node_fail(napi_env env, int err, const char *problem);
/* 1: a Uint8Array; its octets are JavaScript's own. */
int ipa_node_bytes(napi_env env, napi_value value, uint8_t **data, size_t *len);
napi_value ipa_node_new_bytes(napi_env env, const uint8_t *data, size_t len);
napi_value ipa_node_number(napi_env env, double number);
/* Low 32 bits of a number, 0 of anything else. */
uint32_t ipa_node_u32(napi_env env, napi_value value);
/* A copy from malloc, terminated; NULL for what is no string (octets: no Uint8Array), or without memory. */
char *ipa_node_text(napi_env env, napi_value value);
uint8_t *ipa_node_copy(napi_env env, napi_value value, size_t *len);
void ipa_node_export(napi_env env, napi_value exports, const struct ipa_node_function *functions, size_t count);

#endif
