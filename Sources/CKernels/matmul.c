// Matrix products: packing, blocking and the cut of the work (Goto & van de
// Geijn 2008). A and B are packed slab by slab into panels, then blocks of C are
// tasks. Blocks and the split of k depend on the shape alone, and so does the
// scratch, which the caller gives.

#include "internal.h"

#include <stdatomic.h>

enum {
  DEPTH = 320,           // of a slab: a panel of B (16 floats wide) stays in L1
  SLAB = 4096,           // rows of A and columns of B packed at a time: 5 MB each, for L3
  BLOCK_ROWS = 192,      // of a task at most: its panels of A stay in L2
  BLOCK_COLUMNS = 512,
  LEAST_BLOCKS = 12,     // tasks wanted, so that uneven threads finish together
  PACK_LINES = 96,       // of A or B packed by one task
  WIDEN_LINES = 48,      // of them that are widened at a time, on the stack: 60 KB
  VECTOR_CHUNK = 512,    // outputs of a matrix-vector product by one task
  VECTOR_TASKS = 32,     // at most, where each widens rows into a region of its own
  PANEL_HEIGHT = 12,     // multiples of every micro kernel's height and width
  PANEL_WIDTH = 32,
  LANES = 32,            // matrices of a batch at hand at a time, each with its scratch
  LEAST_LANES = 16,      // fewer cannot keep the threads busy
};
// Multiply-adds below which the pool costs more than it saves, and of one task of small matrices.
#define SERIAL_WORK (INT64_C(256) * 1024)
#define BATCH_WORK (INT64_C(1) << 20)
#define LANES_BYTES (INT64_C(32) << 20)  // of scratch for a batch: three of the largest pairs of slabs

typedef struct {
  const char *data;
  int64_t line, depth;  // strides in elements: between rows of A (columns of B), and along k
} operand;

typedef struct {
  cj_dtype dtype;     // in memory
  cj_dtype compute;   // float32 or float64
  int64_t bytes, compute_bytes;
  int64_t m, n, k;
  operand a, b;
  char *c;
  const cj_level *level;
  const cj_gemm_kernels *kernels;
  // The slab at hand: rows, columns and depths of it.
  int64_t row, rows, column, columns, depth, depths;
  bool accumulate, serial;
  char *slab_c;                        // of the compute type
  int64_t slab_stride;                 // between its rows
  char *packed_a, *packed_b;
  int64_t a_tasks, b_tasks;            // of packing
  int64_t block_rows, block_columns, column_blocks;
} product;

static bool is_narrow(const product *job) { return job->dtype != job->compute; }

static void for_each(const product *job, int64_t count, cj_task task) {
  if (job->serial) {
    for (int64_t i = 0; i < count; i++) task((void *)job, i);
  } else {
    cj_parallel(count, task, (void *)job);
  }
}

// ---------------------------------------------------------------- packing

// 16-bit floats are widened first, a few panels (of `size` lines) at a time and along the axis
// where they are neighbours.
static void pack_narrow(const product *job, cj_gemm_pack pack, int64_t size, const operand *source,
                        int64_t lines, const char *from, char *packed) {
  const cj_tile_convert convert = job->level->load[job->dtype];
  const int64_t most = WIDEN_LINES / size * size;
  float wide[WIDEN_LINES * DEPTH];
  for (int64_t first = 0; first < lines; first += most) {
    const int64_t count = cj_min64(most, lines - first);
    const char *values = from + first * source->line * job->bytes;
    if (source->depth == 1) {
      for (int64_t line = 0; line < count; line++)
        convert(job->depths, wide + line * job->depths, values + line * source->line * job->bytes);
      pack(count, job->depths, wide, job->depths, 1, packed + first * job->depths * 4);
    } else {
      for (int64_t p = 0; p < job->depths; p++)
        convert(count, wide + p * count, values + p * source->depth * job->bytes);
      pack(count, job->depths, wide, 1, count, packed + first * job->depths * 4);
    }
  }
}

static void pack_lines(const product *job, cj_gemm_pack pack, int64_t size, const operand *source,
                       int64_t first, int64_t lines, char *packed) {
  const char *from = source->data + (first * source->line + job->depth * source->depth) * job->bytes;
  if (is_narrow(job)) pack_narrow(job, pack, size, source, lines, from, packed);
  else pack(lines, job->depths, from, source->line, source->depth, packed);
}

