/* See flash_file.h. Each program and erase is one write, so that a killed process leaves what a cut of power leaves. */
#define _POSIX_C_SOURCE 200809L
#include "flash_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipa/err.h"

enum { PROG = 4 };

static off_t at(uint32_t block, uint32_t off) {
    return (off_t)(block * FLASH_FILE_BLOCK + off);
}

static int file_read(void *ctx, uint32_t block, uint32_t off, void *p, size_t len) {
    return pread(*(int *)ctx, p, len, at(block, off)) == (ssize_t)len ? IPA_OK : IPA_ERR_STORE;
}

static int file_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    uint8_t cells[FLASH_FILE_BLOCK];
    if (len > sizeof cells || off % PROG != 0 || len % PROG != 0) return IPA_ERR_INVALID;
    if (file_read(ctx, block, off, cells, len) != IPA_OK) return IPA_ERR_STORE;
    for (size_t i = 0; i < len; i++) cells[i] &= ((const uint8_t *)p)[i];
    if (pwrite(*(int *)ctx, cells, len, at(block, off)) != (ssize_t)len) return IPA_ERR_STORE;
    /* As a driver reads back what it programmed: cells that were not erased differ. */
    return memcmp(cells, p, len) == 0 ? IPA_OK : IPA_ERR_STORE;
}

static int file_erase(void *ctx, uint32_t block) {
    uint8_t cells[FLASH_FILE_BLOCK];
    memset(cells, 0xFF, sizeof cells);
    return pwrite(*(int *)ctx, cells, sizeof cells, at(block, 0)) == (ssize_t)sizeof cells ? IPA_OK : IPA_ERR_STORE;
}

static int file_sync(void *ctx) {
    return fdatasync(*(int *)ctx) == 0 ? IPA_OK : IPA_ERR_STORE;
}

int flash_file_open(struct ipa_store *store, int *fd, const char *path) {
    struct stat about;
    memset(store, 0, sizeof *store);
    *fd = open(path, O_RDWR | O_CREAT, 0600);
    if (*fd < 0 || fstat(*fd, &about) != 0) return -1;
    store->read = file_read;
    store->prog = file_prog;
    store->erase = file_erase;
    store->sync = file_sync;
    store->ctx = fd;
    store->prog_size = PROG;
    store->block_size = FLASH_FILE_BLOCK;
    store->block_count = FLASH_FILE_BLOCKS;
    store->erased = 0xFF;
    for (uint32_t block = 0; block < FLASH_FILE_BLOCKS; block++) {
        if (about.st_size >= at(block + 1, 0)) continue;
        if (file_erase(fd, block) != IPA_OK) return -1;
    }
    return 0;
}
