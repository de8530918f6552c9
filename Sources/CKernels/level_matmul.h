// The tiles of matrix products, included once for each type that they multiply, with
//   LANE, VEC        a sum and a vector of them
//   STEP, STEP_VEC   what is multiplied at a time (see matmul.h)
//   MULTIPLY_ADD(a, b, sum)
//   NAME(x)
// A tile of C stays in registers while rows of A meet a panel of B (Van Zee & van de Geijn, BLIS, 2015).

#define COUNT ((int64_t)(sizeof(VEC) / sizeof(LANE)))

// The tile fills the register file but for B's vectors and A's broadcasts.
#if LEVEL_REGISTERS == 32 && LEVEL_BYTES == 64
#define HEIGHT 12
#define VECTORS 2
#define TILE_UNROLLED 1
#define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#elif LEVEL_REGISTERS == 32
#define HEIGHT 6
#define VECTORS 4
#define TILE_UNROLLED 1
#define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#elif LEVEL_HAS_FMA
#define HEIGHT 6
#define VECTORS 2
#define TILE_UNROLLED 4
#define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define HEIGHT 4  // a product takes a register of its own
#define VECTORS 2
#define TILE_UNROLLED 4
#define TILES(X) X(1) X(2) X(3) X(4)
#endif
#define WIDTH (VECTORS * COUNT)

INLINE void NAME(gemm_store)(int64_t height, VEC sums[][VECTORS], char *c, int64_t c_line, bool accumulate) {
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++) {
    LANE *to = (LANE *)(c + i * c_line);
#pragma clang loop unroll(full)
    for (int64_t j = 0; j < VECTORS; j++, to += COUNT)
      STORE(to, accumulate ? LOAD(VEC, to) + sums[i][j] : sums[i][j]);
  }
}

static __attribute__((noinline)) void NAME(gemm_store_edge)(int64_t height, int64_t columns, const LANE *sums, char *c,
                                                            int64_t c_line, bool accumulate) {
  for (int64_t i = 0; i < height; i++, sums += WIDTH, c += c_line)
    for (int64_t j = 0; j < columns; j++) ((LANE *)c)[j] = accumulate ? ((LANE *)c)[j] + sums[j] : sums[j];
}

// `height` rows of a panel from `row` on. Where it `fills` the panel, what that costs hides behind the arithmetic.
INLINE void NAME(gemm_tile)(int64_t height, bool fills, int64_t a_line, int64_t a_step, const cj_gemm_panel *panel,
                            int64_t row) {
  enum { THIRDS = (HEIGHT + 2) / 3 };
  const int64_t b_step = panel->b_step, c_line = panel->c_line;
  const int64_t source_step = panel->source_step;
  const char *b = fills ? panel->source : panel->b;
  char *filled = panel->filled;
  char *c = panel->c + row * c_line;
  // Every third row: the others are one line or two away, which addresses can say. (Left alone, the
  // compiler goes from row to row by additions.)
  const char *a[THIRDS];
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < THIRDS; i++) {
    a[i] = panel->a + (row + 3 * i) * a_line;
    __asm__("" : "+r"(a[i]));
  }
  VEC sums[HEIGHT][VECTORS];
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++) {
    __builtin_prefetch(c + i * c_line, 1);
#pragma clang loop unroll(full)
    for (int j = 0; j < VECTORS; j++) sums[i][j] = (VEC)(LANE)0;
  }
#pragma clang loop unroll_count(TILE_UNROLLED)
  for (int64_t p = panel->steps; p > 0; p--) {
    STEP_VEC right[VECTORS];
#pragma clang loop unroll(full)
    for (int j = 0; j < VECTORS; j++) {
      right[j] = LOAD(STEP_VEC, b + j * sizeof(STEP_VEC));
      if (fills) STORE(filled + j * sizeof(STEP_VEC), right[j]);
    }
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < height; i++) {
      const STEP_VEC left = (STEP_VEC)LOAD(STEP, a[i / 3] + i % 3 * a_line);
#pragma clang loop unroll(full)
      for (int j = 0; j < VECTORS; j++) sums[i][j] = MULTIPLY_ADD(left, right[j], sums[i][j]);
    }
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < THIRDS; i++) a[i] += a_step;
    b += fills ? source_step : b_step;
    if (fills) filled += WIDTH * sizeof(STEP);
  }
  if (panel->columns == WIDTH) {
    NAME(gemm_store)(height, sums, c, c_line, panel->accumulate);
  } else {
    LANE edge[HEIGHT * WIDTH];
    NAME(gemm_store)(height, sums, (char *)edge, WIDTH * sizeof(LANE), false);
    NAME(gemm_store_edge)(height, panel->columns, edge, c, c_line, panel->accumulate);
  }
}