static void pack_task(void *context, int64_t task) {
  const product *job = context;
  const int64_t panel_bytes = job->depths * job->compute_bytes;
  if (task < job->a_tasks) {
    const int64_t line = task * PACK_LINES;
    pack_lines(job, job->kernels->pack_a, job->kernels->height, &job->a, job->row + line,
               cj_min64(PACK_LINES, job->rows - line), job->packed_a + line * panel_bytes);
  } else {
    const int64_t line = (task - job->a_tasks) * PACK_LINES;
    pack_lines(job, job->kernels->pack_b, job->kernels->width, &job->b, job->column + line,
               cj_min64(PACK_LINES, job->columns - line), job->packed_b + line * panel_bytes);
  }
}

// ---------------------------------------------------------------- blocks of C

static void block_task(void *context, int64_t task) {
  const product *job = context;
  const cj_gemm_kernels *kernels = job->kernels;
  const int64_t first_row = task / job->column_blocks * job->block_rows;
  const int64_t first_column = task % job->column_blocks * job->block_columns;
  const int64_t row_end = cj_min64(job->rows, first_row + job->block_rows);
  const int64_t column_end = cj_min64(job->columns, first_column + job->block_columns);
  const int64_t panel_bytes = job->depths * job->compute_bytes;
  for (int64_t j = first_column; j < column_end; j += kernels->width) {
    for (int64_t i = first_row; i < row_end; i += kernels->height) {
      char *c = job->slab_c + (i * job->slab_stride + j) * job->compute_bytes;
      kernels->micro(job->depths, job->packed_a + i * panel_bytes, job->packed_b + j * panel_bytes, c,
                     job->slab_stride, cj_min64(kernels->height, job->rows - i),
                     cj_min64(kernels->width, job->columns - j), job->accumulate);
    }
  }
}

// Blocks of whole panels, halved until there are enough of them.
static void choose_blocks(product *job) {
  const int64_t height = job->kernels->height, width = job->kernels->width;
  int64_t rows = cj_min64(BLOCK_ROWS, job->rows), columns = cj_min64(BLOCK_COLUMNS, job->columns);
  while (cj_ceil_div(job->rows, rows) * cj_ceil_div(job->columns, columns) < LEAST_BLOCKS) {
    if (columns >= 2 * rows && columns > 4 * width) columns = cj_ceil_div(columns, 2);
    else if (rows > 4 * height) rows = cj_ceil_div(rows, 2);
    else if (columns > 4 * width) columns = cj_ceil_div(columns, 2);
    else break;
  }
  job->block_rows = cj_ceil_div(rows, height) * height;
  job->block_columns = cj_ceil_div(columns, width) * width;
  job->column_blocks = cj_ceil_div(job->columns, job->block_columns);
}

// Rounded up to whole cache lines.
static int64_t in_lines(int64_t bytes) { return cj_ceil_div(bytes, 64) * 64; }

// Equal parts of at most `most`, of whole units.
static int64_t even_part(int64_t extent, int64_t most, int64_t unit) {
  const int64_t parts = cj_ceil_div(extent, most);
  return cj_ceil_div(cj_ceil_div(extent, parts), unit) * unit;
}

// The slabs of a product and where they lie in its scratch.
typedef struct {
  int64_t rows, columns, depth;
  int64_t b_at, c_at, bytes;  // packed A comes first
} slabs;

static slabs cut_slabs(const product *job) {
  // PACK_LINES is a multiple of every panel's height and width: tasks pack whole panels.
  slabs cut = {.rows = even_part(job->m, SLAB, PACK_LINES),
               .columns = even_part(job->n, SLAB, PACK_LINES),
               .depth = even_part(job->k, DEPTH, 4)};
  const int64_t rows = cj_min64(job->m, cut.rows), columns = cj_min64(job->n, cut.columns);
  cut.b_at = in_lines(cj_ceil_div(rows, PANEL_HEIGHT) * PANEL_HEIGHT * cut.depth * job->compute_bytes);
  cut.c_at = cut.b_at +
             in_lines(cj_ceil_div(columns, PANEL_WIDTH) * PANEL_WIDTH * cut.depth * job->compute_bytes);
  cut.bytes = cut.c_at + (is_narrow(job) ? in_lines(rows * columns * job->compute_bytes) : 0);
  return cut;
}

