// Sums of what stands before, along one axis. Floats are summed in double precision, each sum rounded once.

#include "internal.h"

enum {
  COLUMNS = 64,           // that are summed side by side
  TASK_ELEMENTS = 65536,  // of a task, when work is cut by shape
};

typedef struct {
  cj_dtype dtype;
  bool reversed;
  int64_t outer, n, inner, chunks, outer_per_task;
  const void *in;
  void *out;
} cumulation;

#define SUMS(T, S, R, GET, PUT)                                                     \
  {                                                                                 \
    const T *from = (const T *)job->in + start;                                     \
    R *to = (R *)job->out + start;                                                  \
    S sums[COLUMNS] = {0}, sum = 0;                                                 \
    if (job->inner == 1) {                                                          \
      const int64_t stride = job->reversed ? -1 : 1;                                \
      int64_t at = job->reversed ? job->n - 1 : 0;                                  \
      for (int64_t step = 0; step < job->n; step++, at += stride) {                 \
        sum += (S)GET(from[at]);                                                    \
        to[at] = (R)PUT(sum);                                                       \
      }                                                                             \
      return;                                                                       \
    }                                                                               \
    for (int64_t step = 0; step < job->n; step++) {                                 \
      const int64_t row = (job->reversed ? job->n - 1 - step : step) * job->inner;  \
      for (int64_t i = 0; i < columns; i++) {                                       \
        sums[i] += (S)GET(from[row + i]);                                           \
        to[row + i] = (R)PUT(sums[i]);                                              \
      }                                                                             \
    }                                                                               \
  }
#define AS_IT_IS(x) (x)
#define TO_HALF(x) cj_float_to_half((float)(x))
#define TO_BFLOAT(x) cj_float_to_bfloat((float)(x))

static void cumulate(const cumulation *job, int64_t o, int64_t column) {
  const int64_t columns = cj_min64(COLUMNS, job->inner - column);
  const int64_t start = o * job->n * job->inner + column;
  switch (job->dtype) {
    case CJ_BOOL:
    case CJ_UINT8: SUMS(uint8_t, uint64_t, int64_t, AS_IT_IS, AS_IT_IS) break;
    case CJ_INT8: SUMS(int8_t, uint64_t, int64_t, AS_IT_IS, AS_IT_IS) break;
    case CJ_INT16: SUMS(int16_t, uint64_t, int64_t, AS_IT_IS, AS_IT_IS) break;
    case CJ_INT32: SUMS(int32_t, uint64_t, int64_t, AS_IT_IS, AS_IT_IS) break;
    case CJ_INT64: SUMS(int64_t, uint64_t, int64_t, AS_IT_IS, AS_IT_IS) break;
    case CJ_FLOAT16: SUMS(uint16_t, double, uint16_t, cj_half_to_float, TO_HALF) break;
    case CJ_BFLOAT16: SUMS(uint16_t, double, uint16_t, cj_bfloat_to_float, TO_BFLOAT) break;
    case CJ_FLOAT32: SUMS(float, double, float, AS_IT_IS, AS_IT_IS) break;
    case CJ_FLOAT64: SUMS(double, double, double, AS_IT_IS, AS_IT_IS) break;
  }
}

static void cumulation_task(void *context, int64_t task) {
  const cumulation *job = context;
  const int64_t first = task / job->chunks * job->outer_per_task;
  const int64_t end = cj_min64(job->outer, first + job->outer_per_task);
  for (int64_t o = first; o < end; o++) cumulate(job, o, task % job->chunks * COLUMNS);
}

void cj_cumulative_sum(bool reversed, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner,
                       const void *in, void *out) {
  if (outer * n * inner == 0) return;
  cumulation job = {.dtype = dtype,
                    .reversed = reversed,
                    .outer = outer,
                    .n = n,
                    .inner = inner,
                    .chunks = cj_ceil_div(inner, COLUMNS),
                    .in = in,
                    .out = out};
  job.outer_per_task = cj_max64(1, TASK_ELEMENTS / (n * cj_min64(inner, COLUMNS)));
  cj_parallel(cj_ceil_div(outer, job.outer_per_task) * job.chunks, cumulation_task, &job);
}
