// The inner kernels of matrix products, included once for float32 and once for
// float64 with LANE, VEC and NAME(x) as in level_reduce.h. The scheme is that of
// Goto & van de Geijn, Anatomy of High-Performance Matrix Multiplication (2008),
// with the micro kernel of BLIS (Van Zee & van de Geijn, 2015): a tile of C
// stays in registers while a column of packed A meets a row of packed B.

#define COUNT ((int64_t)(sizeof(VEC) / sizeof(LANE)))

// The tile fills the register file but for B's vectors and A's broadcasts.
#if LEVEL_REGISTERS == 32 && LEVEL_BYTES == 64
#define HEIGHT 12
#define VECTORS 2
#elif LEVEL_REGISTERS == 32
#define HEIGHT 6
#define VECTORS 4
#elif LEVEL_HAS_FMA
#define HEIGHT 6
#define VECTORS 2
#else
#define HEIGHT 4  // a product takes a register of its own
#define VECTORS 2
#endif
#define WIDTH (VECTORS * COUNT)

static void NAME(gemm_micro)(int64_t k, const void *packed_a, const void *packed_b, void *c_,
                             int64_t ldc, int64_t rows, int64_t columns, bool accumulate) {
  const LANE *a = packed_a, *b = packed_b;
  LANE *c = c_;
  VEC sums[HEIGHT][VECTORS];
#pragma clang loop unroll(full)
  for (int i = 0; i < HEIGHT; i++) {
#pragma clang loop unroll(full)
    for (int j = 0; j < VECTORS; j++) sums[i][j] = (VEC)(LANE)0;
  }
#pragma clang loop unroll_count(4)
  for (int64_t p = 0; p < k; p++, a += HEIGHT, b += WIDTH) {
    VEC row[VECTORS];
#pragma clang loop unroll(full)
    for (int j = 0; j < VECTORS; j++) row[j] = LOAD(VEC, b + j * COUNT);
#pragma clang loop unroll(full)
    for (int i = 0; i < HEIGHT; i++) {
      const VEC left = (VEC)a[i];
#pragma clang loop unroll(full)
      for (int j = 0; j < VECTORS; j++) sums[i][j] = FMA_F(left, row[j], sums[i][j]);
    }
  }
  if (rows == HEIGHT && columns == WIDTH) {
#pragma clang loop unroll(full)
    for (int i = 0; i < HEIGHT; i++) {
#pragma clang loop unroll(full)
      for (int j = 0; j < VECTORS; j++) {
        LANE *to = c + i * ldc + j * COUNT;
        STORE(to, accumulate ? LOAD(VEC, to) + sums[i][j] : sums[i][j]);
      }
    }
    return;
  }
  LANE edge[HEIGHT][WIDTH];
  __builtin_memcpy(edge, sums, sizeof edge);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      c[i * ldc + j] = accumulate ? c[i * ldc + j] + edge[i][j] : edge[i][j];
}

// One panel of `size` lines, `lines` of them from memory, the rest zero.
INLINE void NAME(pack_panel)(int64_t size, int64_t lines, int64_t k, const LANE *source,
                             int64_t line_stride, int64_t depth_stride, LANE *packed) {
  const int64_t bytes = sizeof(LANE);
  if (lines < size) memset(packed, 0, (size_t)(size * k * bytes));
  if (depth_stride == 1) {
    cj_transpose_block((int32_t)bytes, k, lines, (const char *)source, line_stride * bytes,
                       (char *)packed, size * bytes);
  } else {
    for (int64_t p = 0; p < k; p++)
      for (int64_t line = 0; line < lines; line++)
        packed[p * size + line] = source[p * depth_stride + line * line_stride];
  }
}

INLINE void NAME(pack_panels)(int64_t size, int64_t count, int64_t k, const LANE *source,
                              int64_t line_stride, int64_t depth_stride, LANE *packed) {
  int64_t whole = 0;
  if (line_stride == 1) {  // along the rows of memory, into all panels at once
    whole = count / size * size;
    for (int64_t p = 0; p < k; p++)
      for (int64_t line = 0; line < whole; line += size)
        __builtin_memcpy(packed + line * k + p * size, source + p * depth_stride + line,
                         (size_t)size * sizeof(LANE));
  }
  for (int64_t line = whole; line < count; line += size)
    NAME(pack_panel)(size, cj_min64(size, count - line), k, source + line * line_stride,
                     line_stride, depth_stride, packed + line * k);
}

static void NAME(gemm_pack_a)(int64_t count, int64_t k, const void *source, int64_t line_stride,
                              int64_t depth_stride, void *packed) {
  NAME(pack_panels)(HEIGHT, count, k, source, line_stride, depth_stride, packed);
}