static void multiply_slab(product *job) {
  job->a_tasks = cj_ceil_div(job->rows, PACK_LINES);
  job->b_tasks = cj_ceil_div(job->columns, PACK_LINES);
  for_each(job, job->a_tasks + job->b_tasks, pack_task);
  choose_blocks(job);
  for_each(job, cj_ceil_div(job->rows, job->block_rows) * job->column_blocks, block_task);
}

static void narrow_task(void *context, int64_t task) {
  const product *job = context;
  const int64_t end = cj_min64(job->rows, (task + 1) * PACK_LINES);
  for (int64_t i = task * PACK_LINES; i < end; i++)
    job->level->store[job->dtype](job->columns,
                                  job->c + ((job->row + i) * job->n + job->column) * job->bytes,
                                  job->slab_c + i * job->slab_stride * job->compute_bytes);
}

static void multiply_packed(product *job, char *scratch) {
  const slabs cut = cut_slabs(job);
  job->packed_a = scratch;
  job->packed_b = scratch + cut.b_at;
  for (job->row = 0; job->row < job->m; job->row += cut.rows) {
    job->rows = cj_min64(cut.rows, job->m - job->row);
    for (job->column = 0; job->column < job->n; job->column += cut.columns) {
      job->columns = cj_min64(cut.columns, job->n - job->column);
      job->slab_stride = is_narrow(job) ? job->columns : job->n;
      job->slab_c = is_narrow(job) ? scratch + cut.c_at
                                   : job->c + (job->row * job->n + job->column) * job->bytes;
      for (job->depth = 0; job->depth < job->k; job->depth += cut.depth) {
        job->depths = cj_min64(cut.depth, job->k - job->depth);
        job->accumulate = job->depth > 0;
        multiply_slab(job);
      }
      if (is_narrow(job)) for_each(job, job->a_tasks, narrow_task);
    }
  }
}

// ---------------------------------------------------------------- one row of C

// Dot products are cut finer: their rows are long.
static int64_t vector_columns(const product *job) {
  if (job->b.depth != 1) return VECTOR_CHUNK;
  const int64_t columns = cj_max64(8, cj_min64(VECTOR_CHUNK, SERIAL_WORK / 4 / job->k));
  return is_narrow(job) ? cj_max64(columns, cj_ceil_div(job->n, VECTOR_TASKS)) : columns;
}

// Four rows of B, widened.
static int64_t wide_bytes(const product *job) { return in_lines(4 * job->k * 4); }

// a is read where it lies if it lies well.
static int64_t vector_bytes(const product *job) {
  return is_narrow(job) || job->a.depth != 1 ? in_lines(job->k * job->compute_bytes) : 0;
}

static int64_t vector_scratch(const product *job) {
  if (!is_narrow(job) || job->b.depth != 1) return vector_bytes(job);
  const int64_t regions = job->serial ? 1 : cj_ceil_div(job->n, vector_columns(job));
  return vector_bytes(job) + regions * wide_bytes(job);
}

// B is widened four rows at a time: a dot product runs along its whole row.
static void narrow_dots(const product *job, int64_t columns, const char *b, float *wide, char *c) {
  const cj_tile_convert convert = job->level->load[job->dtype];
  float sums[4];
  for (int64_t j = 0; j < columns; j += 4) {
    const int64_t outputs = cj_min64(4, columns - j);
    for (int64_t i = 0; i < outputs; i++)
      convert(job->k, wide + i * job->k, b + (j + i) * job->b.line * job->bytes);
    job->kernels->vector_dots(outputs, job->k, job->packed_a, wide, job->k, sums);
    job->level->store[job->dtype](outputs, c + j * job->bytes, sums);
  }
}

static void narrow_rows(const product *job, int64_t columns, const char *b, char *c) {
  const cj_tile_convert convert = job->level->load[job->dtype];
  float wide[4 * VECTOR_CHUNK], sums[VECTOR_CHUNK];
  for (int64_t p = 0; p < job->k; p += 4) {
    const int64_t rows = cj_min64(4, job->k - p);
    for (int64_t i = 0; i < rows; i++)
      convert(columns, wide + i * columns, b + (p + i) * job->b.depth * job->bytes);
    job->kernels->vector_rows(columns, rows, job->packed_a + p * 4, wide, columns, sums, p > 0);
  }
  job->level->store[job->dtype](columns, c, sums);
}

