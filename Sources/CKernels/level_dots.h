// The tiles of convolutions with few columns, included by level_matmul.h. A panel would be empty for the most part;
// vectors lie along k instead, in rows and columns alike, and a tile's sums are added up at its end.

typedef __attribute__((ext_vector_type(16 / sizeof(LANE)))) LANE NAME(sums_quad);
enum { NAME(QUAD) = 16 / sizeof(LANE), NAME(DOTS) = 12 };

// The sums of some vectors, a multiple of QUAD, in order.
INLINE void NAME(add_lanes)(int64_t count, const VEC *sums, LANE *to) {
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < count; i += NAME(QUAD)) {
    STEP_VEC rows[NAME(QUAD)], columns[NAME(QUAD)];
#pragma clang loop unroll(full)
    for (int64_t q = 0; q < NAME(QUAD); q++) rows[q] = AS(STEP_VEC, sums[i + q]);
    NAME(gemm_transpose)(rows, columns);
    VEC total = AS(VEC, columns[0]);
#pragma clang loop unroll(full)
    for (int64_t q = 1; q < NAME(QUAD); q++) total += AS(VEC, columns[q]);
    LANE parts[COUNT];
    STORE(parts, total);
    NAME(sums_quad) quad = LOAD(NAME(sums_quad), parts);
#pragma clang loop unroll(full)
    for (int64_t p = NAME(QUAD); p < COUNT; p += NAME(QUAD)) quad += LOAD(NAME(sums_quad), parts + p);
    STORE(to + i, quad);
  }
}

// Rows from `row` on, the last again and again where there are fewer, and columns from `column` on.
INLINE void NAME(dots_tile)(int64_t rows, int64_t columns, const cj_gemm_window *window, int64_t row,
                            int64_t column) {
  const char *a[NAME(DOTS)], *b[NAME(DOTS)];
  VEC sums[NAME(DOTS)];
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < rows; i++) a[i] = window->a[cj_min64(row + i, window->rows - 1)];
#pragma clang loop unroll(full)
  for (int64_t j = 0; j < columns; j++) b[j] = window->b + (column + j) * window->b_line;
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < rows * columns; i++) sums[i] = (VEC)(LANE)0;
  int64_t step = 0;
  const cj_gemm_run *const end = window->runs + window->run_count;
  for (const cj_gemm_run *run = window->runs; run < end; run++) {
    int64_t at = run->offset;
    for (int64_t p = run->steps; p > 0; p -= COUNT) {
      STEP_VEC right[NAME(DOTS)];
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < columns; j++) right[j] = LOAD(STEP_VEC, b[j] + step);
#pragma clang loop unroll(full)
      for (int64_t i = 0; i < rows; i++) {
        const STEP_VEC left = LOAD(STEP_VEC, a[i] + at);
#pragma clang loop unroll(full)
        for (int64_t j = 0; j < columns; j++)
          sums[i * columns + j] = MULTIPLY_ADD(left, right[j], sums[i * columns + j]);
      }
      at += sizeof(STEP_VEC);
      step += sizeof(STEP_VEC);
    }
  }
  LANE totals[NAME(DOTS)];
  NAME(add_lanes)(rows * columns, sums, totals);
  for (int64_t i = 0; i < cj_min64(rows, window->rows - row); i++)
    memcpy(window->c[row + i] + window->c_offset + column * (int64_t)sizeof(LANE), totals + i * columns,
           (size_t)columns * sizeof(LANE));
}

// Sums and what they are made of fill the registers; pointers to rows do, too.
static void NAME(gemm_multiply_dots)(const cj_gemm_window *window) {
  for (int64_t j = 0, columns; j < window->columns; j += columns) {
    const int64_t left = window->columns - j;
    columns = left == 4 ? 2 : cj_min64(3, left);
    if (columns == 3)
      for (int64_t row = 0; row < window->rows; row += 4) NAME(dots_tile)(4, 3, window, row, j);
    else if (columns == 2)
      for (int64_t row = 0; row < window->rows; row += 6) NAME(dots_tile)(6, 2, window, row, j);
    else
      for (int64_t row = 0; row < window->rows; row += 8) NAME(dots_tile)(8, 1, window, row, j);
  }
}
