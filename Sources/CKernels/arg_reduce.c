// Indices of maxima and minima: the first of equals, or the first NaN.

#include "internal.h"

enum { CHUNK = 256, TASK_ELEMENTS = 65536 };

typedef struct {
  bool maximum;
  cj_dtype dtype;
  int64_t outer, n, inner, chunks, outer_per_task;
  const void *in;
  int64_t *out;
} arg_reduction;

#define IDENTITY(x) (x)

// `better` is false for NaN on either side; a NaN wins once, and then nothing beats it.
#define ARG_LOOP(T, V, GET)                                                          \
  {                                                                                  \
    const T *values = (const T *)job->in + o * job->n * job->inner + column;         \
    V best[CHUNK];                                                                   \
    for (int64_t i = 0; i < columns; i++) {                                          \
      best[i] = GET(values[i]);                                                      \
      out[i] = 0;                                                                    \
    }                                                                                \
    for (int64_t row = 1; row < job->n; row++) {                                     \
      for (int64_t i = 0; i < columns; i++) {                                        \
        const V value = GET(values[row * job->inner + i]);                           \
        const bool better = job->maximum ? value > best[i] : value < best[i];        \
        if (better || (value != value && best[i] == best[i])) {                      \
          best[i] = value;                                                           \
          out[i] = row;                                                              \
        }                                                                            \
      }                                                                              \
    }                                                                                \
  }

static void arg_chunk(const arg_reduction *job, int64_t o, int64_t column) {
  const int64_t columns = cj_min64(CHUNK, job->inner - column);
  int64_t *out = job->out + o * job->inner + column;
  switch (job->dtype) {
    case CJ_BOOL:
    case CJ_UINT8: ARG_LOOP(uint8_t, uint8_t, IDENTITY) break;
    case CJ_INT8: ARG_LOOP(int8_t, int8_t, IDENTITY) break;
    case CJ_INT16: ARG_LOOP(int16_t, int16_t, IDENTITY) break;
    case CJ_INT32: ARG_LOOP(int32_t, int32_t, IDENTITY) break;
    case CJ_INT64: ARG_LOOP(int64_t, int64_t, IDENTITY) break;
    case CJ_FLOAT16: ARG_LOOP(uint16_t, float, cj_half_to_float) break;
    case CJ_BFLOAT16: ARG_LOOP(uint16_t, float, cj_bfloat_to_float) break;
    case CJ_FLOAT32: ARG_LOOP(float, float, IDENTITY) break;
    case CJ_FLOAT64: ARG_LOOP(double, double, IDENTITY) break;
  }
}

static void arg_task(void *context, int64_t task) {
  const arg_reduction *job = context;
  const int64_t column = task % job->chunks * CHUNK;
  const int64_t first = task / job->chunks * job->outer_per_task;
  const int64_t end = cj_min64(job->outer, first + job->outer_per_task);
  for (int64_t o = first; o < end; o++) arg_chunk(job, o, column);
}

void cj_arg_reduce(bool maximum, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner,
                   const void *in, int64_t *out) {
  if (outer * inner == 0 || n <= 0) return;
  arg_reduction job = {.maximum = maximum,
                       .dtype = dtype,
                       .outer = outer,
                       .n = n,
                       .inner = inner,
                       .chunks = cj_ceil_div(inner, CHUNK),
                       .in = in,
                       .out = out};
  job.outer_per_task = cj_max64(1, TASK_ELEMENTS / (n * cj_min64(inner, CHUNK)));
  cj_parallel(cj_ceil_div(outer, job.outer_per_task) * job.chunks, arg_task, &job);
}
