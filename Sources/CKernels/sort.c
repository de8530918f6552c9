// Stable orders along one axis: each element becomes a key that compares as unsigned integers do, and pairs of key
// and position are sorted by insertion where few are or few are wanted, else by their bytes, the lowest first.

#include "internal.h"

enum {
  FEW = 32,       // pairs that insertion sorts sooner than counting bytes does
  LINES = 16,     // that may be sorted at once: so much workspace is asked for
  LEVELS = 256,   // of a byte
};

typedef struct {
  uint64_t key;
  int64_t position;
} pair;

typedef struct {
  cj_dtype dtype;
  bool descending;
  int64_t lines, n, inner, count;
  const void *in;
  int64_t *out;
  pair *workspace;
  int64_t tasks;
} sorting;

// The order of floats is that of their bits, but for the sign; zeros of both signs are equal, and NaN is last.
static inline uint64_t float_key(uint64_t bits, int32_t width, uint64_t infinity, bool descending) {
  const uint64_t sign = 1ull << (width - 1), all = sign | (sign - 1);
  const uint64_t magnitude = bits & (sign - 1);
  if (magnitude > infinity) return all;
  if (magnitude == 0) bits = 0;
  const uint64_t key = bits & sign ? ~bits & all : bits | sign;
  return descending ? ~key & all : key;
}

static uint64_t key_at(cj_dtype dtype, const void *in, int64_t i, bool descending) {
  int64_t value = 0;
  switch (dtype) {
    case CJ_FLOAT16: return float_key(((const uint16_t *)in)[i], 16, 0x7C00, descending);
    case CJ_BFLOAT16: return float_key(((const uint16_t *)in)[i], 16, 0x7F80, descending);
    case CJ_FLOAT32: return float_key(((const uint32_t *)in)[i], 32, 0x7F800000, descending);
    case CJ_FLOAT64: return float_key(((const uint64_t *)in)[i], 64, 0x7FF0000000000000, descending);
    case CJ_BOOL:
    case CJ_UINT8: value = ((const uint8_t *)in)[i]; break;
    case CJ_INT8: value = ((const int8_t *)in)[i]; break;
    case CJ_INT16: value = ((const int16_t *)in)[i]; break;
    case CJ_INT32: value = ((const int32_t *)in)[i]; break;
    case CJ_INT64: value = ((const int64_t *)in)[i]; break;
  }
  const int32_t width = (int32_t)(8 * cj_dtype_bytes(dtype));
  const uint64_t all = width == 64 ? ~0ull : (1ull << width) - 1;
  const uint64_t offset = dtype == CJ_BOOL || dtype == CJ_UINT8 ? 0 : 1ull << (width - 1);
  const uint64_t key = ((uint64_t)value + offset) & all;
  return descending ? ~key & all : key;
}

// The first `count` are sorted; the others are lost.
static void sort_few(pair *pairs, int64_t n, int64_t count) {
  for (int64_t i = 1; i < n; i++) {
    const pair moved = pairs[i];
    if (i >= count && moved.key >= pairs[count - 1].key) continue;
    int64_t j = cj_min64(i, count - 1);
    for (; j > 0 && pairs[j - 1].key > moved.key; j--) pairs[j] = pairs[j - 1];
    pairs[j] = moved;
  }
}

// Returns where the sorted pairs are: in `pairs` or in `others`.
static pair *sort_many(pair *pairs, pair *others, int64_t n, int64_t bytes) {
  for (int64_t byte = 0; byte < bytes; byte++) {
    int64_t starts[LEVELS] = {0};
    const int32_t shift = (int32_t)(8 * byte);
    for (int64_t i = 0; i < n; i++) starts[pairs[i].key >> shift & (LEVELS - 1)]++;
    if (starts[pairs[0].key >> shift & (LEVELS - 1)] == n) continue;  // one for all: nothing moves
    int64_t sum = 0;
    for (int32_t level = 0; level < LEVELS; level++) {
      const int64_t held = starts[level];
      starts[level] = sum;
      sum += held;
    }
    for (int64_t i = 0; i < n; i++) others[starts[pairs[i].key >> shift & (LEVELS - 1)]++] = pairs[i];
    pair *swapped = pairs;
    pairs = others;
    others = swapped;
  }
  return pairs;
}

static void sort_task(void *context, int64_t task) {
  const sorting *job = context;
  pair *const pairs = job->workspace + 2 * job->n * task;
  for (int64_t line = task; line < job->lines; line += job->tasks) {
    const int64_t o = line / job->inner, i = line % job->inner;
    const int64_t start = o * job->n * job->inner + i;
    for (int64_t k = 0; k < job->n; k++)
      pairs[k] = (pair){key_at(job->dtype, job->in, start + k * job->inner, job->descending), k};
    const pair *sorted = pairs;
    if (job->n <= FEW || job->count <= FEW) sort_few(pairs, job->n, job->count);
    else sorted = sort_many(pairs, pairs + job->n, job->n, cj_dtype_bytes(job->dtype));
    int64_t *out = job->out + o * job->count * job->inner + i;
    for (int64_t k = 0; k < job->count; k++) out[k * job->inner] = sorted[k].position;
  }
}

int64_t cj_argsort_workspace(int64_t outer, int64_t n, int64_t inner) {
  return cj_min64(outer * inner, LINES) * 2 * n * (int64_t)sizeof(pair);
}

void cj_argsort(bool descending, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner, int64_t count,
                const void *in, int64_t *out, void *workspace) {
  if (outer * inner * count == 0) return;
  sorting job = {.dtype = dtype,
                 .descending = descending,
                 .lines = outer * inner,
                 .n = n,
                 .inner = inner,
                 .count = count,
                 .in = in,
                 .out = out,
                 .workspace = workspace,
                 .tasks = cj_min64(outer * inner, LINES)};
  cj_parallel(job.tasks, sort_task, &job);
}