static void vector_task(void *context, int64_t task) {
  const product *job = context;
  const int64_t first = task * job->block_columns;
  const int64_t columns = cj_min64(job->block_columns, job->n - first);
  const bool dots = job->b.depth == 1;
  char *c = job->c + first * job->bytes;
  const char *b = job->b.data + first * job->b.line * job->bytes;
  if (is_narrow(job)) {
    const int64_t region = job->serial ? 0 : task;
    if (dots) narrow_dots(job, columns, b, (float *)(job->packed_b + region * wide_bytes(job)), c);
    else narrow_rows(job, columns, b, c);
  } else {
    if (dots) job->kernels->vector_dots(columns, job->k, job->packed_a, b, job->b.line, c);
    else job->kernels->vector_rows(columns, job->k, job->packed_a, b, job->b.depth, c, false);
  }
}

// c = a . B without packing B: it is read once.
static void multiply_vector(product *job, char *scratch) {
  const int64_t bytes = vector_bytes(job);
  for (int64_t p = 0; p < job->k && bytes > 0; p++) {
    const char *from = job->a.data + p * job->a.depth * job->bytes;
    if (is_narrow(job)) job->level->load[job->dtype](1, scratch + p * 4, from);
    else memcpy(scratch + p * job->bytes, from, (size_t)job->bytes);
  }
  job->packed_a = bytes > 0 ? scratch : (char *)job->a.data;
  job->packed_b = scratch ? scratch + bytes : NULL;
  job->block_columns = vector_columns(job);
  for_each(job, cj_ceil_div(job->n, job->block_columns), vector_task);
}

// ---------------------------------------------------------------- integers

#define INTEGER_ROWS(T)                                                                     \
  for (int64_t i = first; i < end; i++) {                                                   \
    T *c = (T *)job->c + i * job->n;                                                        \
    const T *a = (const T *)job->a.data + i * job->a.line;                                  \
    memset(c, 0, (size_t)job->n * sizeof(T));                                               \
    for (int64_t p = 0; p < job->k; p++) {                                                  \
      const T left = a[p * job->a.depth];                                                   \
      const T *b = (const T *)job->b.data + p * job->b.depth;                               \
      if (job->b.line == 1) {                                                               \
        for (int64_t j = 0; j < job->n; j++) c[j] += left * b[j];                           \
      } else {                                                                              \
        for (int64_t j = 0; j < job->n; j++) c[j] += left * b[j * job->b.line];             \
      }                                                                                     \
    }                                                                                       \
  }

static void integer_task(void *context, int64_t task) {
  const product *job = context;
  const int64_t first = task * job->block_rows, end = cj_min64(job->m, first + job->block_rows);
  if (job->dtype == CJ_INT32) INTEGER_ROWS(uint32_t) else INTEGER_ROWS(uint64_t)
}

// ---------------------------------------------------------------- one product

static bool is_integer(const product *job) { return job->dtype == CJ_INT32 || job->dtype == CJ_INT64; }

static int64_t product_scratch(const product *job) {
  if (is_integer(job)) return 0;
  return job->m == 1 ? vector_scratch(job) : cut_slabs(job).bytes;
}

static void multiply(product *job, char *scratch) {
  if (is_integer(job)) {
    job->block_rows = cj_max64(1, SERIAL_WORK / (job->n * job->k));
    for_each(job, cj_ceil_div(job->m, job->block_rows), integer_task);
  } else if (job->m == 1) {
    multiply_vector(job, scratch);
  } else {
    multiply_packed(job, scratch);
  }
}

// ---------------------------------------------------------------- batches

// Tasks of a few matrices each. They run in lanes: as many at a time as there are pieces of
// scratch, whoever is free taking the next, or one after the other and cut inside.
typedef struct {
  product each;
  int64_t batch, per_task, tasks;
  int64_t a_batch, b_batch;  // strides in bytes
  int64_t lanes;             // 0: cut inside
  int64_t scratch;           // bytes of a lane
  char *c, *workspace;
  _Atomic int64_t *next;     // task
} batched;

static void batch_task(const batched *job, int64_t task, char *scratch) {
  const int64_t end = cj_min64(job->batch, (task + 1) * job->per_task);
  for (int64_t i = task * job->per_task; i < end; i++) {
    product each = job->each;
    each.a.data += i * job->a_batch;
    each.b.data += i * job->b_batch;
    each.c = job->c + i * each.m * each.n * each.bytes;
    multiply(&each, scratch);
  }
}

