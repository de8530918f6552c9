// Matrix products: how C is cut. Each block of C is a task of its own, from the first element of k to
// the last, so that nobody waits for anybody and a block's values are final while they are in the cache.
// Blocks depend on the shape alone.
//
// An element of C is the sum of its products in the order of k, a slab of at most DEPTH of them at a
// time; the slabs' sums are added in order. No layout, no cut and no path changes a bit of it.

#include "internal.h"

#include <stdatomic.h>

enum {
  DEPTH = 256,          // of a slab: a panel of B stays in the first-level cache
  BLOCK_ROWS = 256,     // of a block at most: a slab of its lines of A stays in the second-level cache
  BLOCK_COLUMNS = 256,
  LEAST_TASKS = 16,     // wanted, so that uneven threads finish together
  FEW_ROWS = 8,         // for which B is read where it lies
  STRIP = 1024,         // columns of a task with few rows: memory likes pages as a whole
  KEPT_LINES = 4 << 20,     // bytes of packed rows of A, with all of k
  SMALL_MATRIX = 32 << 10,  // bytes of what stays in the first-level cache where it lies
  CACHED_MATRIX = 8 << 20,  // bytes of what does not come from memory
  ROWS_THAT_GAIN = 64,      // from a copy of B: at 128 it is 2% (decision 6)
};
// Multiply-adds of a task at least.
#define LEAST_WORK (INT64_C(1) << 16)

// ---------------------------------------------------------------- tasks

static void report(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  if (!job->done) return;
  if (job->is_column) job->done(job->context, column, columns, row, rows);
  else job->done(job->context, row, rows, column, columns);
}

static void run_task(void *context, int64_t task) {
  const cj_gemm *job = context;
  const int64_t blocks = job->row_blocks * job->column_blocks, block = task % blocks;
  const int64_t first = task / blocks * job->matrices, end = cj_min64(job->batch, first + job->matrices);
  const int64_t row = block / job->column_blocks * job->block_rows;
  const int64_t column = block % job->column_blocks * job->block_columns;
  const int64_t rows = cj_min64(job->block_rows, job->m - row);
  const int64_t columns = cj_min64(job->block_columns, job->n - column);
  for (int64_t matrix = first; matrix < end; matrix++) {
    if (job->batch == 1) {  // nothing to copy
      job->block(job, row, rows, column, columns);
      break;
    }
    cj_gemm each = *job;
    each.a.data += matrix * job->a.batch_bytes;
    each.b.data += matrix * job->b.batch_bytes;
    each.c += matrix * job->m * job->n * job->bytes;
    job->block(&each, row, rows, column, columns);
  }
  if (job->is_column) report(job, 0, 1, first * job->n + column, (end - first - 1) * job->n + columns);
  else report(job, first * job->m + row, (end - first - 1) * job->m + rows, column, columns);
}

// ---------------------------------------------------------------- cut

// Equal parts of at most `most`, of whole units.
static int64_t even_part(int64_t extent, int64_t most, int64_t unit) {
  const int64_t parts = cj_ceil_div(extent, most);
  return cj_ceil_div(cj_ceil_div(extent, parts), unit) * unit;
}

// Whether a matrix, its rows `stride` elements apart, is read as fast where it lies.
static bool is_small(const cj_gemm *job, int64_t stride) { return job->k * stride * job->bytes <= SMALL_MATRIX; }

static void choose_path(cj_gemm *job) {
  if (!job->kernels) {
    job->block = cj_gemm_multiply_integers;
    return;
  }
  const bool few = job->m <= FEW_ROWS && job->b.line_stride == 1;
  job->block = few ? cj_gemm_multiply_rows : cj_gemm_multiply_block;
  job->depth = even_part(job->k, DEPTH, 4);
  job->from_memory = job->k * job->n * job->bytes > CACHED_MATRIX;
  const bool in_place = job->kernels->reads_in_place && job->k % job->kernels->step == 0;
  const bool reads_columns = !few && job->kernels->step == 1 && is_small(job, job->a.depth_stride);
  job->packs_a = !in_place || (job->a.depth_stride != 1 && !reads_columns);
  job->packs_b = !in_place || job->kernels->step > 1 || job->b.line_stride != 1 || !is_small(job, job->b.depth_stride);
  job->keeps_lines = job->packs_a && !few &&
                     cj_gemm_lines_bytes(job, cj_min64(job->m, BLOCK_ROWS)) <= KEPT_LINES;
}