static void NAME(gemm_pack_b)(int64_t count, int64_t k, const void *source, int64_t line_stride,
                              int64_t depth_stride, void *packed) {
  NAME(pack_panels)(WIDTH, count, k, source, line_stride, depth_stride, packed);
}

// Four rows of B at a time, so that c is read and written once for four products;
// each element still adds its products one by one in the order of p.
INLINE VEC NAME(add_rows)(VEC sum, int64_t rows, const LANE *a, const VEC *values) {
  for (int64_t p = 0; p < rows; p++) sum = FMA_F((VEC)a[p], values[p], sum);
  return sum;
}

INLINE void NAME(rows_block)(int64_t n, int64_t rows, const LANE *a, const LANE *b, int64_t ldb,
                             LANE *c, bool accumulate) {
  VEC values[4];
  int64_t j = 0;
  for (; j + COUNT <= n; j += COUNT) {
    for (int64_t p = 0; p < rows; p++) values[p] = LOAD(VEC, b + p * ldb + j);
    VEC sum = accumulate ? LOAD(VEC, c + j) : (VEC)(LANE)0;
    STORE(c + j, NAME(add_rows)(sum, rows, a, values));
  }
  if (j < n) {
    const int64_t bytes = (n - j) * (int64_t)sizeof(LANE);
    for (int64_t p = 0; p < rows; p++) values[p] = LOAD_SOME(VEC, b + p * ldb + j, bytes);
    VEC sum = (VEC)(LANE)0;
    if (accumulate) sum = LOAD_SOME(VEC, c + j, bytes);
    STORE_SOME(c + j, NAME(add_rows)(sum, rows, a, values), bytes);
  }
}

static void NAME(gemm_rows)(int64_t n, int64_t k, const void *a_, const void *b_, int64_t ldb,
                            void *c, bool accumulate) {
  const LANE *a = a_, *b = b_;
  int64_t p = 0;
  for (; p + 4 <= k; p += 4)
    NAME(rows_block)(n, 4, a + p, b + p * ldb, ldb, c, accumulate || p > 0);
  for (; p < k; p++) NAME(rows_block)(n, 1, a + p, b + p * ldb, ldb, c, accumulate || p > 0);
}

// `outputs` dot products that share the loads of a.
INLINE void NAME(dots_block)(int64_t outputs, int64_t k, const LANE *a, const LANE *b, int64_t ldb,
                             LANE *c) {
  enum { CHAINS = 2 };
  VEC sums[4][CHAINS];
#pragma clang loop unroll(full)
  for (int64_t j = 0; j < outputs; j++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) sums[j][i] = (VEC)(LANE)0;
  }
  int64_t p = 0;
  for (; p + CHAINS * COUNT <= k; p += CHAINS * COUNT) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) {
      const VEC left = LOAD(VEC, a + p + i * COUNT);
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < outputs; j++)
        sums[j][i] = FMA_F(left, LOAD(VEC, b + j * ldb + p + i * COUNT), sums[j][i]);
    }
  }
  for (; p < k; p += COUNT) {
    const int64_t bytes = cj_min64(COUNT, k - p) * (int64_t)sizeof(LANE);
    const VEC left = LOAD_SOME(VEC, a + p, bytes);
    for (int64_t j = 0; j < outputs; j++) {
      const VEC right = LOAD_SOME(VEC, b + j * ldb + p, bytes);
      sums[j][0] = FMA_F(left, right, sums[j][0]);
    }
  }
  for (int64_t j = 0; j < outputs; j++)
    c[j] = NAME(combine_lanes)(CJ_SUM, sums[j][0] + sums[j][1]);
}

static void NAME(gemm_dots)(int64_t n, int64_t k, const void *a, const void *b_, int64_t ldb, void *c_) {
  const LANE *b = b_;
  LANE *c = c_;
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) NAME(dots_block)(4, k, a, b + j * ldb, ldb, c + j);
  for (; j < n; j++) NAME(dots_block)(1, k, a, b + j * ldb, ldb, c + j);
}

static const cj_gemm_kernels NAME(gemm_kernels) = {
    .height = HEIGHT,
    .width = WIDTH,
    .micro = NAME(gemm_micro),
    .pack_a = NAME(gemm_pack_a),
    .pack_b = NAME(gemm_pack_b),
    .vector_rows = NAME(gemm_rows),
    .vector_dots = NAME(gemm_dots),
};

#undef COUNT
#undef HEIGHT
#undef VECTORS
#undef WIDTH
