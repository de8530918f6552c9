// Matrix products: packing, blocking and the cut of the work (Goto & van de
// Geijn 2008). A and B are packed slab by slab into panels, then blocks of C are
// tasks. Blocks and the split of k depend on the shape alone.

#include "internal.h"

#include <stdlib.h>

enum {
  DEPTH = 320,           // of a slab: a panel of B (16 floats wide) stays in L1
  SLAB = 4096,           // rows of A and columns of B packed at a time: 5 MB each, for L3
  BLOCK_ROWS = 192,      // of a task at most: its panels of A stay in L2
  BLOCK_COLUMNS = 512,
  LEAST_BLOCKS = 12,     // tasks wanted, so that uneven threads finish together
  PACK_LINES = 96,       // of A or B packed by one task
  VECTOR_CHUNK = 512,    // outputs of a matrix-vector product by one task
};
// Multiply-adds below which the pool costs more than it saves, and of one task of small matrices.
#define SERIAL_WORK (INT64_C(256) * 1024)
#define BATCH_WORK (INT64_C(1) << 20)

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
  char *c;            // of the compute type
  const cj_level *level;
  const cj_gemm_kernels *kernels;
  // The slab at hand: rows, columns and depths of it.
  int64_t row, rows, column, columns, depth, depths;
  bool accumulate, serial;
  char *packed_a, *packed_b;
  int64_t a_tasks, b_tasks;            // of packing
  int64_t block_rows, block_columns, column_blocks;
} product;

static void for_each(const product *job, int64_t count, cj_task task) {
  if (job->serial) {
    for (int64_t i = 0; i < count; i++) task((void *)job, i);
  } else {
    cj_parallel(count, task, (void *)job);
  }
}

// ---------------------------------------------------------------- packing

// 16-bit floats are widened into the scratch first, along the axis where they are neighbours.
static void pack_lines(const product *job, cj_gemm_pack pack, const operand *source, int64_t first,
                       int64_t lines, void *packed) {
  const char *from = source->data + (first * source->line + job->depth * source->depth) * job->bytes;
  if (job->dtype == job->compute) {
    pack(lines, job->depths, from, source->line, source->depth, packed);
    return;
  }
  float *wide = cj_scratch(CJ_SCRATCH_PACK, PACK_LINES * DEPTH * 4);
  const cj_tile_convert convert = job->level->load[job->dtype];
  if (source->depth == 1) {
    for (int64_t line = 0; line < lines; line++)
      convert(job->depths, wide + line * job->depths, from + line * source->line * job->bytes);
    pack(lines, job->depths, wide, job->depths, 1, packed);
  } else {
    for (int64_t p = 0; p < job->depths; p++)
      convert(lines, wide + p * lines, from + p * source->depth * job->bytes);
    pack(lines, job->depths, wide, 1, lines, packed);
  }
}

