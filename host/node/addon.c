/*
 * Node binding: the agent in an engine of the C host (host/src/wasm.h), as plain functions over a handle. Built once for each engine
 * (host/tool/addon.mjs); nothing of Node but N-API 8 is used. test/sim/agent/native-agent.ts is the typed side.
 *
 *   open(wasm: Uint8Array, side: Uint8Array | null, memoryLen, stackLen) -> handle     throws Error with code IPA_ERR_...
 *   call(handle, export 0..4, arg) -> number                                           throws on a trap
 *   step(handle, event: Uint8Array, nowMs) -> op: Uint8Array | negative status          event and op: mailbox header and payload
 *   read(handle, at, len) -> Uint8Array        write(handle, at, bytes)                 linear memory
 *   reset(handle)      used(handle) -> number      close(handle)
 */
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"
#include "node/values.h"
#include "src/wasm.h"

#define HEADER 24u

struct instance {
    struct ipa_wasm *wasm;
    struct ipa_wasm_image image;
    uint8_t *code;
    uint8_t *side;
    void *arena;
    uint32_t mailbox;
    uint32_t capacity;
    const char *problem;  /* why it did not open */
};

static void release(struct instance *it) {
    if (it->wasm != NULL) ipa_wasm_close(it->wasm);
    free(it->arena);
    free(it->code);
    free(it->side);
    memset(it, 0, sizeof *it);
}

static void finalize(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    release(data);
    free(data);
}

static uint8_t *copy_of(const uint8_t *data, size_t len) {
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    if (copy != NULL) memcpy(copy, data, len);
    return copy;
}

/* Arguments of a call on a handle; NULL, with an exception, when the handle was closed or is none. */
static struct instance *arguments(napi_env env, napi_callback_info info, napi_value *args, size_t count) {
    size_t n = count;
    struct instance *it = NULL;
    napi_valuetype type = napi_undefined;
    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    if (n == count) napi_typeof(env, args[0], &type);
    if (type == napi_external) napi_get_value_external(env, args[0], (void **)&it);
    if (it != NULL && it->wasm != NULL) return it;
    napi_throw_type_error(env, NULL, it == NULL ? "expected a handle and the arguments of host/node/addon.c" : "the instance was closed");
    return NULL;
}

/* ---- functions ---- */

static int start(struct instance *it) {
    int32_t value = 0;
    size_t need = ipa_wasm_need(&it->image);
    it->arena = malloc(need);
    if (it->arena == NULL) return IPA_ERR_NO_MEM;
    int err = ipa_wasm_open(&it->wasm, &it->image, it->arena, need);
    if (err != 0) {
        /* Then it may only be asked for its problem. */
        it->problem = it->wasm == NULL ? "" : ipa_wasm_problem(it->wasm);
        it->wasm = NULL;
        return err;
    }
    err = ipa_wasm_call(it->wasm, IPA_WASM_MAILBOX, 0, &value);
    it->mailbox = (uint32_t)value;
    if (err == 0) err = ipa_wasm_call(it->wasm, IPA_WASM_CAPACITY, 0, &value);
    it->capacity = (uint32_t)value;
    if (err == 0 && ipa_wasm_memory(it->wasm, it->mailbox, HEADER + it->capacity) == NULL) err = IPA_ERR_ABI;
    return err;
}

static napi_value open_instance(napi_env env, napi_callback_info info) {
    napi_value args[4], handle = NULL;
    napi_valuetype type = napi_undefined;
    size_t n = 4, wasm_len = 0, side_len = 0;
    uint8_t *wasm = NULL, *side = NULL;
    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    if (n == 4) napi_typeof(env, args[1], &type);
    if (n != 4 || !ipa_node_bytes(env, args[0], &wasm, &wasm_len) || (type != napi_null && !ipa_node_bytes(env, args[1], &side, &side_len))) {
        napi_throw_type_error(env, NULL, "expected wasm: Uint8Array, side: Uint8Array | null, memoryLen, stackLen");
        return NULL;
    }
    struct instance *it = calloc(1, sizeof *it);
    if (it == NULL) return ipa_node_fail(env, IPA_ERR_NO_MEM, NULL);
    it->code = copy_of(wasm, wasm_len);
    it->side = side == NULL ? NULL : copy_of(side, side_len);
    it->image = (struct ipa_wasm_image){it->code, (uint32_t)wasm_len, it->side, (uint32_t)side_len, ipa_node_u32(env, args[2]), ipa_node_u32(env, args[3])};
    int err = start(it);
    if (err == 0 && napi_create_external(env, it, finalize, NULL, &handle) == napi_ok) return handle;
    ipa_node_fail(env, err == 0 ? IPA_ERR_NO_MEM : err, it->problem);
    release(it);
    free(it);
    return NULL;
}

