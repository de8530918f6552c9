// The tiles of convolutions, included by level_matmul.h: those of products, but that each row of A and of C
// lies somewhere else, and that k is made of runs.

// `height` rows of a window from `row` on; if it fetches, each step a part of a line of what comes next.
INLINE void NAME(gemm_window_tile)(int64_t height, bool fetches, const cj_gemm_window *window, int64_t row,
                                   const char *next, int64_t next_step) {
  const char *a[HEIGHT], *b = window->b;
  VEC sums[HEIGHT][VECTORS];
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++) {
    a[i] = window->a[row + i];
    __builtin_prefetch(window->c[row + i] + window->c_offset, 1);
#pragma clang loop unroll(full)
    for (int j = 0; j < VECTORS; j++) sums[i][j] = (VEC)(LANE)0;
  }
  const cj_gemm_run *const end = window->runs + window->run_count;
  for (const cj_gemm_run *run = window->runs; run < end; run++) {
    int64_t at = run->offset;
#pragma clang loop unroll_count(TILE_UNROLLED)
    for (int64_t p = run->steps; p > 0; p--) {
      STEP_VEC right[VECTORS];
#pragma clang loop unroll(full)
      for (int j = 0; j < VECTORS; j++) right[j] = LOAD(STEP_VEC, b + j * sizeof(STEP_VEC));
#pragma clang loop unroll(full)
      for (int64_t i = 0; i < height; i++) {
        const STEP_VEC left = (STEP_VEC)LOAD(STEP, a[i] + at);
#pragma clang loop unroll(full)
        for (int j = 0; j < VECTORS; j++) sums[i][j] = MULTIPLY_ADD(left, right[j], sums[i][j]);
      }
      if (fetches) __builtin_prefetch(next, 0, 2);
      next += next_step;
      at += sizeof(STEP);
      b += VECTORS * sizeof(STEP_VEC);
    }
  }
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++) {
    char *c = window->c[row + i] + window->c_offset;
    if (window->columns == WIDTH) {
      NAME(gemm_store)(1, sums + i, c, 0, window->accumulate);
    } else {
      LANE edge[WIDTH];
      NAME(gemm_store)(1, sums + i, (char *)edge, 0, false);
      NAME(gemm_store_edge)(1, window->columns, edge, c, 0, window->accumulate);
    }
  }
}

#define WINDOW_TILE(height)                                                                                   \
  static void NAME(gemm_window_##height)(const cj_gemm_window *window, int64_t row) {                         \
    NAME(gemm_window_tile)(height, false, window, row, NULL, 0);                                              \
  }                                                                                                           \
  static void NAME(gemm_window_fetch_##height)(const cj_gemm_window *window, int64_t row, const char *next,   \
                                               int64_t step) {                                                \
    NAME(gemm_window_tile)(height, true, window, row, next, step);                                            \
  }
TILES(WINDOW_TILE)

static void NAME(gemm_multiply_window)(const cj_gemm_window *window) {
#define WINDOWS(height) NAME(gemm_window_##height),
#define FETCHES(height) NAME(gemm_window_fetch_##height),
  static void (*const tiles[HEIGHT])(const cj_gemm_window *window, int64_t row) = {TILES(WINDOWS)};
  static void (*const fetching[HEIGHT])(const cj_gemm_window *window, int64_t row, const char *next,
                                        int64_t step) = {TILES(FETCHES)};
  const int64_t count = cj_ceil_div(window->rows, HEIGHT), height = window->rows / count;
  const int64_t share = cj_ceil_div(window->next_bytes, 64 * count) * 64;
  const int64_t step = (int64_t)(VECTORS * sizeof(STEP_VEC)) / count;
  int64_t row = 0;
  for (int64_t i = 0; i < count; i++) {
    const int64_t rows = height + (i < window->rows % count);
    // Few tiles would wait for so much at once.
    if (window->next_bytes > 0 && count <= FETCHING_TILES) {
      fetching[rows - 1](window, row, window->next + i * share, step);
    } else {
      for (int64_t at = i * share; at < cj_min64(window->next_bytes, (i + 1) * share); at += 64)
        __builtin_prefetch(window->next + at);
      tiles[rows - 1](window, row);
    }
    row += rows;
  }
}

#undef WINDOW_TILE
#undef WINDOWS
#undef FETCHES
