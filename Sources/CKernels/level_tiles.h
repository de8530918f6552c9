// The loops behind the opcodes: one function for each opcode and compute type.
// The last, partial vector of a tile goes through the same vector code, padded,
// so an element's bits do not depend on where it stands. An operand whose mask is
// 0 is one vector of equal values, read again and again.

// Each goes a block of vectors at a time: as much as a uniform operand holds, so that within a block
// all operands are read alike, and from block to block pointers move by their mask.
#define BLOCKS(V) ((int64_t)(CJ_UNIFORM_BYTES / sizeof(V)))

// How whole vectors of a block are written.
#define PUT STORE

#define TILE1(name, DT, DV, AT, AV, expression)                                                     \
  static void name(int64_t n, void *dst, const void *pa, const void *pb, const void *pc,            \
                   const int64_t *masks) {                                                          \
    enum { COUNT = sizeof(AV) / sizeof(AT) };                                                       \
    const int64_t am = masks[0];                                                                    \
    DT *d = dst;                                                                                    \
    const AT *ap = pa;                                                                              \
    int64_t i = 0;                                                                                  \
    (void)pb, (void)pc;                                                                             \
    for (; i + BLOCKS(AV) * COUNT <= n; i += BLOCKS(AV) * COUNT, ap += BLOCKS(AV) * COUNT & am) {   \
      _Pragma("clang loop unroll_count(2)") for (int64_t j = 0; j < BLOCKS(AV) * COUNT; j += COUNT) { \
        AV a = LOAD(AV, ap + j);                                                                    \
        PUT(d + i + j, ((DV)(expression)));                                                       \
      }                                                                                             \
    }                                                                                               \
    for (; i + COUNT <= n; i += COUNT, ap += COUNT & am) {                                          \
      AV a = LOAD(AV, ap);                                                                          \
      STORE(d + i, ((DV)(expression)));                                                             \
    }                                                                                               \
    if (i < n) {                                                                                    \
      AV a = LOAD_SOME(AV, ap, (n - i) * (int64_t)sizeof(AT));                                      \
      STORE_SOME(d + i, ((DV)(expression)), (n - i) * (int64_t)sizeof(DT));                         \
    }                                                                                               \
  }

// A function of many instructions: vectors go one by one.
#define FUNCTION1(name, T, V, expression)                                                           \
  static void name(int64_t n, void *dst, const void *pa, const void *pb, const void *pc,            \
                   const int64_t *masks) {                                                          \
    enum { COUNT = sizeof(V) / sizeof(T) };                                                         \
    const int64_t step = COUNT & masks[0];                                                          \
    T *d = dst;                                                                                     \
    const T *ap = pa;                                                                               \
    int64_t i = 0;                                                                                  \
    (void)pb, (void)pc;                                                                             \
    for (; i + COUNT <= n; i += COUNT, ap += step) {                                                \
      V a = LOAD(V, ap);                                                                            \
      PUT(d + i, ((V)(expression)));                                                                \
    }                                                                                               \
    if (i < n) {                                                                                    \
      V a = LOAD_SOME(V, ap, (n - i) * (int64_t)sizeof(T));                                         \
      STORE_SOME(d + i, ((V)(expression)), (n - i) * (int64_t)sizeof(T));                           \
    }                                                                                               \
  }

#define TILE2(name, DT, DV, AT, AV, expression)                                                     \
  static void name(int64_t n, void *dst, const void *pa, const void *pb, const void *pc,            \
                   const int64_t *masks) {                                                          \
    enum { COUNT = sizeof(AV) / sizeof(AT) };                                                       \
    const int64_t am = masks[0], bm = masks[1];                                                     \
    DT *d = dst;                                                                                    \
    const AT *ap = pa, *bp = pb;                                                                    \
    int64_t i = 0;                                                                                  \
    (void)pc;                                                                                       \
    for (; i + BLOCKS(AV) * COUNT <= n; i += BLOCKS(AV) * COUNT) {                                  \
      _Pragma("clang loop unroll(full)") for (int64_t j = 0; j < BLOCKS(AV) * COUNT; j += COUNT) {  \
        AV a = LOAD(AV, ap + j), b = LOAD(AV, bp + j);                                              \
        PUT(d + i + j, ((DV)(expression)));                                                       \
      }                                                                                             \
      ap += BLOCKS(AV) * COUNT & am, bp += BLOCKS(AV) * COUNT & bm;                                 \
    }                                                                                               \
    for (; i + COUNT <= n; i += COUNT, ap += COUNT & am, bp += COUNT & bm) {                        \
      AV a = LOAD(AV, ap), b = LOAD(AV, bp);                                                        \
      STORE(d + i, ((DV)(expression)));                                                             \
    }                                                                                               \
    if (i < n) {                                                                                    \
      AV a = LOAD_SOME(AV, ap, (n - i) * (int64_t)sizeof(AT));                                      \
      AV b = LOAD_SOME(AV, bp, (n - i) * (int64_t)sizeof(AT));                                      \
      STORE_SOME(d + i, ((DV)(expression)), (n - i) * (int64_t)sizeof(DT));                         \
    }                                                                                               \
  }

