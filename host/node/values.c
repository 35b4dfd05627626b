/* Values between JavaScript and C; see values.h. */
#include "node/values.h"

#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"

napi_value ipa_node_fail(napi_env env, int err, const char *problem) {
    char text[200];
    const char *name = ipa_err_name(err);
    size_t n = strlen(name);
    memcpy(text, name, n);
    if (problem != NULL && problem[0] != '\0') {
        memcpy(text + n, ": ", 2);
        n += 2;
        size_t m = strlen(problem);
        if (m > sizeof text - n - 1) m = sizeof text - n - 1;
        memcpy(text + n, problem, m);
        n += m;
    }
    text[n] = '\0';
    napi_throw_error(env, name, text);
    return NULL;
}

int ipa_node_bytes(napi_env env, napi_value value, uint8_t **data, size_t *len) {
    napi_typedarray_type type;
    napi_value buffer;
    size_t offset;
    bool is = false;
    if (napi_is_typedarray(env, value, &is) != napi_ok || !is) return 0;
    return napi_get_typedarray_info(env, value, &type, len, (void **)data, &buffer, &offset) == napi_ok && type == napi_uint8_array;
}

napi_value ipa_node_new_bytes(napi_env env, const uint8_t *data, size_t len) {
    void *to = NULL;
    napi_value buffer, array = NULL;
    if (napi_create_arraybuffer(env, len, &to, &buffer) != napi_ok) return NULL;
    if (len > 0) memcpy(to, data, len);
    napi_create_typedarray(env, napi_uint8_array, len, buffer, 0, &array);
    return array;
}

napi_value ipa_node_number(napi_env env, double number) {
    napi_value value = NULL;
    napi_create_double(env, number, &value);
    return value;
}

uint32_t ipa_node_u32(napi_env env, napi_value value) {
    int64_t number = 0;
    napi_get_value_int64(env, value, &number);
    return (uint32_t)number;
}

char *ipa_node_text(napi_env env, napi_value value) {
    size_t len = 0;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &len) != napi_ok) return NULL;
    char *text = malloc(len + 1);
    if (text != NULL) napi_get_value_string_utf8(env, value, text, len + 1, &len);
    return text;
}

uint8_t *ipa_node_copy(napi_env env, napi_value value, size_t *len) {
    uint8_t *data = NULL;
    *len = 0;
    if (!ipa_node_bytes(env, value, &data, len)) return NULL;
    uint8_t *copy = malloc(*len + 1);
    if (copy != NULL && *len > 0) memcpy(copy, data, *len);
    return copy;
}

void ipa_node_export(napi_env env, napi_value exports, const struct ipa_node_function *functions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        napi_value function;
        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function) != napi_ok) return;
        napi_set_named_property(env, exports, functions[i].name, function);
    }
}
