// One block of a reduction, included once for float32 and once for float64 with
//   LANE, VEC  the type of a value and of a vector
//   NAME(x)    x with the type's suffix
// Independent accumulators and a tree over them and over their lanes; the order
// depends on the block's shape alone.

#define COUNT ((int64_t)(sizeof(VEC) / sizeof(LANE)))
#define CHAINS 8         // hides the latency of addition (3 or 4 cycles, two a cycle)
#define NARROW_CHAINS 4  // of rows, where one vector holds all columns

INLINE VEC NAME(combine)(cj_reduction op, VEC a, VEC b) {
  switch (op) {
    case CJ_SUM: return a + b;
    case CJ_PRODUCT: return a * b;
    case CJ_MAX: return a != a ? a : (a > b ? a : b);
    default: return a != a ? a : (a < b ? a : b);
  }
}

INLINE LANE NAME(identity)(cj_reduction op) {
  switch (op) {
    case CJ_SUM: return 0;
    case CJ_PRODUCT: return 1;
    case CJ_MAX: return -(LANE)__builtin_inf();
    default: return (LANE)__builtin_inf();
  }
}

// Halves, then halves again: the upper lanes are brought down and combined.
INLINE LANE NAME(combine_lanes)(cj_reduction op, VEC total) {
  for (int64_t half = COUNT / 2; half > 0; half /= 2) {
    LANE lanes[COUNT];
    STORE(lanes, total);
    VEC upper = total;
    __builtin_memcpy(&upper, lanes + half, (size_t)half * sizeof(LANE));
    total = NAME(combine)(op, total, upper);
  }
  return total[0];
}

INLINE LANE NAME(reduce_row)(cj_reduction op, int64_t n, const LANE *in) {
  VEC total = (VEC)NAME(identity)(op);
  int64_t i = 0;
  if (n >= CHAINS * COUNT) {
    VEC sums[CHAINS];
#pragma clang loop unroll(full)
    for (int j = 0; j < CHAINS; j++) sums[j] = LOAD(VEC, in + j * COUNT);
    for (i = CHAINS * COUNT; i + CHAINS * COUNT <= n; i += CHAINS * COUNT) {
#pragma clang loop unroll(full)
      for (int j = 0; j < CHAINS; j++)
        sums[j] = NAME(combine)(op, sums[j], LOAD(VEC, in + i + j * COUNT));
    }
#pragma clang loop unroll(full)
    for (int half = CHAINS / 2; half > 0; half /= 2)
#pragma clang loop unroll(full)
      for (int j = 0; j < half; j++) sums[j] = NAME(combine)(op, sums[j], sums[j + half]);
    total = sums[0];
  }
  for (; i + COUNT <= n; i += COUNT) total = NAME(combine)(op, total, LOAD(VEC, in + i));
  if (i < n) {
    VEC rest = (VEC)NAME(identity)(op);
    memcpy(&rest, in + i, (size_t)(n - i) * sizeof(LANE));
    total = NAME(combine)(op, total, rest);
  }
  return NAME(combine_lanes)(op, total);
}

INLINE void NAME(rows_of)(cj_reduction op, int64_t rows, int64_t n, int64_t stride, const LANE *in,
                          LANE *out) {
  for (int64_t row = 0; row < rows; row++) out[row] = NAME(reduce_row)(op, n, in + row * stride);
}

static void NAME(reduce_rows)(cj_reduction op, int64_t rows, int64_t n, int64_t stride,
                              const void *in, void *out) {
  switch (op) {
    case CJ_SUM: NAME(rows_of)(CJ_SUM, rows, n, stride, in, out); break;
    case CJ_PRODUCT: NAME(rows_of)(CJ_PRODUCT, rows, n, stride, in, out); break;
    case CJ_MAX: NAME(rows_of)(CJ_MAX, rows, n, stride, in, out); break;
    case CJ_MIN: NAME(rows_of)(CJ_MIN, rows, n, stride, in, out); break;
  }
}

// Columns of one vector. Lanes beyond `columns` are the next row's, read only
// where there is memory to read, and dropped.
INLINE void NAME(narrow_columns)(cj_reduction op, int64_t rows, int64_t columns, int64_t stride,
                                 int64_t readable, const LANE *in, LANE *out) {
  VEC sums[NARROW_CHAINS];
#pragma clang loop unroll(full)
  for (int j = 0; j < NARROW_CHAINS; j++) sums[j] = (VEC)NAME(identity)(op);
  int64_t row = 0;
  for (; row + NARROW_CHAINS <= rows && (row + NARROW_CHAINS - 1) * stride + COUNT <= readable;
       row += NARROW_CHAINS) {
#pragma clang loop unroll(full)
    for (int j = 0; j < NARROW_CHAINS; j++)
      sums[j] = NAME(combine)(op, sums[j], LOAD(VEC, in + (row + j) * stride));
  }
  for (; row < rows; row++) {
    VEC value = LOAD_SOME(VEC, in + row * stride, columns * (int64_t)sizeof(LANE));
    VEC combined = NAME(combine)(op, sums[row % NARROW_CHAINS], value);
    sums[row % NARROW_CHAINS] = combined;
  }
  VEC total = NAME(combine)(op, NAME(combine)(op, sums[0], sums[2]),
                            NAME(combine)(op, sums[1], sums[3]));
  STORE_SOME(out, total, columns * (int64_t)sizeof(LANE));
}

INLINE void NAME(columns_of)(cj_reduction op, int64_t rows, int64_t columns, int64_t stride,
                             int64_t readable, const LANE *in, LANE *out) {
  enum { VECTORS = 4 };
  int64_t column = 0;
  for (; column + VECTORS * COUNT <= columns; column += VECTORS * COUNT) {
    VEC sums[VECTORS];
#pragma clang loop unroll(full)
    for (int j = 0; j < VECTORS; j++) sums[j] = LOAD(VEC, in + column + j * COUNT);
    for (int64_t row = 1; row < rows; row++) {
#pragma clang loop unroll(full)
      for (int j = 0; j < VECTORS; j++)
        sums[j] = NAME(combine)(op, sums[j], LOAD(VEC, in + row * stride + column + j * COUNT));
    }
#pragma clang loop unroll(full)
    for (int j = 0; j < VECTORS; j++) STORE(out + column + j * COUNT, sums[j]);
  }
  for (; column < columns; column += COUNT)
    NAME(narrow_columns)(op, rows, cj_min64(COUNT, columns - column), stride, readable - column,
                         in + column, out + column);
}

static void NAME(reduce_columns)(cj_reduction op, int64_t rows, int64_t columns, int64_t stride,
                                 int64_t readable, const void *in, void *out) {
  switch (op) {
    case CJ_SUM: NAME(columns_of)(CJ_SUM, rows, columns, stride, readable, in, out); break;
    case CJ_PRODUCT: NAME(columns_of)(CJ_PRODUCT, rows, columns, stride, readable, in, out); break;
    case CJ_MAX: NAME(columns_of)(CJ_MAX, rows, columns, stride, readable, in, out); break;
    case CJ_MIN: NAME(columns_of)(CJ_MIN, rows, columns, stride, readable, in, out); break;
  }
}

#undef COUNT
#undef CHAINS
#undef NARROW_CHAINS