#define TILE3(name, T, V, AT, AV, expression)                                                       \
  static void name(int64_t n, void *dst, const void *pa, const void *pb, const void *pc,            \
                   const int64_t *masks) {                                                          \
    enum { COUNT = sizeof(V) / sizeof(T) };                                                         \
    const int64_t am = masks[0], bm = masks[1], cm = masks[2];                                      \
    T *d = dst;                                                                                     \
    const AT *ap = pa;                                                                              \
    const T *bp = pb, *cp = pc;                                                                     \
    int64_t i = 0;                                                                                  \
    for (; i + BLOCKS(V) * COUNT <= n; i += BLOCKS(V) * COUNT) {                                    \
      _Pragma("clang loop unroll(full)") for (int64_t j = 0; j < BLOCKS(V) * COUNT; j += COUNT) {   \
        AV a = LOAD(AV, ap + j);                                                                    \
        V b = LOAD(V, bp + j), c = LOAD(V, cp + j);                                                 \
        PUT(d + i + j, ((V)(expression)));                                                        \
      }                                                                                             \
      ap += BLOCKS(V) * COUNT & am, bp += BLOCKS(V) * COUNT & bm, cp += BLOCKS(V) * COUNT & cm;     \
    }                                                                                               \
    for (; i + COUNT <= n; i += COUNT, ap += COUNT & am, bp += COUNT & bm, cp += COUNT & cm) {      \
      AV a = LOAD(AV, ap);                                                                          \
      V b = LOAD(V, bp), c = LOAD(V, cp);                                                           \
      STORE(d + i, ((V)(expression)));                                                              \
    }                                                                                               \
    if (i < n) {                                                                                    \
      AV a = LOAD_SOME(AV, ap, (n - i) * (int64_t)sizeof(AT));                                      \
      V b = LOAD_SOME(V, bp, (n - i) * (int64_t)sizeof(T));                                         \
      V c = LOAD_SOME(V, cp, (n - i) * (int64_t)sizeof(T));                                         \
      STORE_SOME(d + i, ((V)(expression)), (n - i) * (int64_t)sizeof(T));                           \
    }                                                                                               \
  }

// One element at a time, for what has no vector form.
#define LANEWISE1(name, T, expression)                                                       \
  static void name(int64_t n, void *dst, const void *pa, const void *pb, const void *pc,     \
                   const int64_t *masks) {                                                   \
    T *d = dst;                                                                              \
    const T *ap = pa;                                                                        \
    (void)pb, (void)pc;                                                                      \
    for (int64_t i = 0; i < n; i++) {                                                        \
      T a = ap[i & masks[0]];                                                                \
      d[i] = (expression);                                                                   \
    }                                                                                        \
  }
#define LANEWISE2(name, T, expression)                                                       \
  static void name(int64_t n, void *dst, const void *pa, const void *pb, const void *pc,     \
                   const int64_t *masks) {                                                   \
    T *d = dst;                                                                              \
    const T *ap = pa, *bp = pb;                                                              \
    (void)pc;                                                                                \
    for (int64_t i = 0; i < n; i++) {                                                        \
      T a = ap[i & masks[0]], b = bp[i & masks[1]];                                          \
      d[i] = (expression);                                                                   \
    }                                                                                        \
  }

// ---------------------------------------------------------------- floats

#define ONE_NAN(a, b) ((a) != (a) ? (a) : (b))

