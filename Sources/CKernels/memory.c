// The caching allocator: fresh pages cost more than most kernels, so freed
// blocks wait in lists by size for the next plan. Sizes are rounded up to four
// classes a power of two, which wastes a fifth at worst.

#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
  SMALLEST_SHIFT = 6,  // 64 bytes, also the alignment: a cache line, an AVX-512 vector
  CLASSES = 4 * (63 - SMALLEST_SHIFT),
};
#define HUGE_PAGE (INT64_C(2) << 20)

typedef struct free_block {
  struct free_block *next;
} free_block;

static struct {
  pthread_mutex_t mutex;
  free_block *lists[CLASSES];
  cj_memory_statistics statistics;
  int64_t held_bytes;  // from the system, by class size
} heap = {.mutex = PTHREAD_MUTEX_INITIALIZER};

// Class c holds blocks of (4 + c % 4) * 2^(c / 4 + SMALLEST_SHIFT - 2) bytes.
static int64_t class_bytes(int index) {
  return (int64_t)(4 + index % 4) << (index / 4 + SMALLEST_SHIFT - 2);
}

static int size_class(int64_t bytes) {
  if (bytes <= 1 << SMALLEST_SHIFT) return 0;
  int power = 63 - __builtin_clzll((uint64_t)(bytes - 1));  // 2^power < bytes <= 2^(power + 1)
  int quarter = (int)((bytes - 1) >> (power - 2)) & 3;
  return 4 * (power - SMALLEST_SHIFT) + quarter + 1;
}

// The cap on held_bytes.
static int64_t limit_locked(void) {
  if (heap.statistics.limit_bytes == 0) heap.statistics.limit_bytes = cj_memory_available();
  return heap.statistics.limit_bytes;
}

