// Conversions of single values, and the search for NaN and infinity.

#include "internal.h"

#include <stdatomic.h>

float cj_half_to_float(uint16_t bits) {
  float value;
  cj_level_baseline.load[CJ_FLOAT16](1, &value, &bits);
  return value;
}

uint16_t cj_float_to_half(float value) {
  uint16_t bits;
  cj_level_baseline.store[CJ_FLOAT16](1, &bits, &value);
  return bits;
}

enum { TASK_BYTES = 256 * 1024 };

typedef struct {
  cj_dtype dtype;
  int64_t count;
  const char *values;
  atomic_bool found;
} search;

static void search_task(void *context, int64_t task) {
  search *job = context;
  if (atomic_load_explicit(&job->found, memory_order_relaxed)) return;
  const cj_level *level = cj_current_level();
  const int64_t bytes = cj_dtype_bytes(job->dtype), most = TASK_BYTES / bytes;
  const int64_t count = cj_min64(most, job->count - task * most);
  const void *values = job->values + task * TASK_BYTES;
  bool found = false;
  switch (job->dtype) {
    case CJ_FLOAT16: found = level->nonfinite_16(count, values, 0x7c00); break;
    case CJ_BFLOAT16: found = level->nonfinite_16(count, values, 0x7f80); break;
    case CJ_FLOAT32: found = level->nonfinite_f32(count, values); break;
    case CJ_FLOAT64: found = level->nonfinite_f64(count, values); break;
    default: break;
  }
  if (found) atomic_store_explicit(&job->found, true, memory_order_relaxed);
}

bool cj_any_nonfinite(cj_dtype dtype, int64_t count, const void *values) {
  search job = {.dtype = dtype, .count = count, .values = values};
  cj_parallel(cj_ceil_div(count * cj_dtype_bytes(dtype), TASK_BYTES), search_task, &job);
  return atomic_load(&job.found);
}
