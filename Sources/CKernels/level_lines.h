// The tiles of convolutions with small windows, included by level_matmul.h: neighbours along a line of results meet all
// columns before the next. All weights stay in the first-level cache, results are written once and in order.

// Where columns are fewer than `length` lanes: the first `whole` positions are written with what is beyond, which
// belongs to the next position.
static __attribute__((noinline)) void NAME(line_store_edge)(int64_t height, int64_t length, const VEC (*sums)[VECTORS],
                                                            int64_t whole, int64_t columns, char *c, int64_t c_step) {
  for (int64_t i = 0; i < height; i++)
    memcpy(c + i * c_step, sums[i], (size_t)(i < whole ? length : columns) * sizeof(LANE));
}

// `vectors` of a panel's, at `height` positions from `position` on.
INLINE void NAME(line_tile)(int64_t height, int64_t vectors, const cj_gemm_line *line, int64_t position) {
  enum { THIRDS = (2 * HEIGHT + 2) / 3 };  // every third position; see gemm_tile
  const int64_t a_step = line->a_step, c_step = line->c_step, all = line->columns;
  const char *a[THIRDS], *b = line->b;
  char *c = line->c + position * c_step;
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i += 3) {
    a[i / 3] = line->a + (position + i) * a_step;
    __asm__("" : "+r"(a[i / 3]));
  }
  const bool follows = all <= WIDTH && c_step == all * (int64_t)sizeof(LANE);
  const int64_t whole = follows ? line->positions - position + 1 - cj_ceil_div(vectors * COUNT, all) : 0;
  for (int64_t column = 0; column < all; column += WIDTH, b += line->b_panel, c += WIDTH * sizeof(LANE)) {
    VEC sums[2 * HEIGHT][VECTORS];
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < height; i++) {
      __builtin_prefetch(c + (height + i) * c_step, 1);  // of the next tile
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < vectors; j++) sums[i][j] = (VEC)(LANE)0;
    }
    for (int64_t p = 0; p < line->steps; p++) {
      const char *const panel = b + p * (int64_t)(WIDTH * sizeof(STEP));
      const int64_t offset = line->offsets[p];
      STEP_VEC right[VECTORS];
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < vectors; j++) right[j] = LOAD(STEP_VEC, panel + j * sizeof(STEP_VEC));
#pragma clang loop unroll(full)
      for (int64_t i = 0; i < height; i++) {
        const STEP_VEC left = (STEP_VEC)LOAD(STEP, a[i / 3] + offset + i % 3 * a_step);
#pragma clang loop unroll(full)
        for (int64_t j = 0; j < vectors; j++) sums[i][j] = MULTIPLY_ADD(left, right[j], sums[i][j]);
      }
    }
    if (all - column < vectors * COUNT && whole < height) {
      VEC edge[2 * HEIGHT][VECTORS];
#pragma clang loop unroll(full)
      for (int64_t i = 0; i < height; i++)
#pragma clang loop unroll(full)
        for (int64_t j = 0; j < vectors; j++) edge[i][j] = sums[i][j];
      NAME(line_store_edge)(height, vectors * COUNT, edge, whole, all - column, c, c_step);
      continue;
    }
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < height; i++)
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < vectors; j++) STORE(c + i * c_step + j * sizeof(VEC), sums[i][j]);
  }
}

// Where one vector holds all columns, the tile has twice as many positions.
#define LINE_TILE(height)                                                           \
  static void NAME(line_wide_##height)(const cj_gemm_line *line, int64_t position) { \
    NAME(line_tile)(height, VECTORS, line, position);                               \
  }                                                                                 \
  static void NAME(line_low_##height)(const cj_gemm_line *line, int64_t position) { \
    NAME(line_tile)(height, 1, line, position);                                     \
  }                                                                                 \
  static void NAME(line_high_##height)(const cj_gemm_line *line, int64_t position) { \
    NAME(line_tile)(HEIGHT + height, 1, line, position);                            \
  }
TILES(LINE_TILE)

static void NAME(gemm_multiply_line)(const cj_gemm_line *line) {
#define WIDE(height) NAME(line_wide_##height),
#define LOW(height) NAME(line_low_##height),
#define HIGH(height) NAME(line_high_##height),
  static void (*const wide[])(const cj_gemm_line *line, int64_t position) = {TILES(WIDE)};
  static void (*const narrow[])(const cj_gemm_line *line, int64_t position) = {TILES(LOW) TILES(HIGH)};
  const bool is_narrow = line->columns <= COUNT;
  const int64_t count = cj_ceil_div(line->positions, is_narrow ? 2 * HEIGHT : HEIGHT);
  const int64_t height = line->positions / count, higher = line->positions % count;
  int64_t position = 0;
  for (int64_t i = 0; i < count; i++) {
    const int64_t positions = height + (i < higher);
    (is_narrow ? narrow : wide)[positions - 1](line, position);
    position += positions;
  }
}

#undef LINE_TILE
#undef WIDE
#undef LOW
#undef HIGH
