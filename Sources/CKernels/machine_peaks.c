// The pool's threads have a part of the work each. A round ends with the last of them; of the rounds the
// faster half counts, by its median: what disturbs a round only makes it longer. Stores go both ways,
// through the caches and past them, and the faster way counts.

#include "cajal_peaks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cajal_kernels.h"

// ---------------------------------------------------------------- kernels

// Arrays of `bytes`, a multiple of 1024.
typedef struct {
  char *a, *b, *c;
  int64_t bytes;
} part;

typedef void (*kernel)(const part *);

// The kernels of one SIMD level; those that store in the ways there are.
typedef struct {
  kernel fma32, fma64, read, copy[2], triad[2];
  double bytes;  // of a vector
} level;

static _Thread_local volatile double sink;

// More independent sums than latency times units: 4 cycles times 2 on today's cores.
// 12, with the two factors, fit the 16 registers of AVX2.
enum { SUMS = 12, FMA_STEPS = 1 << 15 };

#define UNROLLED(COUNT) _Pragma("clang loop unroll(full)") for (int j = 0; j < COUNT; j++)

#pragma clang fp contract(fast)  // a * b + c is one instruction where there is one

#define FMA(LEVEL, TYPE, TARGET, WIDTH)                                                           \
  typedef TYPE LEVEL##_##TYPE __attribute__((vector_size(WIDTH)));                                \
  TARGET static void LEVEL##_fma_##TYPE(const part *p) {                                          \
    (void)p;                                                                                      \
    const LEVEL##_##TYPE factor = (LEVEL##_##TYPE){0} + (TYPE)0.5, term = (LEVEL##_##TYPE){0} + (TYPE)sink; \
    LEVEL##_##TYPE sum[SUMS];                                                                     \
    UNROLLED(SUMS) sum[j] = term + (TYPE)j;                                                       \
    for (int step = 0; step < FMA_STEPS; step++) UNROLLED(SUMS) sum[j] = sum[j] * factor + term;  \
    UNROLLED(SUMS) sum[0] += sum[j];                                                              \
    sink = sum[0][0] * 0;                                                                         \
  }

// One that goes over memory: `BODY` for each vector i of `count`.
#define OVER(LEVEL, NAME, TARGET, BODY)                                                           \
  TARGET static void LEVEL##_##NAME(const part *p) {                                              \
    LEVEL##_float *a = (LEVEL##_float *)p->a;                                                     \
    const LEVEL##_float *b = (const LEVEL##_float *)p->b, *c = (const LEVEL##_float *)p->c;       \
    const int64_t count = p->bytes / (int64_t)sizeof *a;                                          \
    (void)b, (void)c;                                                                             \
    for (int64_t i = 0; i < count; i++) BODY;                                                     \
  }

