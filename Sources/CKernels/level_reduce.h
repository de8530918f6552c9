// One block of a reduction, included once for float32 and once for float64 with
//   LANE, VEC  the type of a value and of a vector, which has
//   LANE_COUNT values
//   NAME(x)    x with the type's suffix
// Independent accumulators and a tree over them and over their lanes; the order
// depends on the block's shape alone.

#define COUNT ((int64_t)(sizeof(VEC) / sizeof(LANE)))
#define CHAINS 8  // hides the latency of addition (3 or 4 cycles, two a cycle)
#define FEW 4     // vectors of columns whose sums stay in registers

#define COMBINE(op, a, b)                                             \
  ((op) == CJ_SUM       ? (a) + (b)                                   \
   : (op) == CJ_PRODUCT ? (a) * (b)                                   \
   : (op) == CJ_MAX     ? ((a) != (a) ? (a) : ((a) > (b) ? (a) : (b))) \
                        : ((a) != (a) ? (a) : ((a) < (b) ? (a) : (b))))

INLINE VEC NAME(combine)(cj_reduction op, VEC a, VEC b) { return COMBINE(op, a, b); }

INLINE LANE NAME(identity)(cj_reduction op) {
  switch (op) {
    case CJ_SUM: return 0;
    case CJ_PRODUCT: return 1;
    case CJ_MAX: return -(LANE)__builtin_inf();
    default: return (LANE)__builtin_inf();
  }
}

// Halves, then halves again.
INLINE LANE NAME(combine_lanes)(cj_reduction op, VEC total) {
#if LANE_COUNT == 16
  const __auto_type eight = COMBINE(op, total.lo, total.hi);
#elif LANE_COUNT == 8
  const VEC eight = total;
#endif
#if LANE_COUNT >= 8
  const __auto_type four = COMBINE(op, eight.lo, eight.hi);
#elif LANE_COUNT == 4
  const VEC four = total;
#endif
#if LANE_COUNT >= 4
  const __auto_type two = COMBINE(op, four.lo, four.hi);
#else
  const VEC two = total;
#endif
  return COMBINE(op, two[0], two[1]);
}

// `count` values and the identity in the other lanes. Reads a whole vector where it may.
INLINE VEC NAME(load_part)(cj_reduction op, const LANE *in, int64_t count, bool readable) {
  VEC values = (VEC)NAME(identity)(op);
  if (readable) {
    const VEC loaded = LOAD(VEC, in);
    NAME(mask) lane;
#pragma clang loop unroll(full)
    for (int i = 0; i < COUNT; i++) lane[i] = i;
    return lane < (NAME(mask))count ? loaded : values;
  }
  memcpy(&values, in, (size_t)count * sizeof(LANE));
  return values;
}

// Values of a row, or of its product with another.
INLINE VEC NAME(values_at)(const LANE *in, const LANE *times, int64_t i) {
  const VEC values = LOAD(VEC, in + i);
  return times ? values * LOAD(VEC, times + i) : values;
}

INLINE LANE NAME(reduce_row)(cj_reduction op, int64_t n, const LANE *in, const LANE *times, int64_t readable) {
  VEC total = (VEC)NAME(identity)(op);
  int64_t i = 0;
  if (n >= CHAINS * COUNT) {
    VEC sums[CHAINS];
#pragma clang loop unroll(full)
    for (int j = 0; j < CHAINS; j++) sums[j] = NAME(values_at)(in, times, j * COUNT);
    for (i = CHAINS * COUNT; i + CHAINS * COUNT <= n; i += CHAINS * COUNT) {
#pragma clang loop unroll(full)
      for (int j = 0; j < CHAINS; j++)
        sums[j] = NAME(combine)(op, sums[j], NAME(values_at)(in, times, i + j * COUNT));
    }
#pragma clang loop unroll(full)
    for (int half = CHAINS / 2; half > 0; half /= 2)
#pragma clang loop unroll(full)
      for (int j = 0; j < half; j++) sums[j] = NAME(combine)(op, sums[j], sums[j + half]);
    total = sums[0];
  }
  for (; i + COUNT <= n; i += COUNT) total = NAME(combine)(op, total, NAME(values_at)(in, times, i));
  if (i < n) {
    const bool whole = i + COUNT <= readable;
    VEC part = NAME(load_part)(op, in + i, n - i, whole);
    if (times) part *= NAME(load_part)(CJ_PRODUCT, times + i, n - i, whole);
    total = NAME(combine)(op, total, part);
  }
  return NAME(combine_lanes)(op, total);
}

INLINE void NAME(rows_of)(cj_reduction op, int64_t rows, int64_t n, int64_t stride, const LANE *in,
                          const LANE *times, LANE *out) {
  for (int64_t row = 0; row < rows; row++) 
    out[row] = NAME(reduce_row)(op, n, in + row * stride, times ? times + row * stride : NULL,
                                (rows - row - 1) * stride + n);
}

static void NAME(reduce_rows)(cj_reduction op, int64_t rows, int64_t n, int64_t stride,
                              const void *in, void *out) {
  switch (op) {
    case CJ_SUM: NAME(rows_of)(CJ_SUM, rows, n, stride, in, NULL, out); break;
    case CJ_PRODUCT: NAME(rows_of)(CJ_PRODUCT, rows, n, stride, in, NULL, out); break;
    case CJ_MAX: NAME(rows_of)(CJ_MAX, rows, n, stride, in, NULL, out); break;
    case CJ_MIN: NAME(rows_of)(CJ_MIN, rows, n, stride, in, NULL, out); break;
  }
}

