// Counts what the process allocates, for tests.

#ifndef CAJAL_MALLOC_COUNT_H
#define CAJAL_MALLOC_COUNT_H

#include <stdint.h>

// Calls of malloc and its kin since the process began; -1 where they cannot be counted.
int64_t cajal_malloc_count(void);

#endif