// Pages of the system's own, from a huge page's start on. The first touch of 16 MB took 1.8 ms with
// huge pages and 11 ms without.
static void *map_pages(int64_t bytes) {
  char *mapped = mmap(NULL, (size_t)(bytes + HUGE_PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return NULL;
  const int64_t before = -(int64_t)(intptr_t)mapped & (HUGE_PAGE - 1);
  if (before > 0) munmap(mapped, (size_t)before);
  if (before < HUGE_PAGE) munmap(mapped + before + bytes, (size_t)(HUGE_PAGE - before));
#if defined(__linux__)
  // Whole ones only: of a huge page in part, the rest would be lost.
  madvise(mapped + before, (size_t)(bytes / HUGE_PAGE * HUGE_PAGE), MADV_HUGEPAGE);
#endif
  return mapped + before;
}

static void *take_from_system(int64_t bytes) {
  return bytes >= HUGE_PAGE ? map_pages(bytes) : aligned_alloc(64, (size_t)(cj_ceil_div(bytes, 64) * 64));
}

static void give_to_system(void *block, int64_t bytes) {
  if (bytes >= HUGE_PAGE) munmap(block, (size_t)bytes);
  else free(block);
}

static void trim_locked(void) {
  for (int index = 0; index < CLASSES; index++) {
    const int64_t size = class_bytes(index);
    while (heap.lists[index]) {
      free_block *block = heap.lists[index];
      heap.lists[index] = block->next;
      heap.held_bytes -= size;
      heap.statistics.cached_bytes -= size;
      give_to_system(block, size);
    }
  }
}

static void *allocate_locked(int64_t bytes) {
  const int index = size_class(bytes);
  const int64_t size = class_bytes(index);
  if (heap.lists[index]) {
    free_block *block = heap.lists[index];
    heap.lists[index] = block->next;
    heap.statistics.cached_bytes -= size;
    return block;
  }
  if (heap.held_bytes > limit_locked() - size) trim_locked();
  if (heap.held_bytes > limit_locked() - size) return NULL;
  void *block = take_from_system(size);
  if (!block) {
    trim_locked();
    block = take_from_system(size);
  }
  if (block) {
    heap.held_bytes += size;
    heap.statistics.system_calls++;
  }
  return block;
}

void *cj_allocate(int64_t bytes) {
  if (bytes < 0 || bytes > INT64_MAX / 4) return NULL;
  pthread_mutex_lock(&heap.mutex);
  void *block = allocate_locked(bytes);
  if (block) {
    heap.statistics.live_bytes += bytes;
    heap.statistics.peak_bytes =
        cj_max64(heap.statistics.peak_bytes, heap.statistics.live_bytes);
  }
  pthread_mutex_unlock(&heap.mutex);
  return block;
}

void cj_free(void *block, int64_t bytes) {
  if (!block) return;
  const int index = size_class(bytes);
  const int64_t size = class_bytes(index);
  bool keep = false;
  pthread_mutex_lock(&heap.mutex);
  heap.statistics.live_bytes -= bytes;
  // A quarter of what there is is the most that waits unused.
  if (heap.statistics.cached_bytes <= limit_locked() / 4 - size) {
    free_block *freed = block;
    freed->next = heap.lists[index];
    heap.lists[index] = freed;
    heap.statistics.cached_bytes += size;
    keep = true;
  } else {
    heap.held_bytes -= size;
  }
  pthread_mutex_unlock(&heap.mutex);
  if (!keep) give_to_system(block, size);
}

void cj_memory_trim(void) {
  pthread_mutex_lock(&heap.mutex);
  trim_locked();
  pthread_mutex_unlock(&heap.mutex);
}

void cj_memory_limit_set(int64_t bytes) {
  pthread_mutex_lock(&heap.mutex);
  heap.statistics.limit_bytes = bytes > 0 ? bytes : 0;
  pthread_mutex_unlock(&heap.mutex);
}

cj_memory_statistics cj_memory(void) {
  pthread_mutex_lock(&heap.mutex);
  limit_locked();
  cj_memory_statistics statistics = heap.statistics;
  pthread_mutex_unlock(&heap.mutex);
  return statistics;
}

void cj_memory_reset_peak(void) {
  pthread_mutex_lock(&heap.mutex);
  heap.statistics.peak_bytes = heap.statistics.live_bytes;
  pthread_mutex_unlock(&heap.mutex);
}

// ---------------------------------------------------------------- scratch of a thread

typedef struct {
  void *blocks[CJ_SCRATCH_COUNT];
  int64_t bytes[CJ_SCRATCH_COUNT];
} scratch_blocks;

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static _Thread_local scratch_blocks *thread_scratch = NULL;

static void release_scratch(void *pointer) {
  scratch_blocks *scratch = pointer;
  for (int slot = 0; slot < CJ_SCRATCH_COUNT; slot++) free(scratch->blocks[slot]);
  free(scratch);
  thread_scratch = NULL;  // a later destructor of this thread may run kernels
}

static void make_scratch_key(void) { pthread_key_create(&scratch_key, release_scratch); }

// A kernel cannot fail half way, and what it works in is small.
static void *need(void *block, int64_t bytes) {
  if (block) return block;
  fprintf(stderr, "Cajal: the system has no memory for the %lld bytes that a kernel works in.\n", (long long)bytes);
  abort();
}

// Outside the statistics: a plan's memory is what users want counted.
void *cj_scratch(int slot, int64_t bytes) {
  if (!thread_scratch) {
    pthread_once(&scratch_once, make_scratch_key);
    thread_scratch = need(calloc(1, sizeof *thread_scratch), sizeof *thread_scratch);
    pthread_setspecific(scratch_key, thread_scratch);
  }
  if (thread_scratch->bytes[slot] < bytes) {
    free(thread_scratch->blocks[slot]);
    thread_scratch->blocks[slot] = need(aligned_alloc(64, (size_t)(cj_ceil_div(bytes, 64) * 64)), bytes);
    thread_scratch->bytes[slot] = bytes;
  }
  return thread_scratch->blocks[slot];
}