static void NAME(sum_products)(int64_t rows, int64_t n, int64_t stride, const void *in, const void *times, void *out) {
  NAME(rows_of)(CJ_SUM, rows, n, stride, in, times, out);
}

// Rows added to the sums in `out`, each column in the order of rows; `first`: the first row
// starts them. A few vectors of columns at a time, whose sums stay in registers. Lanes beyond
// `columns` are the next row's, read only where there is memory to read, and dropped.
INLINE void NAME(fold_few)(cj_reduction op, int vectors, int64_t rows, int64_t columns, int64_t stride,
                           int64_t readable, const LANE *in, const LANE *times, LANE *out, bool first) {
  const int64_t rest = (columns - (vectors - 1) * COUNT) * (int64_t)sizeof(LANE);
  VEC sums[FEW];
  for (int64_t row = 0; row < rows; row++) {
    const LANE *from = in + row * stride, *by = times ? times + row * stride : NULL;
    const bool whole = row * stride + vectors * COUNT <= readable;
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
      VEC value;
      if (whole || j < vectors - 1) value = NAME(values_at)(from, by, j * COUNT);
      else value = LOAD_SOME(VEC, from + j * COUNT, rest) * (by ? LOAD_SOME(VEC, by + j * COUNT, rest) : 1);
      if (row > 0) sums[j] = NAME(combine)(op, sums[j], value);
      else if (first) sums[j] = value;
      else if (j < vectors - 1) sums[j] = NAME(combine)(op, LOAD(VEC, out + j * COUNT), value);
      else sums[j] = NAME(combine)(op, LOAD_SOME(VEC, out + j * COUNT, rest), value);
    }
  }
#pragma clang loop unroll(full)
  for (int j = 0; j < vectors - 1; j++) STORE(out + j * COUNT, sums[j]);
  STORE_SOME(out + (vectors - 1) * COUNT, sums[vectors - 1], rest);
}

// Wide columns go along rows, as prefetching likes it.
INLINE void NAME(fold_wide)(cj_reduction op, int64_t rows, int64_t columns, int64_t stride,
                            const LANE *in, const LANE *times, LANE *out, bool first) {
#pragma clang loop unroll_count(4)
  for (int64_t column = 0; column < columns; column += COUNT) {
    VEC sum = first ? NAME(values_at)(in, times, column) : LOAD(VEC, out + column);
    for (int64_t row = first; row < rows; row++)
      sum = NAME(combine)(op, sum, NAME(values_at)(in, times, row * stride + column));
    STORE(out + column, sum);
  }
}

INLINE void NAME(columns_of)(cj_reduction op, int64_t rows, int64_t columns, int64_t stride,
                             int64_t readable, const LANE *in, const LANE *times, LANE *out, bool first) {
  enum { ROWS = 8 };
  const int64_t wide = columns <= FEW * COUNT ? 0 : columns / COUNT * COUNT;
  for (int64_t row = 0; wide > 0 && row < rows; row += ROWS) {
    const LANE *from = in + row * stride, *by = times ? times + row * stride : NULL;
    const int64_t count = cj_min64(ROWS, rows - row);
    if (row == 0 && first) NAME(fold_wide)(op, count, wide, stride, from, by, out, true);
    else if (count == ROWS) NAME(fold_wide)(op, ROWS, wide, stride, from, by, out, false);
    else if (count == 1) NAME(fold_wide)(op, 1, wide, stride, from, by, out, false);
    else NAME(fold_wide)(op, count, wide, stride, from, by, out, false);
  }
  const int64_t rest = columns - wide;
  in += wide, out += wide, readable -= wide;
  times = times ? times + wide : NULL;
  switch ((rest + COUNT - 1) / COUNT) {
    case 1: NAME(fold_few)(op, 1, rows, rest, stride, readable, in, times, out, first); break;
    case 2: NAME(fold_few)(op, 2, rows, rest, stride, readable, in, times, out, first); break;
    case 3: NAME(fold_few)(op, 3, rows, rest, stride, readable, in, times, out, first); break;
    case 4: NAME(fold_few)(op, 4, rows, rest, stride, readable, in, times, out, first); break;
  }
}

static void NAME(fold_columns)(cj_reduction op, int64_t rows, int64_t columns, int64_t stride,
                               int64_t readable, const void *in, void *out, bool first) {
  switch (op) {
    case CJ_SUM: NAME(columns_of)(CJ_SUM, rows, columns, stride, readable, in, NULL, out, first); break;
    case CJ_PRODUCT: NAME(columns_of)(CJ_PRODUCT, rows, columns, stride, readable, in, NULL, out, first); break;
    case CJ_MAX: NAME(columns_of)(CJ_MAX, rows, columns, stride, readable, in, NULL, out, first); break;
    case CJ_MIN: NAME(columns_of)(CJ_MIN, rows, columns, stride, readable, in, NULL, out, first); break;
  }
}

static void NAME(fold_products)(int64_t rows, int64_t columns, int64_t stride, int64_t readable, const void *in,
                                const void *times, void *out, bool first) {
  NAME(columns_of)(CJ_SUM, rows, columns, stride, readable, in, times, out, first);
}

#undef COUNT
#undef COMBINE
#undef CHAINS
#undef FEW
