/* A file as flash: programming only clears bits, an erase sets a whole block to FF. For the posix board; nothing here wears out. */
#ifndef POSIX_FLASH_FILE_H
#define POSIX_FLASH_FILE_H

#include "ipa/store.h"

#define FLASH_FILE_BLOCK 4096u
#define FLASH_FILE_BLOCKS 16u

/* Opens or creates the file (new: erased) and fills the door, whose ctx it becomes; -1 with errno when that fails. */
int flash_file_open(struct ipa_store *store, int *fd, const char *path);

#endif
