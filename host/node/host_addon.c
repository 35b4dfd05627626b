/*
 * Node binding: the whole C host (host/src, host/store, engine in place, Mbed TLS for the image's signature) as a machine of events and ops
 * (host_machine.h). Nothing of Node but N-API 8 is used. test/sim/agent/c-host.ts is the typed side.
 *
 *   open(container: Uint8Array, point: Uint8Array, keyId) -> handle     one machine, virgin flash, power off; throws Error with code IPA_ERR_...
 *   capacity(handle)   memory(handle)                                   octets of the mailbox's payload, of linear memory
 *   step(handle, event: Uint8Array, nowMs) -> op: Uint8Array            in the mailbox's form
 *   cut(handle)                                                         the power goes
 *   save(handle) -> Uint8Array      load(handle, saved)                 all of the machine, for the same handle
 */
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#include "node/host_machine.h"
#include "node/values.h"

enum { POINT = 65 };

struct instance {
    struct ipa_machine_image image;
    struct ipa_machine *machine;
    size_t len;
    uint32_t capacity;
    uint32_t memory_len;
    uint8_t *container;
    uint8_t point[POINT];
};

static void release(struct instance *it) {
    free(it->machine);
    free(it->container);
    free(it);
}

static void finalize(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    release(data);
}

static napi_value open_machine(napi_env env, napi_callback_info info) {
    napi_value args[3], handle = NULL;
    size_t n = 3, len = 0, point_len = 0;
    uint8_t *container = NULL, *point = NULL;
    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    if (n != 3 || !ipa_node_bytes(env, args[0], &container, &len) || !ipa_node_bytes(env, args[1], &point, &point_len) || point_len != POINT) {
        napi_throw_type_error(env, NULL, "expected container: Uint8Array, point: Uint8Array of 65 octets, keyId");
        return NULL;
    }
    struct instance *it = calloc(1, sizeof *it);
    if (it == NULL) return ipa_node_fail(env, IPA_ERR_NO_MEM, NULL);
    memcpy(it->point, point, POINT);
    it->container = ipa_node_copy(env, args[0], &len);
    it->image = (struct ipa_machine_image){ it->container, len, { ipa_node_u32(env, args[2]), it->point } };
    it->len = it->container == NULL ? 0 : ipa_machine_len(&it->image);
    it->machine = it->len == 0 ? NULL : malloc(it->len);
    int err = it->len == 0 ? IPA_ERR_IMAGE_FORMAT : it->machine == NULL ? IPA_ERR_NO_MEM : ipa_machine_init(it->machine, &it->image, &it->capacity, &it->memory_len);
    if (err == IPA_OK && napi_create_external(env, it, finalize, NULL, &handle) == napi_ok) return handle;
    release(it);
    return ipa_node_fail(env, err == IPA_OK ? IPA_ERR_NO_MEM : err, NULL);
}

/* Arguments of a call on a handle; NULL, with an exception, when there is none. */
static struct instance *arguments(napi_env env, napi_callback_info info, napi_value *args, size_t count) {
    size_t n = count;
    struct instance *it = NULL;
    napi_valuetype type = napi_undefined;
    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    if (n == count) napi_typeof(env, args[0], &type);
    if (type == napi_external) napi_get_value_external(env, args[0], (void **)&it);
    if (it == NULL) napi_throw_type_error(env, NULL, "expected a handle and the arguments of host/node/host_addon.c");
    return it;
}

static napi_value step(napi_env env, napi_callback_info info) {
    napi_value args[3];
    uint8_t *event = NULL;
    const uint8_t *op = NULL;
    size_t len = 0, op_len = 0;
    struct instance *it = arguments(env, info, args, 3);
    if (it == NULL) return NULL;
    if (!ipa_node_bytes(env, args[1], &event, &len)) return ipa_node_fail(env, IPA_ERR_INVALID, "expected a Uint8Array");
    int err = ipa_machine_step(it->machine, event, len, ipa_node_u32(env, args[2]), &op, &op_len);
    return err == IPA_OK ? ipa_node_new_bytes(env, op, op_len) : ipa_node_fail(env, err, ipa_machine_problem(it->machine));
}

static napi_value cut(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct instance *it = arguments(env, info, args, 1);
    if (it == NULL) return NULL;
    int err = ipa_machine_cut(it->machine);
    return err == IPA_OK ? NULL : ipa_node_fail(env, err, ipa_machine_problem(it->machine));
}

static napi_value save(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct instance *it = arguments(env, info, args, 1);
    return it == NULL ? NULL : ipa_node_new_bytes(env, (const uint8_t *)it->machine, it->len);
}

static napi_value load(napi_env env, napi_callback_info info) {
    napi_value args[2];
    uint8_t *saved = NULL;
    size_t len = 0;
    struct instance *it = arguments(env, info, args, 2);
    if (it == NULL) return NULL;
    if (!ipa_node_bytes(env, args[1], &saved, &len) || len != it->len) return ipa_node_fail(env, IPA_ERR_INVALID, "expected what save gave");
    memcpy(it->machine, saved, len);
    return NULL;
}

static napi_value capacity(napi_env env, napi_callback_info info) {
    napi_value args[1];
    const struct instance *it = arguments(env, info, args, 1);
    return it == NULL ? NULL : ipa_node_number(env, it->capacity);
}

static napi_value memory(napi_env env, napi_callback_info info) {
    napi_value args[1];
    const struct instance *it = arguments(env, info, args, 1);
    return it == NULL ? NULL : ipa_node_number(env, it->memory_len);
}

NAPI_MODULE_INIT() {
    static const struct ipa_node_function functions[] = {
        {"open", open_machine}, {"capacity", capacity}, {"memory", memory}, {"step", step}, {"cut", cut}, {"save", save}, {"load", load},
    };
    ipa_node_export(env, exports, functions, sizeof functions / sizeof functions[0]);
    return exports;
}
