// Random tensors: a draw is a function of (key, stream, element), so any cut of
// the work gives the same values.

#include "internal.h"

#include <math.h>

enum { TASK_BLOCKS = 4096, BATCH_BLOCKS = 256 };  // Philox blocks a task, and at a time

typedef struct {
  cj_distribution distribution;
  cj_dtype dtype;
  uint64_t key, stream;
  int64_t count, words_each;
  char *out;
  const cj_level *level;  // the caller's, whichever thread runs a task
} random_plan;

void cj_philox_block(uint64_t key, uint64_t stream, uint64_t block, uint32_t out[4]) {
  cj_level_baseline.philox(key, stream, block, 1, out);
}

static void uniform_f64(int64_t n, const uint32_t *words, double *out) {
  for (int64_t i = 0; i < n; i++) {
    const uint64_t bits = (uint64_t)(words[2 * i] >> 5) << 26 | words[2 * i + 1] >> 6;
    out[i] = (double)bits * 0x1p-53;
  }
}

static void normal_f64(int64_t n, const uint32_t *words, double *out) {
  for (int64_t i = 0; i < n; i++) {
    const double u = ((double)words[2 * i] + 1) * 0x1p-32;
    const double angle = 0x1.921fb54442d18p2 * ((double)words[2 * i + 1] * 0x1p-32);  // 2 pi
    out[i] = sqrt(-2 * log(u)) * cos(angle);
  }
}

// `n` elements from their words.
static void make_values(const random_plan *plan, int64_t n, const uint32_t *words, void *out) {
  const cj_level *level = plan->level;
  if (plan->distribution == CJ_RANDOM_BITS) {
    for (int64_t i = 0; i < n; i++) ((int64_t *)out)[i] = words[i];
    return;
  }
  const bool normal = plan->distribution == CJ_RANDOM_NORMAL;
  if (plan->dtype == CJ_FLOAT64) {
    if (normal) normal_f64(n, words, out);
    else uniform_f64(n, words, out);
    return;
  }
  float values[4 * BATCH_BLOCKS];
  float *floats = plan->dtype == CJ_FLOAT32 ? out : values;
  const int32_t bits = plan->dtype == CJ_FLOAT32 ? 24 : plan->dtype == CJ_FLOAT16 ? 11 : 8;
  if (normal) level->normal_f32(n, words, floats);
  else level->uniform_f32(n, words, bits, floats);
  if (floats != out) level->store[plan->dtype](n, out, values);
}

static void random_task(void *context, int64_t task) {
  const random_plan *plan = context;
  const int64_t per_block = 4 / plan->words_each;
  const int64_t bytes = cj_dtype_bytes(plan->dtype);
  const int64_t end = cj_min64(cj_ceil_div(plan->count, per_block), (task + 1) * TASK_BLOCKS);
  uint32_t words[4 * BATCH_BLOCKS];
  for (int64_t block = task * TASK_BLOCKS; block < end; block += BATCH_BLOCKS) {
    const int64_t blocks = cj_min64(BATCH_BLOCKS, end - block), first = block * per_block;
    plan->level->philox(plan->key, plan->stream, (uint64_t)block, blocks, words);
    make_values(plan, cj_min64(blocks * per_block, plan->count - first), words,
                plan->out + first * bytes);
  }
}

void cj_random(cj_distribution distribution, cj_dtype dtype, uint64_t key, uint64_t stream,
               int64_t count, void *out) {
  const bool two = distribution == CJ_RANDOM_NORMAL ||
                   (distribution == CJ_RANDOM_UNIFORM && dtype == CJ_FLOAT64);
  random_plan plan = {distribution, dtype, key, stream, count, two ? 2 : 1, out, cj_current_level()};
  cj_parallel(cj_ceil_div(cj_ceil_div(count, 4 / plan.words_each), TASK_BLOCKS), random_task, &plan);
}