#define TILE(height)                                                                 \
  static void NAME(gemm_lines_##height)(const cj_gemm_panel *panel, int64_t row) {   \
    NAME(gemm_tile)(height, false, panel->a_line, sizeof(STEP), panel, row);         \
  }                                                                                  \
  static void NAME(gemm_fills_##height)(const cj_gemm_panel *panel, int64_t row) {   \
    NAME(gemm_tile)(height, true, panel->a_line, sizeof(STEP), panel, row);          \
  }                                                                                  \
  static void NAME(gemm_columns_##height)(const cj_gemm_panel *panel, int64_t row) { \
    NAME(gemm_tile)(height, false, sizeof(STEP), panel->a_step, panel, row);         \
  }
TILES(TILE)

// As few tiles as there can be, and as even: none is so low that it waits for its sums.
static void NAME(gemm_multiply)(const cj_gemm_panel *panel) {
#define LINES(height) NAME(gemm_lines_##height),
#define COLUMNS(height) NAME(gemm_columns_##height),
#define FILLS(height) NAME(gemm_fills_##height),
  typedef void (*tile)(const cj_gemm_panel *panel, int64_t row);
  static const tile lines[] = {TILES(LINES)}, columns[] = {TILES(COLUMNS)}, fills[] = {TILES(FILLS)};
  const tile *const tiles = panel->a_step == sizeof(STEP) ? lines : columns;
  const int64_t count = cj_ceil_div(panel->rows, HEIGHT);
  const int64_t height = panel->rows / count, higher = panel->rows % count;
  const int64_t share = cj_ceil_div(panel->next_lines * panel->next_pieces, count);
  int64_t row = 0, line = 0, piece = 0;
  for (int64_t i = 0; i < count; i++) {
    for (int64_t q = 0; q < share && line < panel->next_lines; q++) {
      __builtin_prefetch(panel->next + line * panel->next_line + piece * 64);
      if (++piece < panel->next_pieces) continue;
      piece = 0;
      line++;
    }
    const int64_t rows = height + (i < higher);
    (i == 0 && panel->source ? fills : tiles)[rows - 1](panel, row);
    row += rows;
  }
}

#include "level_convolution.h"
#include "level_lines.h"
#include "level_positions.h"

#undef TILE
#undef TILE_UNROLLED
#undef TILES
#undef LINES
#undef COLUMNS
#undef FILLS

// rows[q] holds row q + LENGTH * l in its 16 bytes l; out[t] gets element t of every row, in order.
INLINE void NAME(gemm_transpose)(const STEP_VEC *rows, STEP_VEC *out) {
  if (sizeof(STEP) == 4) {
    const STEP_VEC low_a = ZIP_32_LOW(STEP_VEC, rows[0], rows[1]), high_a = ZIP_32_HIGH(STEP_VEC, rows[0], rows[1]);
    const STEP_VEC low_b = ZIP_32_LOW(STEP_VEC, rows[2], rows[3]), high_b = ZIP_32_HIGH(STEP_VEC, rows[2], rows[3]);
    out[0] = ZIP_64_LOW(STEP_VEC, low_a, low_b);
    out[1] = ZIP_64_HIGH(STEP_VEC, low_a, low_b);
    out[2] = ZIP_64_LOW(STEP_VEC, high_a, high_b);
    out[3] = ZIP_64_HIGH(STEP_VEC, high_a, high_b);
  } else {
    out[0] = ZIP_64_LOW(STEP_VEC, rows[0], rows[1]);
    out[1] = ZIP_64_HIGH(STEP_VEC, rows[0], rows[1]);
  }
}

#include "level_dots.h"