static void pack_task(void *context, int64_t task) {
  const product *job = context;
  const int64_t panel_bytes = job->depths * job->compute_bytes;
  if (task < job->a_tasks) {
    const int64_t line = task * PACK_LINES;
    pack_lines(job, job->kernels->pack_a, &job->a, job->row + line,
               cj_min64(PACK_LINES, job->rows - line), job->packed_a + line * panel_bytes);
  } else {
    const int64_t line = (task - job->a_tasks) * PACK_LINES;
    pack_lines(job, job->kernels->pack_b, &job->b, job->column + line,
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
      char *c = job->c + ((job->row + i) * job->n + job->column + j) * job->compute_bytes;
      kernels->micro(job->depths, job->packed_a + i * panel_bytes, job->packed_b + j * panel_bytes, c,
                     job->n, cj_min64(kernels->height, job->rows - i),
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

// Equal parts of at most `most`, of whole units.
static int64_t even_part(int64_t extent, int64_t most, int64_t unit) {
  const int64_t parts = cj_ceil_div(extent, most);
  return cj_ceil_div(cj_ceil_div(extent, parts), unit) * unit;
}

static void multiply_slab(product *job) {
  job->a_tasks = cj_ceil_div(job->rows, PACK_LINES);
  job->b_tasks = cj_ceil_div(job->columns, PACK_LINES);
  for_each(job, job->a_tasks + job->b_tasks, pack_task);
  choose_blocks(job);
  for_each(job, cj_ceil_div(job->rows, job->block_rows) * job->column_blocks, block_task);
}

static void multiply_packed(product *job) {
  const int64_t depth = even_part(job->k, DEPTH, 4);
  // PACK_LINES is a multiple of every panel's height and width: tasks pack whole panels.
  const int64_t row_slab = even_part(job->m, SLAB, PACK_LINES);
  const int64_t column_slab = even_part(job->n, SLAB, PACK_LINES);
  const int64_t a_bytes = row_slab * depth * job->compute_bytes;
  const int64_t b_bytes = column_slab * depth * job->compute_bytes;
  job->packed_a = cj_allocate(a_bytes + b_bytes);
  if (!job->packed_a) abort();
  job->packed_b = job->packed_a + a_bytes;
  for (job->row = 0; job->row < job->m; job->row += row_slab) {
    job->rows = cj_min64(row_slab, job->m - job->row);
    for (job->column = 0; job->column < job->n; job->column += column_slab) {
      job->columns = cj_min64(column_slab, job->n - job->column);
      for (job->depth = 0; job->depth < job->k; job->depth += depth) {
        job->depths = cj_min64(depth, job->k - job->depth);
        job->accumulate = job->depth > 0;
        multiply_slab(job);
      }
    }
  }
  cj_free(job->packed_a, a_bytes + b_bytes);
}

// ---------------------------------------------------------------- one row of C

static void vector_task(void *context, int64_t task) {
  const product *job = context;
  const int64_t first = task * job->block_columns;
  const int64_t columns = cj_min64(job->block_columns, job->n - first);
  const bool dots = job->b.depth == 1;
  char *c = job->c + first * job->compute_bytes;
  const char *b = job->b.data + first * job->b.line * job->bytes;
  if (job->dtype == job->compute) {
    if (dots) job->kernels->vector_dots(columns, job->k, job->packed_a, b, job->b.line, c);
    else job->kernels->vector_rows(columns, job->k, job->packed_a, b, job->b.depth, c, false);
    return;
  }
  const cj_tile_convert convert = job->level->load[job->dtype];
  const int64_t line = dots ? job->k : columns;
  float *wide = cj_scratch(CJ_SCRATCH_PACK, 4 * line * 4);
  if (dots) {
    for (int64_t j = 0; j < columns; j += 4) {
      const int64_t outputs = cj_min64(4, columns - j);
      for (int64_t i = 0; i < outputs; i++)
        convert(job->k, wide + i * line, b + (j + i) * job->b.line * job->bytes);
      job->kernels->vector_dots(outputs, job->k, job->packed_a, wide, line, c + j * 4);
    }
  } else {
    for (int64_t p = 0; p < job->k; p += 4) {
      const int64_t rows = cj_min64(4, job->k - p);
      for (int64_t i = 0; i < rows; i++)
        convert(columns, wide + i * line, b + (p + i) * job->b.depth * job->bytes);
      job->kernels->vector_rows(columns, rows, job->packed_a + p * 4, wide, line, c, p > 0);
    }
  }
}

// c = a . B without packing B: it is read once.
static void multiply_vector(product *job) {
  const int64_t bytes = job->k * job->compute_bytes;
  char *a = cj_allocate(bytes);
  if (!a) abort();
  for (int64_t p = 0; p < job->k; p++) {
    const char *from = job->a.data + p * job->a.depth * job->bytes;
    if (job->dtype != job->compute) job->level->load[job->dtype](1, a + p * 4, from);
    else memcpy(a + p * job->bytes, from, (size_t)job->bytes);
  }
  job->packed_a = a;
  // Dot products are cut finer: their rows are long.
  const bool dots = job->b.depth == 1;
  job->block_columns = dots ? cj_max64(8, cj_min64(VECTOR_CHUNK, SERIAL_WORK / 4 / job->k)) : VECTOR_CHUNK;
  for_each(job, cj_ceil_div(job->n, job->block_columns), vector_task);
  cj_free(a, bytes);
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

static product transposed(const product *job) {
  product swapped = *job;  // a column of C is a row of its transpose
  swapped.m = job->n;
  swapped.n = job->m;
  swapped.a = job->b;
  swapped.b = job->a;
  return swapped;
}

static void multiply_floats(product *job, char *c) {
  const bool narrow = job->dtype != job->compute;
  const int64_t bytes = job->m * job->n * job->compute_bytes;
  job->c = narrow ? cj_allocate(bytes) : c;
  if (!job->c) abort();
  if (job->m == 1 || job->n == 1) {
    product vector = job->m == 1 ? *job : transposed(job);
    multiply_vector(&vector);
  } else {
    multiply_packed(job);
  }
  if (!narrow) return;
  for (int64_t i = 0; i < job->m; i++)
    job->level->store[job->dtype](job->n, c + i * job->n * 2, job->c + i * job->n * 4);
  cj_free(job->c, bytes);
}

static void multiply(product *job, char *c) {
  job->serial = job->m * job->n * job->k < SERIAL_WORK;
  if (job->dtype == CJ_INT32 || job->dtype == CJ_INT64) {
    job->c = c;
    job->block_rows = cj_max64(1, SERIAL_WORK / (job->n * job->k));
    for_each(job, cj_ceil_div(job->m, job->block_rows), integer_task);
  } else {
    multiply_floats(job, c);
  }
}

// ---------------------------------------------------------------- batches

typedef struct {
  product each;
  int64_t batch, per_task, a_batch, b_batch;  // strides in bytes
  char *c;
} batched;

static void batch_task(void *context, int64_t task) {
  const batched *job = context;
  const int64_t end = cj_min64(job->batch, (task + 1) * job->per_task);
  for (int64_t i = task * job->per_task; i < end; i++) {
    product each = job->each;
    each.a.data += i * job->a_batch;
    each.b.data += i * job->b_batch;
    multiply(&each, job->c + i * each.m * each.n * each.bytes);
  }
}

static void multiply_batch(batched *job) {
  const int64_t work = job->each.m * job->each.n * job->each.k;
  job->per_task = cj_max64(1, BATCH_WORK / work);
  const int64_t tasks = cj_ceil_div(job->batch, job->per_task);
  // A few large matrices are cut inside instead.
  if (tasks >= 2 && (tasks >= 16 || work <= 16 * BATCH_WORK)) {
    cj_parallel(tasks, batch_task, job);
  } else {
    for (int64_t task = 0; task < tasks; task++) batch_task(job, task);
  }
}

void cj_matmul(cj_dtype dtype, bool a_transposed, bool b_transposed, int64_t batch, int64_t m,
               int64_t n, int64_t k, const void *a, int64_t lda, int64_t a_batch, const void *b,
               int64_t ldb, int64_t b_batch, void *c) {
  const int64_t bytes = cj_dtype_bytes(dtype);
  if (batch * m * n == 0) return;
  if (k == 0) {
    cj_fill((int32_t)bytes, batch * m * n, 0, c);
    return;
  }
  // One B for all: the batch is more rows. Single rows stay what they are, whose sums run otherwise.
  if (batch > 1 && m > 1 && b_batch == 0 && !a_transposed && a_batch == m * lda) {
    m *= batch;
    batch = 1;
  }
  const bool wide = dtype == CJ_FLOAT64;
  const cj_level *level = cj_current_level();
  product each = {
      .dtype = dtype,
      .compute = dtype == CJ_FLOAT16 || dtype == CJ_BFLOAT16 ? CJ_FLOAT32 : dtype,
      .bytes = bytes,
      .compute_bytes = bytes == 2 ? 4 : bytes,
      .m = m,
      .n = n,
      .k = k,
      .a = {a, a_transposed ? 1 : lda, a_transposed ? lda : 1},
      .b = {b, b_transposed ? ldb : 1, b_transposed ? 1 : ldb},
      .level = level,
      .kernels = wide ? level->gemm_f64 : level->gemm_f32,
  };
  batched job = {each, batch, 1, a_batch * bytes, b_batch * bytes, c};
  multiply_batch(&job);
}
