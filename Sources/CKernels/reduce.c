// Reductions: a tree of blocks whose shape depends on n and inner alone.
//
// The n rows (of `inner` values) are leaves of a fixed size, combined in pairs
// as a binary tree: the left half of a node is the largest power of two of
// leaves below its count. Subtrees of a fixed size are computed in parallel, so
// threads change nothing, and rounding errors grow with log n (Higham, The
// accuracy of floating point summation, 1993).

#include "internal.h"

enum {
  LEAF_ROW = 1024,        // values of a leaf where inner is 1
  LEAF_COLUMNS = CJ_LEAF_COLUMNS,  // rows of a leaf where it is more
  CHUNK = 256,            // columns at a time: a leaf stays in L1
  TASK_ELEMENTS = 65536,  // of a task, when work is cut by shape
};

typedef struct reduction reduction;
// Reduces `rows` x `columns` (rows `inner` apart, `readable` values from in on) to accumulators.
typedef void (*leaf_function)(const reduction *job, int64_t rows, int64_t columns, int64_t readable,
                              const char *in, void *out);

struct reduction {
  cj_reduction op;
  cj_dtype dtype;     // of the input
  cj_dtype partial;   // of the accumulators: float32, float64, or the integer that comes out
  int64_t outer, n, inner;
  int64_t leaf;       // rows of a leaf
  int64_t span;       // rows of a parallel subtree: leaf * 2^k
  int64_t spans, chunks, outer_per_task;
  leaf_function reduce_leaf;
  const char *in;
  const char *times;  // of leaf_products: what the values are multiplied by
  char *out;
  char *partials;     // [outer, spans, inner] when spans > 1
  const cj_level *level;
};

// ---------------------------------------------------------------- leaves

static void leaf_floats(const reduction *job, cj_dtype dtype, int64_t rows, int64_t columns,
                        int64_t stride, int64_t readable, const void *in, void *out) {
  const cj_level *level = job->level;
  const bool wide = dtype == CJ_FLOAT64;
  if (job->inner == 1)
    (wide ? level->reduce_rows_f64 : level->reduce_rows_f32)(job->op, 1, rows, 0, in, out);
  else
    (wide ? level->fold_columns_f64 : level->fold_columns_f32)(job->op, rows, columns, stride, readable, in,
                                                               out, true);
}

static void leaf_direct(const reduction *job, int64_t rows, int64_t columns, int64_t readable,
                        const char *in, void *out) {
  leaf_floats(job, job->dtype, rows, columns, job->inner, readable, in, out);
}

static void leaf_products(const reduction *job, int64_t rows, int64_t columns, int64_t readable,
                          const char *in, void *out) {
  (void)columns, (void)readable;
  const cj_level *level = job->level;
  (job->dtype == CJ_FLOAT64 ? level->sum_products_f64 : level->sum_products_f32)(
      1, rows, 0, in, job->times + (in - job->in), out);
}

static void leaf_halves(const reduction *job, int64_t rows, int64_t columns, int64_t readable,
                        const char *in, void *out) {
  float values[LEAF_COLUMNS * CHUNK];
  (void)readable;
  if (columns == job->inner) {
    job->level->load[job->dtype](rows * columns, values, in);
  } else {
    for (int64_t row = 0; row < rows; row++)
      job->level->load[job->dtype](columns, values + row * columns, in + row * job->inner * 2);
  }
  leaf_floats(job, CJ_FLOAT32, rows, columns, columns, rows * columns, values, out);
}

#define INTEGER_LEAF(name, T, A, expression)                                              \
  static void name(const reduction *job, int64_t rows, int64_t columns, int64_t readable, \
                   const char *in, void *out) {                                           \
    const T *values = (const T *)in;                                                      \
    A *sums = out;                                                                        \
    const int64_t stride = job->inner;                                                    \
    (void)readable;                                                                       \
    if (stride == 1) {                                                                    \
      A a = values[0];                                                                    \
      for (int64_t i = 1; i < rows; i++) {                                                \
        A b = values[i];                                                                  \
        a = (A)(expression);                                                              \
      }                                                                                   \
      sums[0] = a;                                                                        \
      return;                                                                             \
    }                                                                                     \
    for (int64_t i = 0; i < columns; i++) sums[i] = values[i];                            \
    for (int64_t row = 1; row < rows; row++)                                              \
      for (int64_t i = 0; i < columns; i++) {                                             \
        A a = sums[i], b = values[row * stride + i];                                      \
        sums[i] = (A)(expression);                                                        \
      }                                                                                   \
  }

