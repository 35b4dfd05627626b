/*
 * The tests of test_ops.c with the in-place engine, and what only it can do: end an endless loop.
 * sources: host/src/agent.c host/src/ops.c host/src/container.c host/src/crypto_mbedtls.c host/src/err.c
 * sources: host/src/wasm_inplace.c host/src/wasm_inplace_load.c host/src/wasm_inplace_check.c host/src/wasm_inplace_strict.c
 * sources: host/store/flash_journal.c host/link/tls_heap.c
 * needs: mbedtls
 * flags: -DIPA_CFG_DTLS=0 -DIPA_CFG_TLS=0
 * flags: -DTEST_INPLACE
 */
#include "test_ops.c"