// Blocks are halved until there are enough of them, where that has the least packed again.
static void choose_blocks(cj_gemm *job) {
  const bool few = job->block == cj_gemm_multiply_rows;
  const int64_t width = job->kernels ? job->kernels->width : 1;
  int64_t rows = cj_min64(job->m, BLOCK_ROWS), columns = cj_min64(job->n, few ? STRIP : BLOCK_COLUMNS);
  const bool cuts = !few || !job->from_memory;
  const int64_t a_again = job->packs_a && !job->keeps_lines ? 4 : 1, b_again = job->packs_b && !job->packed_b ? 4 : 1;
  while (cuts && job->batch * cj_ceil_div(job->m, rows) * cj_ceil_div(job->n, columns) < LEAST_TASKS &&
         rows * columns * job->k >= 2 * LEAST_WORK) {
    const bool cuts_rows = rows >= 16 && !few, cuts_columns = columns >= 2 * width;
    // High blocks have fewer low tiles. (Where rows are more than columns, those who follow want them whole.)
    const bool in_place = job->kernels && !job->packs_a && !job->packs_b;
    const bool keeps_rows = in_place && job->m <= job->n && columns % (2 * width) == 0;
    const bool prefers_columns = keeps_rows || a_again * rows <= b_again * columns;
    if (cuts_columns && (!cuts_rows || prefers_columns)) columns = cj_ceil_div(columns, 2);
    else if (cuts_rows) rows = cj_ceil_div(rows, 2);
    else break;
  }
  job->block_rows = even_part(job->m, rows, 1);
  job->block_columns = even_part(job->n, columns, width);
  job->row_blocks = cj_ceil_div(job->m, job->block_rows);
  job->column_blocks = cj_ceil_div(job->n, job->block_columns);
  const bool whole = job->row_blocks * job->column_blocks == 1;
  job->matrices = whole ? cj_max64(1, LEAST_WORK / (job->m * job->n * job->k)) : 1;
}

// ---------------------------------------------------------------- entry

static cj_gemm_operand operand(const void *data, bool along_k, int64_t lines, int64_t stride, int64_t batch_bytes) {
  return (cj_gemm_operand){data, lines, along_k ? stride : 1, along_k ? 1 : stride, batch_bytes};
}

const cj_gemm_kernels *cj_gemm_kernels_of(const cj_level *level, cj_dtype dtype) {
  const bool pairs = dtype == CJ_BFLOAT16 && level->gemm_pairs && cj_has_bfloat16_dots();
  return pairs ? level->gemm_pairs : level->gemm[dtype];
}

static cj_gemm make_job(const cj_product *product, const void *a, const void *b, void *c) {
  cj_product shape = *product;
  const int64_t bytes = cj_dtype_bytes(shape.dtype);
  // One B for all: the batch is more rows.
  if (shape.b_batch == 0 && !shape.a_transposed && shape.a_batch == shape.m * shape.lda) {
    shape.m *= shape.batch;
    shape.batch = 1;
  }
  const cj_level *level = cj_current_level();
  cj_gemm job = {.dtype = shape.dtype,
                 .bytes = bytes,
                 .compute_bytes = bytes == 2 ? 4 : bytes,
                 .batch = shape.batch,
                 .m = shape.m,
                 .n = shape.n,
                 .k = shape.k,
                 .a = operand(a, !shape.a_transposed, shape.m, shape.lda, shape.a_batch * bytes),
                 .b = operand(b, shape.b_transposed, shape.n, shape.ldb, shape.b_batch * bytes),
                 .c = c,
                 .level = level,
                 .kernels = cj_gemm_kernels_of(level, shape.dtype)};
  if (job.n == 1 && job.m > 1) {  // a column of C is a row of its transpose: b^T A^T
    const cj_gemm_operand left = job.a;
    job.is_column = true;
    job.n = job.m;
    job.m = 1;
    job.a = job.b;
    job.b = left;
  }
  choose_path(&job);
  return job;
}

void cj_matmul(const cj_product *product, const void *a, const void *b, void *c, cj_block_done done, void *context) {
  if (product->batch * product->m * product->n == 0) return;
  if (product->k == 0) {
    cj_fill((int32_t)cj_dtype_bytes(product->dtype), product->batch * product->m * product->n, 0, c);
    if (done) done(context, 0, product->batch * product->m, 0, product->n);
    return;
  }
  cj_gemm job = make_job(product, a, b, c);
  job.packed_b = product->packed_b;
  job.done = done;
  job.context = context;
  choose_blocks(&job);
  static _Atomic uint64_t products = 0;
  job.number = atomic_fetch_add_explicit(&products, 1, memory_order_relaxed) + 1;
  cj_parallel(cj_ceil_div(job.batch, job.matrices) * job.row_blocks * job.column_blocks, run_task, &job);
}

bool cj_product_has_whole_rows(const cj_product *product) {
  cj_gemm job = make_job(product, NULL, NULL, NULL);
  if (job.batch * job.m * job.n * job.k == 0) return true;
  job.packed_b = product->packed_b;
  choose_blocks(&job);
  return !job.is_column && job.column_blocks == 1;
}

// ---------------------------------------------------------------- B that is packed once

int64_t cj_packed_b_bytes(const cj_product *product) {
  if (product->batch * product->m * product->n * product->k == 0) return 0;
  const cj_gemm job = make_job(product, NULL, NULL, NULL);
  const bool packs = job.block == cj_gemm_multiply_block && job.packs_b && job.batch == 1 && !job.is_column;
  return packs && job.m <= ROWS_THAT_GAIN ? cj_gemm_packed_bytes(&job) : 0;
}

typedef struct {
  cj_gemm job;
  char *packed;
} packing;

static void pack_panel(void *context, int64_t panel) {
  const packing *work = context;
  cj_gemm_pack_columns(&work->job, panel * work->job.kernels->width, work->packed);
}

void cj_pack_b(const cj_product *product, const void *b, void *packed) {
  packing work = {make_job(product, NULL, b, NULL), packed};
  cj_parallel(cj_ceil_div(work.job.n, work.job.kernels->width), pack_panel, &work);
}