#define INTEGER_LEAVES(x, T)                                                    \
  INTEGER_LEAF(sum_##x, T, int64_t, (uint64_t)a + (uint64_t)b)                  \
  INTEGER_LEAF(product_##x, T, int64_t, (uint64_t)a * (uint64_t)b)              \
  INTEGER_LEAF(max_##x, T, T, a > b ? a : b)                                    \
  INTEGER_LEAF(min_##x, T, T, a < b ? a : b)

INTEGER_LEAVES(u8, uint8_t)
INTEGER_LEAVES(i8, int8_t)
INTEGER_LEAVES(i16, int16_t)
INTEGER_LEAVES(i32, int32_t)
INTEGER_LEAVES(i64, int64_t)

#define LEAVES(x) {sum_##x, product_##x, max_##x, min_##x}
#define SAME_LEAVES(f) {f, f, f, f}
static const leaf_function leaf_functions[CJ_DTYPE_COUNT][4] = {
    LEAVES(u8), LEAVES(u8), LEAVES(i8), LEAVES(i16), LEAVES(i32), LEAVES(i64),
    SAME_LEAVES(leaf_halves), SAME_LEAVES(leaf_halves), SAME_LEAVES(leaf_direct), SAME_LEAVES(leaf_direct)};

// ---------------------------------------------------------------- nodes of the tree

#define COMBINE_LOOP(T, expression)                \
  for (int64_t i = 0; i < count; i++) {            \
    T x = ((T *)a)[i], y = ((const T *)b)[i];      \
    ((T *)a)[i] = (T)(expression);                 \
  }
#define COMBINE_FLOATS(T)                                                                       \
  switch (op) {                                                                                 \
    case CJ_SUM: COMBINE_LOOP(T, x + y) break;                                                  \
    case CJ_PRODUCT: COMBINE_LOOP(T, x *y) break;                                               \
    case CJ_MAX: COMBINE_LOOP(T, x != x ? x : x > y ? x : y) break;                             \
    case CJ_MIN: COMBINE_LOOP(T, x != x ? x : x < y ? x : y) break;                             \
  }
#define COMBINE_INTEGERS(T)                                         \
  if (op == CJ_MAX) COMBINE_LOOP(T, x > y ? x : y)                  \
  else COMBINE_LOOP(T, x < y ? x : y)

// a = op(a, b), element by element.
void cj_combine(cj_reduction op, cj_dtype dtype, int64_t count, void *a, const void *b) {
  switch (dtype) {
    case CJ_FLOAT32: COMBINE_FLOATS(float) break;
    case CJ_FLOAT64: COMBINE_FLOATS(double) break;
    case CJ_INT64:
      if (op == CJ_SUM) COMBINE_LOOP(uint64_t, x + y)
      else if (op == CJ_PRODUCT) COMBINE_LOOP(uint64_t, x *y)
      else COMBINE_INTEGERS(int64_t)
      break;
    case CJ_INT32: COMBINE_INTEGERS(int32_t) break;
    case CJ_INT16: COMBINE_INTEGERS(int16_t) break;
    case CJ_INT8: COMBINE_INTEGERS(int8_t) break;
    default: COMBINE_INTEGERS(uint8_t) break;
  }
}

// Rows of the left half of a node: the largest leaf * 2^k below rows.
static int64_t left_rows(int64_t leaf, int64_t rows) {
  int64_t left = leaf;
  while (2 * left < rows) left *= 2;
  return left;
}

// The node over `rows` rows from `in` on.
static void reduce_node(const reduction *job, int64_t rows, int64_t columns, int64_t readable,
                        const char *in, char *out) {
  if (rows <= job->leaf) {
    job->reduce_leaf(job, rows, columns, readable, in, out);
    return;
  }
  const int64_t left = left_rows(job->leaf, rows), skipped = left * job->inner;
  _Alignas(64) char right[CHUNK * 8];  // on each level of the tree
  reduce_node(job, left, columns, readable, in, out);
  reduce_node(job, rows - left, columns, readable - skipped,
              in + skipped * cj_dtype_bytes(job->dtype), right);
  cj_combine(job->op, job->partial, columns, out, right);
}

void cj_combine_tree(cj_reduction op, cj_dtype dtype, int64_t count, int64_t columns, int64_t stride, char *sums) {
  if (count <= 1) return;
  const int64_t left = left_rows(1, count);
  char *right = sums + left * stride;
  cj_combine_tree(op, dtype, left, columns, stride, sums);
  cj_combine_tree(op, dtype, count - left, columns, stride, right);
  cj_combine(op, dtype, columns, sums, right);
}

// Rows longer than a leaf: a tree over each.
static void reduce_long_rows(reduction *job, int64_t rows, int64_t n, char *out) {
  const int64_t bytes = cj_dtype_bytes(job->dtype);
  for (int64_t row = 0; row < rows; row++) reduce_node(job, n, 1, n, job->in + row * n * bytes, out + row * bytes);
}

void cj_reduce_each_row(const cj_level *level, cj_reduction op, cj_dtype dtype, int64_t rows, int64_t n,
                        const void *in, void *out) {
  if (n <= LEAF_ROW) {
    (dtype == CJ_FLOAT64 ? level->reduce_rows_f64 : level->reduce_rows_f32)(op, rows, n, n, in, out);
    return;
  }
  reduction job = {.op = op, .dtype = dtype, .partial = dtype, .inner = 1, .leaf = LEAF_ROW,
                   .reduce_leaf = leaf_direct, .in = in, .level = level};
  reduce_long_rows(&job, rows, n, out);
}

void cj_sum_products_each_row(const cj_level *level, cj_dtype dtype, int64_t rows, int64_t n, const void *in,
                              const void *times, void *out) {
  if (n <= LEAF_ROW) {
    (dtype == CJ_FLOAT64 ? level->sum_products_f64 : level->sum_products_f32)(rows, n, n, in, times, out);
    return;
  }
  reduction job = {.op = CJ_SUM, .dtype = dtype, .partial = dtype, .inner = 1, .leaf = LEAF_ROW,
                   .reduce_leaf = leaf_products, .in = in, .times = times, .level = level};
  reduce_long_rows(&job, rows, n, out);
}

static void write_result(const reduction *job, int64_t position, int64_t columns, const void *sums) {
  const bool halves = job->dtype == CJ_FLOAT16 || job->dtype == CJ_BFLOAT16;
  const cj_dtype out_dtype = halves ? job->dtype : job->partial;
  char *out = job->out + position * cj_dtype_bytes(out_dtype);
  if (halves) job->level->store[job->dtype](columns, out, sums);
  else memcpy(out, sums, (size_t)(columns * cj_dtype_bytes(out_dtype)));
}

// ---------------------------------------------------------------- tasks

static void reduce_span(const reduction *job, int64_t o, int64_t span, int64_t chunk) {
  const int64_t first = span * job->span, rows = cj_min64(job->span, job->n - first);
  const int64_t column = chunk * CHUNK, columns = cj_min64(CHUNK, job->inner - column);
  const int64_t position = (o * job->n + first) * job->inner + column;
  const int64_t readable = job->outer * job->n * job->inner - position;
  _Alignas(64) char sums[CHUNK * 8];
  reduce_node(job, rows, columns, readable, job->in + position * cj_dtype_bytes(job->dtype), sums);
  if (job->spans == 1) {
    write_result(job, o * job->inner + column, columns, sums);
  } else {
    const int64_t bytes = cj_dtype_bytes(job->partial);
    memcpy(job->partials + ((o * job->spans + span) * job->inner + column) * bytes, sums,
           (size_t)(columns * bytes));
  }
}

// Short rows of floats, many at a time.
static bool reduce_short_rows(const reduction *job, int64_t first, int64_t count) {
  if (job->inner != 1 || job->n > job->leaf || job->reduce_leaf != leaf_direct) return false;
  const bool wide = job->dtype == CJ_FLOAT64;
  const int64_t bytes = wide ? 8 : 4;
  (wide ? job->level->reduce_rows_f64 : job->level->reduce_rows_f32)(
      job->op, count, job->n, job->n, job->in + first * job->n * bytes, job->out + first * bytes);
  return true;
}

static void reduce_task(void *context, int64_t task) {
  const reduction *job = context;
  const int64_t chunk = task % job->chunks, span = task / job->chunks % job->spans;
  const int64_t first = task / job->chunks / job->spans * job->outer_per_task;
  const int64_t end = cj_min64(job->outer, first + job->outer_per_task);
  if (reduce_short_rows(job, first, end - first)) return;
  for (int64_t o = first; o < end; o++) reduce_span(job, o, span, chunk);
}

static void combine_task(void *context, int64_t task) {
  const reduction *job = context;
  const int64_t o = task / job->chunks, column = task % job->chunks * CHUNK;
  const int64_t columns = cj_min64(CHUNK, job->inner - column);
  char *partials = job->partials + (o * job->spans * job->inner + column) * cj_dtype_bytes(job->partial);
  cj_combine_tree(job->op, job->partial, job->spans, columns, job->inner * cj_dtype_bytes(job->partial), partials);
  write_result(job, o * job->inner + column, columns, partials);
}

static void cut(reduction *job) {
  job->leaf = job->inner == 1 ? LEAF_ROW : LEAF_COLUMNS;
  job->chunks = cj_ceil_div(job->inner, CHUNK);
  const int64_t columns = cj_min64(job->inner, CHUNK);
  job->span = job->leaf;
  while (job->span * columns < TASK_ELEMENTS) job->span *= 2;
  // Enough to do without cutting n: each row is one subtree, whatever its length.
  if (job->outer * job->chunks >= 64 || job->n <= job->span) {
    while (job->span < job->n) job->span *= 2;
  }
  job->spans = cj_ceil_div(job->n, job->span);
  job->outer_per_task = job->spans > 1 ? 1 : cj_max64(1, TASK_ELEMENTS / (job->n * columns));
}

// n = 0: every result is the identity.
static void fill_identity(const reduction *job, cj_dtype out_dtype, int64_t count) {
  static const uint64_t ones[CJ_DTYPE_COUNT] = {
      1, 1, 1, 1, 1, 1, 0x3c00, 0x3f80, 0x3f800000, 0x3ff0000000000000};
  static const uint64_t lowest[CJ_DTYPE_COUNT] = {
      0, 0, 0x80, 0x8000, 0x80000000, 0x8000000000000000, 0xfc00, 0xff80, 0xff800000, 0xfff0000000000000};
  static const uint64_t highest[CJ_DTYPE_COUNT] = {
      1, 0xff, 0x7f, 0x7fff, 0x7fffffff, 0x7fffffffffffffff, 0x7c00, 0x7f80, 0x7f800000, 0x7ff0000000000000};
  const uint64_t bits = job->op == CJ_SUM       ? 0
                        : job->op == CJ_PRODUCT ? ones[out_dtype]
                        : job->op == CJ_MAX     ? lowest[out_dtype]
                                                : highest[out_dtype];
  cj_fill((int32_t)cj_dtype_bytes(out_dtype), count, bits, job->out);
}

static cj_dtype result_dtype(cj_reduction op, cj_dtype dtype) {
  const bool counts = dtype < CJ_FLOAT16 && (op == CJ_SUM || op == CJ_PRODUCT);
  return counts ? CJ_INT64 : dtype;
}

static reduction plan(cj_reduction op, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner) {
  const bool halves = dtype == CJ_FLOAT16 || dtype == CJ_BFLOAT16;
  reduction job = {.op = op,
                   .dtype = dtype,
                   .partial = halves ? CJ_FLOAT32 : result_dtype(op, dtype),
                   .outer = outer,
                   .n = n,
                   .inner = inner,
                   .reduce_leaf = leaf_functions[dtype][op],
                   .level = cj_current_level()};
  if (outer * n * inner > 0) cut(&job);
  return job;
}

int64_t cj_reduce_workspace(cj_reduction op, cj_dtype in_dtype, int64_t outer, int64_t n, int64_t inner) {
  const reduction job = plan(op, in_dtype, outer, n, inner);
  return job.spans > 1 ? job.spans * outer * inner * cj_dtype_bytes(job.partial) : 0;
}

void cj_reduce(cj_reduction op, cj_dtype in_dtype, int64_t outer, int64_t n, int64_t inner,
               const void *in, void *out, void *workspace) {
  reduction job = plan(op, in_dtype, outer, n, inner);
  job.in = in;
  job.out = out;
  job.partials = workspace;
  if (outer * inner == 0) return;
  if (n == 0) {
    fill_identity(&job, result_dtype(op, in_dtype), outer * inner);
    return;
  }
  if (!workspace) {  // one subtree a row, the same tree
    job.span = n;
    job.spans = 1;
  }
  cj_parallel(cj_ceil_div(outer, job.outer_per_task) * job.spans * job.chunks, reduce_task, &job);
  if (job.spans > 1) cj_parallel(outer * job.chunks, combine_task, &job);
}
