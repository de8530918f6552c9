// Each thread has its own part of the work; all begin a round together, and it
// ends with the last. Of the rounds the faster half counts, by its median: what
// disturbs a round only makes it longer. Stores go both ways, through the caches
// and past them, and the faster way counts.

#if defined(__linux__)
#define _GNU_SOURCE
#include <sys/mman.h>
#endif
#include "peaks.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// ---------------------------------------------------------------- kernels

// What a kernel goes over: arrays of `count` floats, a multiple of 64.
typedef struct {
  float *a;
  const float *b, *c;
  int64_t count;
} part;

typedef void (*kernel)(const part *);

// The kernels of one SIMD level; memory's in the ways there are.
typedef struct {
  kernel fma, read, copy[2], triad[2];
  double operations;  // of one call of fma
} level;

static _Thread_local volatile float sink;

// More independent sums than latency times units: 4 cycles × 2 on today's cores.
// 12, with the two factors, fit the 16 registers of AVX2.
enum { SUMS = 12, FMA_STEPS = 1 << 15 };

#define UNROLLED(COUNT) _Pragma("clang loop unroll(full)") for (int j = 0; j < COUNT; j++)

// All arrays as vectors of a level, and their length in vectors.
#define VECTORS(LEVEL)                                                                          \
  LEVEL##_vector *a = (LEVEL##_vector *)p->a;                                                   \
  const LEVEL##_vector *b = (const LEVEL##_vector *)p->b, *c = (const LEVEL##_vector *)p->c;    \
  const int64_t count = p->count * 4 / (int64_t)sizeof(LEVEL##_vector);                         \
  (void)a, (void)b, (void)c

#pragma clang fp contract(fast)  // a * b + c is one instruction where there is one

#define KERNELS(LEVEL, TARGET, WIDTH)                                                           \
  typedef float LEVEL##_vector __attribute__((vector_size(WIDTH)));                             \
  TARGET static void LEVEL##_fma(const part *p) {                                               \
    const LEVEL##_vector factor = (LEVEL##_vector){0} + 0.5f, term = (LEVEL##_vector){0} + sink; \
    LEVEL##_vector sum[SUMS];                                                                   \
    UNROLLED(SUMS) sum[j] = term + (float)j;                                                    \
    for (int step = 0; step < FMA_STEPS; step++) UNROLLED(SUMS) sum[j] = sum[j] * factor + term; \
    UNROLLED(SUMS) sum[0] += sum[j];                                                            \
    sink = sum[0][0] * 0;                                                                       \
    (void)p;                                                                                    \
  }                                                                                             \
  TARGET static void LEVEL##_read(const part *p) {                                              \
    VECTORS(LEVEL);                                                                             \
    LEVEL##_vector sum[8] = {{0}};                                                              \
    for (int64_t i = 0; i + 8 <= count; i += 8) UNROLLED(8) sum[j] += a[i + j];                 \
    UNROLLED(8) sum[0] += sum[j];                                                               \
    sink = sum[0][0] * 0;                                                                       \
  }                                                                                             \
  TARGET static void LEVEL##_copy(const part *p) {                                              \
    VECTORS(LEVEL);                                                                             \
    for (int64_t i = 0; i < count; i++) a[i] = b[i];                                            \
  }                                                                                             \
  TARGET static void LEVEL##_copy_past(const part *p) {                                         \
    VECTORS(LEVEL);                                                                             \
    for (int64_t i = 0; i < count; i++) __builtin_nontemporal_store(b[i], &a[i]);               \
  }                                                                                             \
  TARGET static void LEVEL##_triad(const part *p) {                                             \
    VECTORS(LEVEL);                                                                             \
    for (int64_t i = 0; i < count; i++) a[i] = b[i] + 3.0f * c[i];                              \
  }                                                                                             \
  TARGET static void LEVEL##_triad_past(const part *p) {                                        \
    VECTORS(LEVEL);                                                                             \
    for (int64_t i = 0; i < count; i++) __builtin_nontemporal_store(b[i] + 3.0f * c[i], &a[i]); \
  }                                                                                             \
  static const level LEVEL##_level = {                                                          \
      .fma = LEVEL##_fma,                                                                       \
      .read = LEVEL##_read,                                                                     \
      .copy = {LEVEL##_copy, LEVEL##_copy_past},                                                \
      .triad = {LEVEL##_triad, LEVEL##_triad_past},                                             \
      .operations = 2.0 * (WIDTH / 4) * SUMS * FMA_STEPS,                                       \
  };

KERNELS(baseline, , 16)

#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2,fma"))), 32)
KERNELS(avx512, __attribute__((target("avx512f,avx2,fma"))), 64)

__attribute__((target("avx512f,avx512bf16"))) static void avx512_bf16(const part *p) {
  const __m512bh factor = (__m512bh)_mm512_set1_epi16((short)(sink * 0)), term = factor;
  __m512 sum[SUMS];
  UNROLLED(SUMS) sum[j] = _mm512_set1_ps((float)j);
  for (int step = 0; step < FMA_STEPS; step++) UNROLLED(SUMS) sum[j] = _mm512_dpbf16_ps(sum[j], factor, term);
  UNROLLED(SUMS) sum[0] += sum[j];
  sink = sum[0][0] * 0;
  (void)p;
}
#endif

static const level *best_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return &avx512_level;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2_level;
#endif
  return &baseline_level;
}

