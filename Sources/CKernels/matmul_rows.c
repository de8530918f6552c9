// Products with few rows, which take as long as reading B takes: B is read once, where it lies, along its
// rows, and the sums of a strip of columns wait in the cache. And products of integers.

#include "internal.h"

static void add_sums(const cj_gemm *job, int64_t bytes, char *totals, const char *sums) {
  const int64_t masks[] = {-1, -1, -1};
  const bool is_double = job->compute_bytes == 8;
  job->level->ops[CJ_ADD][is_double ? CJ_F64 : CJ_F32](bytes / job->compute_bytes, totals, totals, sums, NULL, masks);
}

void cj_gemm_multiply_rows(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const cj_gemm_kernels *kernels = job->kernels;
  const int64_t sums_line = cj_gemm_in_lines(columns * job->compute_bytes) + CJ_GEMM_OVERHANG;
  const int64_t a_line = cj_ceil_div(job->depth, kernels->step) * kernels->step_bytes;
  char *totals = cj_scratch(CJ_SCRATCH_PRODUCT, rows * (2 * sums_line + a_line));
  char *sums = totals + rows * sums_line, *own = sums + rows * sums_line;
  cj_gemm_rows part = {.rows = rows,
                       .columns = columns,
                       .a_line = job->packs_a ? a_line : job->a.line_stride * job->bytes,
                       .b_stride = job->b.depth_stride,
                       .from_memory = job->from_memory,
                       .sums_line = sums_line};
  for (int64_t depth = 0; depth < job->k; depth += job->depth) {
    const int64_t depths = cj_min64(job->depth, job->k - depth);
    const cj_gemm_lines left = cj_gemm_part(job, &job->a, row, rows, depth, depths);
    const cj_gemm_lines right = cj_gemm_part(job, &job->b, column, columns, depth, depths);
    if (job->packs_a) kernels->pack_a(&left, own, a_line);
    part.a = job->packs_a ? own : left.data;
    part.b = right.data;
    part.readable = right.readable;
    part.depth = depths;
    part.sums = depth == 0 ? totals : sums;
    kernels->multiply_rows(&part);
    if (depth > 0) add_sums(job, rows * sums_line, totals, sums);
  }
  cj_gemm_store(job, rows, columns, totals, sums_line, job->c + (row * job->n + column) * job->bytes);
}

// ---------------------------------------------------------------- integers

#define INTEGER_ROWS(T)                                                                               \
  for (int64_t i = row; i < row + rows; i++) {                                                        \
    T *c = (T *)job->c + i * job->n;                                                                  \
    const T *a = (const T *)job->a.data + i * job->a.line_stride;                                     \
    memset(c + column, 0, (size_t)columns * sizeof(T));                                               \
    for (int64_t p = 0; p < job->k; p++) {                                                            \
      const T left = a[p * job->a.depth_stride];                                                      \
      const T *b = (const T *)job->b.data + p * job->b.depth_stride;                                  \
      if (job->b.line_stride == 1) {                                                                  \
        for (int64_t j = column; j < column + columns; j++) c[j] += left * b[j];                      \
      } else {                                                                                        \
        for (int64_t j = column; j < column + columns; j++) c[j] += left * b[j * job->b.line_stride]; \
      }                                                                                               \
    }                                                                                                 \
  }

void cj_gemm_multiply_integers(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  if (job->dtype == CJ_INT32) INTEGER_ROWS(uint32_t) else INTEGER_ROWS(uint64_t)
}