#define FLOAT_TILES(x, T, V, B)                                                              \
  TILE2(add_##x, T, V, T, V, a + b)                                                          \
  TILE2(subtract_##x, T, V, T, V, a - b)                                                     \
  TILE2(multiply_##x, T, V, T, V, a *b)                                                      \
  TILE2(divide_##x, T, V, T, V, a / b)                                                       \
  TILE3(multiply_add_##x, T, V, T, V, a *b + c)                                              \
  TILE2(floor_divide_##x, T, V, T, V, __builtin_elementwise_floor(a / b))                    \
  TILE2(maximum_##x, T, V, T, V, ONE_NAN(a, (a > b ? a : b)))                                \
  TILE2(minimum_##x, T, V, T, V, ONE_NAN(a, (a < b ? a : b)))                                \
  TILE1(negate_##x, T, V, T, V, -a)                                                          \
  TILE1(abs_##x, T, V, T, V, __builtin_elementwise_abs(a))                                   \
  TILE1(sign_##x, T, V, T, V,                                                                \
        ONE_NAN(a, (a > (T)0 ? (V)(T)1 : (V)(T)0) - (a < (T)0 ? (V)(T)1 : (V)(T)0)))         \
  TILE1(sqrt_##x, T, V, T, V, __builtin_elementwise_sqrt(a))                                 \
  TILE1(rsqrt_##x, T, V, T, V, (T)1 / __builtin_elementwise_sqrt(a))                         \
  TILE1(floor_##x, T, V, T, V, __builtin_elementwise_floor(a))                               \
  TILE1(ceil_##x, T, V, T, V, __builtin_elementwise_ceil(a))                                 \
  TILE1(round_even_##x, T, V, T, V, __builtin_elementwise_roundeven(a))

#define COMPARE_TILES(x, T, V, B)                                                            \
  TILE2(equal_##x, int8_t, B, T, V, CONVERT(a == b, B) & 1)                                  \
  TILE2(not_equal_##x, int8_t, B, T, V, CONVERT(a != b, B) & 1)                              \
  TILE2(less_##x, int8_t, B, T, V, CONVERT(a < b, B) & 1)                                    \
  TILE2(less_equal_##x, int8_t, B, T, V, CONVERT(a <= b, B) & 1)                             \
  TILE2(greater_##x, int8_t, B, T, V, CONVERT(a > b, B) & 1)                                 \
  TILE2(greater_equal_##x, int8_t, B, T, V, CONVERT(a >= b, B) & 1)

FLOAT_TILES(f32, float, vf, vb)
FLOAT_TILES(f64, double, nd, nb)
COMPARE_TILES(f32, float, vf, vb)
COMPARE_TILES(f64, double, nd, nb)
COMPARE_TILES(i32, int32_t, vi, vb)
COMPARE_TILES(i64, int64_t, nl, nb)
COMPARE_TILES(b8, uint8_t, vc, vc)
TILE3(select_f32, float, vf, int8_t, vb, CONVERT(a, vi) != 0 ? b : c)
TILE3(select_f64, double, nd, int8_t, nb, CONVERT(a, nl) != 0 ? b : c)
TILE3(select_i32, int32_t, vi, int8_t, vb, CONVERT(a, vi) != 0 ? b : c)
TILE3(select_i64, int64_t, nl, int8_t, nb, CONVERT(a, nl) != 0 ? b : c)
TILE3(select_b8, uint8_t, vc, uint8_t, vc, a != 0 ? b : c)

#define FUNCTION_TILES(x)                         \
  FUNCTION1(exp_##x, float, mf, exp_f(a))         \
  FUNCTION1(expm1_##x, float, mf, expm1_f(a))     \
  FUNCTION1(log_##x, float, mf, log_f(a))         \
  FUNCTION1(log1p_##x, float, mf, log1p_f(a))     \
  FUNCTION1(sin_##x, float, vf, sin_f(a))         \
  FUNCTION1(cos_##x, float, vf, cos_f(a))         \
  FUNCTION1(tanh_##x, float, mf, tanh_f(a))       \
  FUNCTION1(erf_##x, float, mf, erf_f(a))         \
  FUNCTION1(sigmoid_##x, float, mf, sigmoid_f(a))

FUNCTION_TILES(f32)
TILE2(power_f32, float, vf, float, vf, pow_f(a, b))
TILE2(remainder_f32, float, vf, float, vf, remainder_f(a, b))

LANEWISE1(exp_f64, double, exp(a))
LANEWISE1(expm1_f64, double, expm1(a))
LANEWISE1(log_f64, double, log(a))
LANEWISE1(log1p_f64, double, log1p(a))
LANEWISE1(sin_f64, double, sin(a))
LANEWISE1(cos_f64, double, cos(a))
LANEWISE1(tanh_f64, double, tanh(a))
LANEWISE1(erf_f64, double, erf(a))
LANEWISE1(sigmoid_f64, double, sigmoid_scalar(a))
LANEWISE2(power_f64, double, pow(a, b))

LANEWISE2(remainder_f64, double, remainder_scalar(a, b))

// ---------------------------------------------------------------- integers
// Wrapping arithmetic is done on unsigned lanes.

#define INTEGER_TILES(x, T, V, UT, U)                                                        \
  TILE2(add_##x, UT, U, UT, U, a + b)                                                        \
  TILE2(subtract_##x, UT, U, UT, U, a - b)                                                   \
  TILE2(multiply_##x, UT, U, UT, U, a *b)                                                    \
  TILE3(multiply_add_##x, UT, U, UT, U, a *b + c)                                            \
  TILE2(maximum_##x, T, V, T, V, __builtin_elementwise_max(a, b))                            \
  TILE2(minimum_##x, T, V, T, V, __builtin_elementwise_min(a, b))                            \
  TILE1(negate_##x, UT, U, UT, U, (U)0 - a)                                                  \
  TILE1(abs_##x, T, V, T, V, a < 0 ? AS(V, (U)0 - AS(U, a)) : a)                             \
  TILE1(sign_##x, T, V, T, V, (a < 0) - (a > 0))                                             \
  TILE2(and_##x, UT, U, UT, U, a &b)                                                         \
  TILE2(or_##x, UT, U, UT, U, a | b)                                                         \
  TILE2(xor_##x, UT, U, UT, U, a ^ b)                                                        \
  TILE1(not_##x, UT, U, UT, U, ~a)                                                           \
  static T floor_divide_scalar_##x(T a, T b) {                                               \
    if (b == 0) return 0;                                                                    \
    if (b == -1) return (T)(0 - (UT)a);                                                      \
    T quotient = a / b;                                                                      \
    return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;                     \
  }                                                                                          \
  static T remainder_scalar_##x(T a, T b) {                                                  \
    if (b == 0 || b == -1) return 0;                                                         \
    T rest = a % b;                                                                          \
    return (rest != 0 && (rest < 0) != (b < 0)) ? rest + b : rest;                           \
  }                                                                                          \
  static T power_scalar_##x(T base, T exponent) {                                            \
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;       \
    UT result = 1, square = (UT)base;                                                        \
    for (; exponent > 0; exponent >>= 1, square *= square)                                   \
      if (exponent & 1) result *= square;                                                    \
    return (T)result;                                                                        \
  }                                                                                          \
  LANEWISE2(floor_divide_##x, T, floor_divide_scalar_##x(a, b))                              \
  LANEWISE2(remainder_##x, T, remainder_scalar_##x(a, b))                                    \
  LANEWISE2(power_##x, T, power_scalar_##x(a, b))

INTEGER_TILES(i32, int32_t, vi, uint32_t, vu)
INTEGER_TILES(i64, int64_t, nl, uint64_t, nul)

TILE2(and_b8, uint8_t, vc, uint8_t, vc, a &b)
TILE2(or_b8, uint8_t, vc, uint8_t, vc, a | b)
TILE2(xor_b8, uint8_t, vc, uint8_t, vc, a ^ b)
TILE1(not_b8, uint8_t, vc, uint8_t, vc, a ^ 1)

// ---------------------------------------------------------------- past the caches
// float32 once more, where dst is aligned and not read soon: written without being read first, and
// without driving out what is.

#undef PUT
#define PUT(pointer, vector)                                                                   \
  ({                                                                                           \
    __typeof__(vector) put_ = vector;                                                          \
    typedef __typeof__(vector)                                                                 \
        __attribute__((aligned(sizeof put_ < CJ_LINE_BYTES ? sizeof put_ : CJ_LINE_BYTES))) put_to; \
    __builtin_nontemporal_store(put_, (put_to *)(pointer));                                    \
  })
FLOAT_TILES(f32_streamed, float, vf, vb)
FUNCTION_TILES(f32_streamed)
TILE3(select_f32_streamed, float, vf, int8_t, vb, CONVERT(a, vi) != 0 ? b : c)

#define FLOAT_TABLE(op, name) \
  [op] = {[CJ_F32] = name##_f32, [CJ_F64] = name##_f64}
#define NUMBER_TABLE(op, name)                             \
  [op] = {[CJ_F32] = name##_f32,                           \
          [CJ_F64] = name##_f64,                           \
          [CJ_I32] = name##_i32,                           \
          [CJ_I64] = name##_i64}
#define ORDER_TABLE(op, name, b8)                          \
  [op] = {[CJ_F32] = name##_f32,                           \
          [CJ_F64] = name##_f64,                           \
          [CJ_I32] = name##_i32,                           \
          [CJ_I64] = name##_i64,                           \
          [CJ_B8] = b8}
#define LOGIC_TABLE(op, name) \
  [op] = {[CJ_I32] = name##_i32, [CJ_I64] = name##_i64, [CJ_B8] = name##_b8}

#define TILE_TABLE                                         \
  {                                                        \
    ORDER_TABLE(CJ_ADD, add, or_b8),                       \
    NUMBER_TABLE(CJ_SUBTRACT, subtract),                   \
    ORDER_TABLE(CJ_MULTIPLY, multiply, and_b8),            \
    FLOAT_TABLE(CJ_DIVIDE, divide),                        \
    NUMBER_TABLE(CJ_MULTIPLY_ADD, multiply_add),           \
    NUMBER_TABLE(CJ_FLOOR_DIVIDE, floor_divide),           \
    NUMBER_TABLE(CJ_REMAINDER, remainder),                 \
    NUMBER_TABLE(CJ_POWER, power),                         \
    ORDER_TABLE(CJ_MAXIMUM, maximum, or_b8),               \
    ORDER_TABLE(CJ_MINIMUM, minimum, and_b8),              \
    NUMBER_TABLE(CJ_NEGATE, negate),                       \
    NUMBER_TABLE(CJ_ABS, abs),                             \
    NUMBER_TABLE(CJ_SIGN, sign),                           \
    FLOAT_TABLE(CJ_SQRT, sqrt),                            \
    FLOAT_TABLE(CJ_RSQRT, rsqrt),                          \
    FLOAT_TABLE(CJ_EXP, exp),                              \
    FLOAT_TABLE(CJ_EXPM1, expm1),                          \
    FLOAT_TABLE(CJ_LOG, log),                              \
    FLOAT_TABLE(CJ_LOG1P, log1p),                          \
    FLOAT_TABLE(CJ_SIN, sin),                              \
    FLOAT_TABLE(CJ_COS, cos),                              \
    FLOAT_TABLE(CJ_TANH, tanh),                            \
    FLOAT_TABLE(CJ_ERF, erf),                              \
    FLOAT_TABLE(CJ_SIGMOID, sigmoid),                      \
    FLOAT_TABLE(CJ_FLOOR, floor),                          \
    FLOAT_TABLE(CJ_CEIL, ceil),                            \
    FLOAT_TABLE(CJ_ROUND_EVEN, round_even),                \
    ORDER_TABLE(CJ_EQUAL, equal, equal_b8),                \
    ORDER_TABLE(CJ_NOT_EQUAL, not_equal, not_equal_b8),    \
    ORDER_TABLE(CJ_LESS, less, less_b8),                   \
    ORDER_TABLE(CJ_LESS_EQUAL, less_equal, less_equal_b8), \
    ORDER_TABLE(CJ_GREATER, greater, greater_b8),          \
    ORDER_TABLE(CJ_GREATER_EQUAL, greater_equal, greater_equal_b8), \
    LOGIC_TABLE(CJ_AND, and),                              \
    LOGIC_TABLE(CJ_OR, or),                                \
    LOGIC_TABLE(CJ_XOR, xor),                              \
    LOGIC_TABLE(CJ_NOT, not),                              \
    ORDER_TABLE(CJ_SELECT, select, select_b8),             \
  }

#define STREAM_TABLE                                                                                         \
  {                                                                                                          \
    [CJ_ADD] = add_f32_streamed, [CJ_SUBTRACT] = subtract_f32_streamed, [CJ_MULTIPLY] = multiply_f32_streamed, \
    [CJ_DIVIDE] = divide_f32_streamed, [CJ_MULTIPLY_ADD] = multiply_add_f32_streamed,                        \
    [CJ_FLOOR_DIVIDE] = floor_divide_f32_streamed, [CJ_MAXIMUM] = maximum_f32_streamed,                      \
    [CJ_MINIMUM] = minimum_f32_streamed, [CJ_NEGATE] = negate_f32_streamed, [CJ_ABS] = abs_f32_streamed,     \
    [CJ_SIGN] = sign_f32_streamed, [CJ_SQRT] = sqrt_f32_streamed, [CJ_RSQRT] = rsqrt_f32_streamed,           \
    [CJ_EXP] = exp_f32_streamed, [CJ_EXPM1] = expm1_f32_streamed, [CJ_LOG] = log_f32_streamed,               \
    [CJ_LOG1P] = log1p_f32_streamed, [CJ_SIN] = sin_f32_streamed, [CJ_COS] = cos_f32_streamed,               \
    [CJ_TANH] = tanh_f32_streamed, [CJ_ERF] = erf_f32_streamed, [CJ_SIGMOID] = sigmoid_f32_streamed,         \
    [CJ_FLOOR] = floor_f32_streamed, [CJ_CEIL] = ceil_f32_streamed,                                          \
    [CJ_ROUND_EVEN] = round_even_f32_streamed, [CJ_SELECT] = select_f32_streamed,                            \
  }
