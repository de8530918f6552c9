// Stable orders along one axis: each element becomes a key that compares as unsigned integers do. Where few are or few
// are wanted, pairs of key and position go by insertion into the few that are first so far, and blocks of elements that
// all come behind these are passed over; else pairs are sorted by their bytes, the lowest first.

#include "internal.h"

enum {
  FEW = 32,       // pairs that insertion sorts sooner than counting bytes does
  PIECE = 65536,  // elements of a long line of which few are wanted: a task
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
  int64_t pieces, group;  // of a line, and lines of a task, where few are wanted
} sorting;

// The pairs that are first so far, sorted.
typedef struct {
  pair *pairs;
  int64_t held;
} best;

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

// Of equal keys the one that came earlier stays before.
static void insert(best *best, int64_t count, pair moved) {
  if (best->held == count && moved.key >= best->pairs[count - 1].key) return;
  int64_t j = best->held < count ? best->held++ : count - 1;
  for (; j > 0 && best->pairs[j - 1].key > moved.key; j--) best->pairs[j] = best->pairs[j - 1];
  best->pairs[j] = moved;
}

static int64_t bits_at(cj_dtype dtype, const void *in, int64_t i) {
  switch (cj_dtype_bytes(dtype)) {
    case 1: return ((const int8_t *)in)[i];
    case 2: return ((const int16_t *)in)[i];
    case 4: return ((const int32_t *)in)[i];
    default: return ((const int64_t *)in)[i];
  }
}

// Takes the elements first..<end of a line into the best.
static void find_few(const sorting *job, int64_t line, int64_t first, int64_t end, best *best) {
  const int64_t start = line / job->inner * job->n * job->inner + line % job->inner;
  const int64_t bytes = cj_dtype_bytes(job->dtype);
  // The key of NaN, before which everything else comes.
  const uint64_t behind = ~0ull >> (64 - 8 * bytes);
  for (int64_t k = first; k < end; k++) {
    if (job->inner == 1 && best->held == job->count && best->pairs[job->count - 1].key != behind) {
      const int64_t last = bits_at(job->dtype, job->in, start + best->pairs[job->count - 1].position);
      k += cj_current_level()->first_before[job->dtype](end - k, (const char *)job->in + (start + k) * bytes, last,
                                                        job->descending);
      if (k == end) return;
    }
    insert(best, job->count, (pair){key_at(job->dtype, job->in, start + k * job->inner, job->descending), k});
  }
}

static void write_line(const sorting *job, int64_t line, const pair *sorted) {
  int64_t *out = job->out + line / job->inner * job->count * job->inner + line % job->inner;
  for (int64_t k = 0; k < job->count; k++) out[k * job->inner] = sorted[k].position;
}

static void few_task(void *context, int64_t task) {
  const sorting *job = context;
  for (int64_t line = task * job->group; line < cj_min64((task + 1) * job->group, job->lines); line++) {
    pair pairs[FEW];
    best best = {.pairs = pairs};
    find_few(job, line, 0, job->n, &best);
    write_line(job, line, pairs);
  }
}

static void piece_task(void *context, int64_t task) {
  const sorting *job = context;
  best best = {.pairs = job->workspace + task * job->count};
  const int64_t first = task % job->pieces * PIECE;
  find_few(job, task / job->pieces, first, cj_min64(first + PIECE, job->n), &best);
}

// The first few of each line; those of long lines piece by piece.
static void sort_few(sorting *job) {
  // As much as the workspace has room for.
  job->pieces = job->lines <= LINES ? cj_ceil_div(job->n, PIECE) : 1;
  job->group = cj_max64(1, PIECE / 8 / job->n);
  if (job->pieces == 1) return cj_parallel(cj_ceil_div(job->lines, job->group), few_task, job);
  cj_parallel(job->lines * job->pieces, piece_task, job);
  for (int64_t line = 0; line < job->lines; line++) {
    pair pairs[FEW];
    best best = {.pairs = pairs};
    for (int64_t piece = 0; piece < job->pieces; piece++) {
      const pair *found = job->workspace + (line * job->pieces + piece) * job->count;
      const int64_t count = cj_min64(job->count, job->n - piece * PIECE);
      for (int64_t k = 0; k < count; k++) insert(&best, job->count, found[k]);
    }
    write_line(job, line, pairs);
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
    write_line(job, line, sort_many(pairs, pairs + job->n, job->n, cj_dtype_bytes(job->dtype)));
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
  if (count <= FEW) return sort_few(&job);
  cj_parallel(job.tasks, sort_task, &job);
}