static napi_value call_export(napi_env env, napi_callback_info info) {
    napi_value args[3];
    int32_t result = 0;
    struct instance *it = arguments(env, info, args, 3);
    if (it == NULL) return NULL;
    int err = ipa_wasm_call(it->wasm, (enum ipa_wasm_export)ipa_node_u32(env, args[1]), (int32_t)ipa_node_u32(env, args[2]), &result);
    return err == 0 ? ipa_node_number(env, result) : ipa_node_fail(env, err, ipa_wasm_problem(it->wasm));
}

static napi_value step(napi_env env, napi_callback_info info) {
    napi_value args[3];
    uint8_t *event = NULL;
    size_t len = 0;
    int32_t kind = 0;
    struct instance *it = arguments(env, info, args, 3);
    if (it == NULL) return NULL;
    uint8_t *mailbox = ipa_wasm_memory(it->wasm, it->mailbox, HEADER + it->capacity);
    if (!ipa_node_bytes(env, args[1], &event, &len) || len < HEADER || len > HEADER + it->capacity) {
        napi_throw_range_error(env, NULL, "expected an event of 24 octets and a payload that fits the mailbox");
        return NULL;
    }
    memcpy(mailbox, event, len);
    int err = ipa_wasm_call(it->wasm, IPA_WASM_STEP, (int32_t)ipa_node_u32(env, args[2]), &kind);
    if (err != 0) return ipa_node_fail(env, err, ipa_wasm_problem(it->wasm));
    if (kind <= 0) return ipa_node_number(env, kind);
    uint32_t length = (uint32_t)mailbox[4] | (uint32_t)mailbox[5] << 8 | (uint32_t)mailbox[6] << 16 | (uint32_t)mailbox[7] << 24;
    if (length > it->capacity || mailbox[0] != kind) return ipa_node_fail(env, IPA_ERR_ABI, "the op in the mailbox is not the one that ipa_step returned");
    return ipa_node_new_bytes(env, mailbox, HEADER + length);
}

static napi_value read_memory(napi_env env, napi_callback_info info) {
    napi_value args[3];
    struct instance *it = arguments(env, info, args, 3);
    if (it == NULL) return NULL;
    uint32_t len = ipa_node_u32(env, args[2]);
    const uint8_t *p = ipa_wasm_memory(it->wasm, ipa_node_u32(env, args[1]), len);
    return p == NULL ? ipa_node_fail(env, IPA_ERR_INVALID, "not inside linear memory") : ipa_node_new_bytes(env, p, len);
}

static napi_value write_memory(napi_env env, napi_callback_info info) {
    napi_value args[3];
    uint8_t *data = NULL;
    size_t len = 0;
    struct instance *it = arguments(env, info, args, 3);
    if (it == NULL) return NULL;
    if (!ipa_node_bytes(env, args[2], &data, &len)) return ipa_node_fail(env, IPA_ERR_INVALID, "expected a Uint8Array");
    uint8_t *p = ipa_wasm_memory(it->wasm, ipa_node_u32(env, args[1]), (uint32_t)len);
    if (p == NULL) return ipa_node_fail(env, IPA_ERR_INVALID, "not inside linear memory");
    memcpy(p, data, len);
    return NULL;
}

static napi_value reset_instance(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct instance *it = arguments(env, info, args, 1);
    if (it == NULL) return NULL;
    int err = ipa_wasm_reset(it->wasm);
    return err == 0 ? NULL : ipa_node_fail(env, err, ipa_wasm_problem(it->wasm));
}

static napi_value used(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct instance *it = arguments(env, info, args, 1);
    return it == NULL ? NULL : ipa_node_number(env, (double)ipa_wasm_used(it->wasm));
}

static napi_value close_instance(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct instance *it = arguments(env, info, args, 1);
    if (it != NULL) release(it);
    return NULL;
}

NAPI_MODULE_INIT() {
    static const struct ipa_node_function functions[] = {
        {"open", open_instance}, {"call", call_export}, {"step", step}, {"read", read_memory},
        {"write", write_memory}, {"reset", reset_instance}, {"used", used}, {"close", close_instance},
    };
    ipa_node_export(env, exports, functions, sizeof functions / sizeof functions[0]);
    return exports;
}