static void lane_task(void *context, int64_t lane) {
  const batched *job = context;
  char *scratch = job->workspace ? job->workspace + lane * job->scratch : NULL;
  int64_t task;
  while ((task = atomic_fetch_add_explicit(job->next, 1, memory_order_relaxed)) < job->tasks)
    batch_task(job, task, scratch);
}

static void choose_lanes(batched *job) {
  product *each = &job->each;
  const int64_t work = each->m * each->n * each->k;
  job->per_task = cj_max64(1, BATCH_WORK / work);
  job->tasks = cj_ceil_div(job->batch, job->per_task);
  // A few large matrices are cut inside instead, and so are those whose scratch is large.
  if (job->tasks >= 2 && (job->tasks >= LEAST_LANES || work <= 16 * BATCH_WORK)) {
    each->serial = true;
    job->scratch = product_scratch(each);
    const int64_t room = job->scratch > 0 ? LANES_BYTES / job->scratch : LANES;
    job->lanes = cj_min64(cj_min64(LANES, room), job->tasks);
    if (job->lanes >= cj_min64(LEAST_LANES, job->tasks)) return;
  }
  each->serial = work < SERIAL_WORK;
  job->scratch = product_scratch(each);
  job->lanes = 0;
}

// A column of C is a row of its transpose: b^T A^T.
static batched transposed(const batched *job) {
  batched swapped = *job;
  swapped.each.m = job->each.n;
  swapped.each.n = job->each.m;
  swapped.each.a = job->each.b;
  swapped.each.b = job->each.a;
  swapped.a_batch = job->b_batch;
  swapped.b_batch = job->a_batch;
  return swapped;
}

// What there is to do and how, for at least one multiply-add.
static batched plan_batch(cj_dtype dtype, bool a_transposed, bool b_transposed, int64_t batch, int64_t m,
                          int64_t n, int64_t k, const void *a, int64_t lda, int64_t a_batch, const void *b,
                          int64_t ldb, int64_t b_batch) {
  const int64_t bytes = cj_dtype_bytes(dtype);
  // One B for all: the batch is more rows. Single rows stay what they are, whose sums run otherwise.
  if (batch > 1 && m > 1 && b_batch == 0 && !a_transposed && a_batch == m * lda) {
    m *= batch;
    batch = 1;
  }
  const cj_level *level = cj_current_level();
  batched job = {
      .each = {.dtype = dtype,
               .compute = bytes == 2 ? CJ_FLOAT32 : dtype,
               .bytes = bytes,
               .compute_bytes = bytes == 2 ? 4 : bytes,
               .m = m,
               .n = n,
               .k = k,
               .a = {a, a_transposed ? 1 : lda, a_transposed ? lda : 1},
               .b = {b, b_transposed ? ldb : 1, b_transposed ? 1 : ldb},
               .level = level,
               .kernels = dtype == CJ_FLOAT64 ? level->gemm_f64 : level->gemm_f32},
      .batch = batch,
      .a_batch = a_batch * bytes,
      .b_batch = b_batch * bytes};
  if (n == 1 && m > 1 && !is_integer(&job.each)) job = transposed(&job);
  choose_lanes(&job);
  return job;
}

int64_t cj_matmul_workspace(cj_dtype dtype, bool a_transposed, bool b_transposed, int64_t batch, int64_t m,
                            int64_t n, int64_t k, int64_t lda, int64_t a_batch, int64_t ldb, int64_t b_batch) {
  if (batch * m * n * k == 0) return 0;
  const batched job = plan_batch(dtype, a_transposed, b_transposed, batch, m, n, k, NULL, lda, a_batch, NULL,
                                 ldb, b_batch);
  return cj_max64(1, job.lanes) * job.scratch;
}

void cj_matmul(cj_dtype dtype, bool a_transposed, bool b_transposed, int64_t batch, int64_t m, int64_t n,
               int64_t k, const void *a, int64_t lda, int64_t a_batch, const void *b, int64_t ldb,
               int64_t b_batch, void *c, void *workspace) {
  if (batch * m * n == 0) return;
  if (k == 0) {
    cj_fill((int32_t)cj_dtype_bytes(dtype), batch * m * n, 0, c);
    return;
  }
  _Atomic int64_t next = 0;
  batched job = plan_batch(dtype, a_transposed, b_transposed, batch, m, n, k, a, lda, a_batch, b, ldb, b_batch);
  job.c = c;
  job.workspace = workspace;
  job.next = &next;
  cj_parallel(cj_max64(1, job.lanes), lane_task, &job);
}