// A measurement: the ways to do it, and what one call of one thread does.
typedef struct {
  kernel ways[2];
  double amount;
} plan;

static plan plan_for(cj_peak peak, int64_t bytes) {
  const level *l = best_level();
  switch (peak) {
    case CJ_PEAK_READ: return (plan){{l->read, NULL}, (double)bytes};
    case CJ_PEAK_COPY: return (plan){{l->copy[0], l->copy[1]}, (double)bytes};
    case CJ_PEAK_TRIAD: return (plan){{l->triad[0], l->triad[1]}, (double)bytes};
    case CJ_PEAK_FMA_BF16:
#if defined(__x86_64__)
      // 32 products and as many sums an instruction.
      if (__builtin_cpu_supports("avx512bf16")) return (plan){{avx512_bf16, NULL}, 64.0 * SUMS * FMA_STEPS};
#endif
    case CJ_PEAK_FMA_F32: break;
  }
  return (plan){{l->fma, NULL}, l->operations};
}

// ---------------------------------------------------------------- rounds

enum {
  MAX_THREADS = 256,
  MAX_ROUNDS = 1024,
  PAGE = 2 << 20,  // a huge page: address translation is not what is measured
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef struct {
  kernel run;
  int64_t passes;  // calls a round
  double end;      // when the last round may begin
  double began;
  int32_t rounds;
  double seconds[MAX_ROUNDS];  // what each round took
  _Atomic int32_t threads;  // INT32_MAX until all have started
  _Atomic int32_t arrived;
  _Atomic int64_t meetings;
  _Atomic bool is_over;
} contest;

typedef struct {
  contest *contest;
  part part;
} contestant;

// The last to arrive calls `then` and lets the others go.
static void meet(contest *c, void (*then)(contest *)) {
  const int64_t meeting = atomic_load(&c->meetings);
  if (atomic_fetch_add(&c->arrived, 1) + 1 == atomic_load(&c->threads)) {
    then(c);
    atomic_store(&c->arrived, 0);
    atomic_fetch_add(&c->meetings, 1);
    return;
  }
  for (int spins = 0; atomic_load(&c->meetings) == meeting; spins++)
    if (spins > 10000) sched_yield();
}

static void begin(contest *c) { c->began = now(); }

static void finish(contest *c) {
  const double end = now();
  c->seconds[c->rounds++] = end - c->began;
  if (end >= c->end || c->rounds == MAX_ROUNDS) atomic_store(&c->is_over, true);
}

static void *compete(void *context) {
  const contestant *self = context;
  contest *c = self->contest;
  while (!atomic_load(&c->is_over)) {
    meet(c, begin);
    for (int64_t pass = 0; pass < c->passes; pass++) c->run(&self->part);
    meet(c, finish);
  }
  return NULL;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Calls a second of all threads together.
static double calls_a_second(kernel run, contestant *contestants, int32_t threads, int64_t passes, double seconds) {
  contest c = {.run = run, .passes = passes, .threads = INT32_MAX, .end = now() + seconds};
  pthread_t others[MAX_THREADS];
  for (int32_t i = 0; i < threads; i++) contestants[i].contest = &c;
  int32_t running = 1;
  while (running < threads && pthread_create(&others[running], NULL, compete, &contestants[running]) == 0) running++;
  atomic_store(&c.threads, running);
  compete(&contestants[0]);
  for (int32_t i = 1; i < running; i++) pthread_join(others[i], NULL);
  qsort(c.seconds, (size_t)c.rounds, sizeof(double), by_size);
  return (double)(passes * running) / c.seconds[c.rounds / 4];
}

static char *huge_pages(int64_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, PAGE, (size_t)bytes) != 0) return NULL;
#if defined(__linux__)
  madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
#endif
  memset(memory, 0, (size_t)bytes);
  return memory;
}

double cj_measure_peak(cj_peak peak, int64_t bytes, int32_t threads, double seconds) {
  if (threads < 1) threads = 1;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  // Each thread has `each` floats of each array.
  const int64_t arrays = peak == CJ_PEAK_TRIAD ? 3 : peak == CJ_PEAK_COPY ? 2 : 1;
  const int64_t each = (bytes / 4 / arrays / threads + 63) / 64 * 64;
  const plan plan = plan_for(peak, 4 * each * arrays);
  const int64_t array = (4 * each * threads + PAGE - 1) / PAGE * PAGE;
  char *memory = huge_pages(array * arrays);
  if (!memory) return 0;
  contestant contestants[MAX_THREADS];
  for (int32_t i = 0; i < threads; i++) {
    char *first = memory + 4 * each * i;
    contestants[i].part = (part){
        .a = (float *)first,
        .b = (float *)(first + (arrays > 1 ? array : 0)),
        .c = (float *)(first + (arrays > 2 ? 2 * array : 0)),
        .count = each,
    };
  }
  // A round takes about a millisecond or longer: a thread does 20 GB or GFLOP a second and more.
  const int64_t passes = plan.amount < 2e7 ? (int64_t)(2e7 / plan.amount) + 1 : 1;
  double best = 0;
  for (int way = 0; way < 2 && plan.ways[way]; way++) {
    const double share = plan.ways[1] ? seconds / 2 : seconds;
    const double rate = plan.amount * calls_a_second(plan.ways[way], contestants, threads, passes, share);
    if (rate > best) best = rate;
  }
  free(memory);
  return best;
}