#define KERNELS(LEVEL, TARGET, WIDTH)                                                             \
  FMA(LEVEL, float, TARGET, WIDTH)                                                                \
  FMA(LEVEL, double, TARGET, WIDTH)                                                               \
  TARGET static void LEVEL##_read(const part *p) {                                                \
    const LEVEL##_float *a = (const LEVEL##_float *)p->a;                                         \
    const int64_t count = p->bytes / (int64_t)sizeof *a;                                          \
    LEVEL##_float sum[8] = {{0}};                                                                 \
    for (int64_t i = 0; i < count; i += 8) UNROLLED(8) sum[j] += a[i + j];                        \
    UNROLLED(8) sum[0] += sum[j];                                                                 \
    sink = sum[0][0] * 0;                                                                         \
  }                                                                                               \
  OVER(LEVEL, copy, TARGET, a[i] = b[i])                                                          \
  OVER(LEVEL, copy_past, TARGET, __builtin_nontemporal_store(b[i], &a[i]))                        \
  OVER(LEVEL, triad, TARGET, a[i] = b[i] + 3.0f * c[i])                                           \
  OVER(LEVEL, triad_past, TARGET, __builtin_nontemporal_store(b[i] + 3.0f * c[i], &a[i]))         \
  static const level LEVEL##_level = {                                                            \
      .fma32 = LEVEL##_fma_float,                                                                 \
      .fma64 = LEVEL##_fma_double,                                                                \
      .read = LEVEL##_read,                                                                       \
      .copy = {LEVEL##_copy, LEVEL##_copy_past},                                                  \
      .triad = {LEVEL##_triad, LEVEL##_triad_past},                                               \
      .bytes = WIDTH,                                                                             \
  };

KERNELS(baseline, , 16)

#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2,fma"))), 32)
KERNELS(avx512, __attribute__((target("avx512f,avx2,fma"))), 64)

__attribute__((target("avx512f,avx512bf16"))) static void avx512_bf16(const part *p) {
  (void)p;
  const __m512bh factor = (__m512bh)_mm512_set1_epi16((short)sink), term = factor;
  __m512 sum[SUMS];
  UNROLLED(SUMS) sum[j] = _mm512_set1_ps((float)j);
  for (int step = 0; step < FMA_STEPS; step++) UNROLLED(SUMS) sum[j] = _mm512_dpbf16_ps(sum[j], factor, term);
  UNROLLED(SUMS) sum[0] += sum[j];
  sink = sum[0][0] * 0;
}
#endif

static const level *best_level(void) {
#if defined(__x86_64__)
  if (cj_simd_best() == CJ_SIMD_AVX512) return &avx512_level;
  if (cj_simd_best() == CJ_SIMD_AVX2) return &avx2_level;
#endif
  return &baseline_level;
}

static kernel bfloat16_kernel(void) {
#if defined(__x86_64__)
  if (cj_simd_best() == CJ_SIMD_AVX512 && __builtin_cpu_supports("avx512bf16")) return avx512_bf16;
#endif
  return NULL;
}

// ---------------------------------------------------------------- rounds

enum {
  MAX_PARTS = 256,
  MAX_ROUNDS = 1024,
  PAGE = 2 << 20,  // a huge page, as cj_allocate takes: address translation is not what is measured
};

typedef struct {
  kernel run;
  int64_t passes;  // calls a part and round
  part parts[MAX_PARTS];
} work;

static void do_part(void *context, int64_t index) {
  const work *w = context;
  for (int64_t pass = 0; pass < w->passes; pass++) w->run(&w->parts[index]);
}

typedef struct {
  int64_t threads;
  _Atomic int64_t arrived;
} meeting;

// Waits until all threads have come, or one would do the work of all; not for long, as some may be asleep.
static void meet(void *context, int64_t index) {
  enum { LOOKS = 1 << 14 };
  (void)index;
  meeting *at = context;
  const int64_t before = atomic_fetch_add_explicit(&at->arrived, 1, memory_order_relaxed);
  const int64_t all = (before / at->threads + 1) * at->threads;
  for (int look = 0; look < LOOKS && atomic_load_explicit(&at->arrived, memory_order_relaxed) < all; look++) continue;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// Seconds a round of `repeats` calls.
static double round_time(int64_t count, cj_task task, void *context, int64_t repeats, double seconds) {
  double rounds[MAX_ROUNDS];
  int32_t done = 0;
  const double end = now() + seconds;
  double begin;
  do {
    begin = now();
    for (int64_t i = 0; i < repeats; i++) cj_parallel(count, task, context);
    rounds[done++] = now() - begin;
  } while (done < MAX_ROUNDS && begin < end);
  qsort(rounds, (size_t)done, sizeof *rounds, by_size);
  return rounds[done / 4];
}

double cj_machine_fork_join(double seconds) {
  enum { REPEATS = 100 };
  meeting at = {.threads = cj_threads()};
  return round_time(at.threads, meet, &at, REPEATS, seconds) / REPEATS;
}

// The ways to do it, and what one call for one part does.
typedef struct {
  kernel ways[2];
  int32_t arrays;
  double amount;
} plan;

static plan plan_for(cj_machine_rate rate, double bytes) {
  const level *l = best_level();
  const double steps = 2.0 * SUMS * FMA_STEPS;
  switch (rate) {
    case CJ_MACHINE_FMA_F32: return (plan){{l->fma32, NULL}, 0, steps * l->bytes / 4};
    case CJ_MACHINE_FMA_F64: return (plan){{l->fma64, NULL}, 0, steps * l->bytes / 8};
    case CJ_MACHINE_FMA_BF16: return (plan){{bfloat16_kernel(), NULL}, 0, steps * 32};
    case CJ_MACHINE_READ: return (plan){{l->read, NULL}, 1, bytes};
    case CJ_MACHINE_COPY: return (plan){{l->copy[0], l->copy[1]}, 2, bytes};
    case CJ_MACHINE_TRIAD: return (plan){{l->triad[0], l->triad[1]}, 3, bytes};
  }
  return (plan){{NULL, NULL}, 0, 0};
}

double cj_machine_measure(cj_machine_rate rate, int64_t bytes, double seconds) {
  const int64_t count = cj_threads() < MAX_PARTS ? cj_threads() : MAX_PARTS;
  const int32_t arrays = plan_for(rate, 0).arrays;
  // Bytes that a part has of each array.
  const int64_t each = arrays ? (bytes / arrays / count + 1023) / 1024 * 1024 : 0;
  const plan plan = plan_for(rate, (double)(each * arrays));
  const int64_t array = (each * count + PAGE - 1) / PAGE * PAGE;
  char *memory = arrays ? cj_allocate(array * arrays) : NULL;
  if (arrays && !memory) return 0;
  if (memory) memset(memory, 0, (size_t)(array * arrays));
  work w = {0};
  for (int64_t i = 0; i < count && memory; i++) {
    char *first = memory + each * i;
    w.parts[i] = (part){first, first + (arrays > 1 ? array : 0), first + (arrays > 2 ? 2 * array : 0), each};
  }
  // A round takes about a millisecond or longer: a thread does 20 GB or GFLOP a second and more.
  w.passes = plan.amount < 2e7 ? (int64_t)(2e7 / (plan.amount + 1)) + 1 : 1;
  double best = 0;
  for (int way = 0; way < 2 && plan.ways[way]; way++) {
    w.run = plan.ways[way];
    const double time = round_time(count, do_part, &w, 1, plan.ways[1] ? seconds / 2 : seconds);
    const double measured = plan.amount * (double)(w.passes * count) / time;
    if (measured > best) best = measured;
  }
  if (memory) cj_free(memory, array * arrays);
  cj_memory_trim();  // nobody asks for as much soon
  return best;
}
