// The tiles of weights' gradients of small windows, included by level_matmul.h: steps are positions, of which a line is
// read where it lies. Each row meets its own positions, all columns the same.

#define MOST_POSITION_ROWS 12

// `height` rows from `row` on; `b` is that of the panel at `column`.
INLINE void NAME(positions_tile)(int64_t height, int64_t vectors, const cj_gemm_positions *part, int64_t row,
                                 int64_t column) {
  const char *a[MOST_POSITION_ROWS];
  VEC sums[MOST_POSITION_ROWS][VECTORS];
  char *to = part->sums + row * part->sums_line + column * (int64_t)sizeof(LANE);
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++) {
    a[i] = part->a + part->offsets[row + i];
#pragma clang loop unroll(full)
    for (int64_t j = 0; j < vectors; j++) sums[i][j] = LOAD(VEC, to + i * part->sums_line + j * sizeof(VEC));
  }
  const int64_t a_step = part->a_step, b_step = part->b_step;
  // What is needed next: the panel behind, or behind the last the first of what follows these lines.
  const bool is_last = column + vectors * COUNT >= part->columns;
  const int64_t next = is_last ? part->lines * part->b_line - column * (int64_t)sizeof(LANE) : WIDTH * sizeof(LANE);
  for (int64_t line = 0; line < part->lines; line++) {
    const char *b = part->b + line * part->b_line + column * (int64_t)sizeof(LANE);
    int64_t at = line * part->a_line;
    for (int64_t p = part->positions; p > 0; p--) {
      STEP_VEC right[VECTORS];
      __builtin_prefetch(b + next);
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < vectors; j++) right[j] = LOAD(STEP_VEC, b + j * sizeof(STEP_VEC));
#pragma clang loop unroll(full)
      for (int64_t i = 0; i < height; i++) {
        const STEP_VEC left = (STEP_VEC)LOAD(STEP, a[i] + at);
#pragma clang loop unroll(full)
        for (int64_t j = 0; j < vectors; j++) sums[i][j] = MULTIPLY_ADD(left, right[j], sums[i][j]);
      }
      at += a_step;
      b += b_step;
    }
  }
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++)
#pragma clang loop unroll(full)
    for (int64_t j = 0; j < vectors; j++) STORE(to + i * part->sums_line + j * sizeof(VEC), sums[i][j]);
}

#define WIDE_TILE(height)                                                                                  \
  static void NAME(positions_wide_##height)(const cj_gemm_positions *part, int64_t row, int64_t column) {   \
    NAME(positions_tile)(height, VECTORS, part, row, column);                                              \
  }
#define NARROW_TILE(height)                                                                                \
  static void NAME(positions_narrow_##height)(const cj_gemm_positions *part, int64_t row, int64_t column) { \
    NAME(positions_tile)(height, 1, part, row, column);                                                    \
  }
// Rows of one vector: as many as there are registers for their pointers.
#define NARROW_TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
TILES(WIDE_TILE)
NARROW_TILES(NARROW_TILE)

static void NAME(gemm_multiply_positions)(const cj_gemm_positions *part) {
#define WIDE(height) NAME(positions_wide_##height),
#define NARROW(height) NAME(positions_narrow_##height),
  static void (*const wide[])(const cj_gemm_positions *part, int64_t row, int64_t column) = {TILES(WIDE)};
  static void (*const narrow[])(const cj_gemm_positions *part, int64_t row, int64_t column) = {NARROW_TILES(NARROW)};
  for (int64_t column = 0; column < part->columns; column += WIDTH) {
    const bool is_narrow = part->columns - column <= COUNT;
    const int64_t count = cj_ceil_div(part->rows, is_narrow ? (int64_t)(sizeof narrow / sizeof *narrow) : HEIGHT);
    for (int64_t i = 0, row = 0; i < count; i++) {
      const int64_t rows = part->rows / count + (i < part->rows % count);
      (is_narrow ? narrow : wide)[rows - 1](part, row, column);
      row += rows;
    }
  }
}

#undef WIDE_TILE
#undef NARROW_TILE
#undef NARROW_TILES
#undef MOST_POSITION_ROWS
#undef WIDE
#undef NARROW
