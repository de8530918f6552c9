// Conversions: between compute types (casts), from memory (loads), to memory
// (stores), and the rounding of a register to a narrower dtype.

#define CONVERT_LOOP(name, DT, AT, expression)                       \
  static void name(int64_t n, void *dst, const void *src) {          \
    DT *d = dst;                                                     \
    const AT *s = src;                                               \
    for (int64_t i = 0; i < n; i++) {                                \
      AT a = s[i];                                                   \
      d[i] = (expression);                                           \
    }                                                                \
  }

#define CONVERT_VECTORS(name, DT, DV, AT, AV, expression)            \
  static void name(int64_t n, void *dst, const void *src) {          \
    enum { COUNT = sizeof(AV) / sizeof(AT) };                        \
    DT *d = dst;                                                     \
    const AT *s = src;                                               \
    int64_t i = 0;                                                   \
    for (; i + COUNT <= n; i += COUNT) {                             \
      AV a = LOAD(AV, s + i);                                        \
      STORE(d + i, ((DV)(expression)));                              \
    }                                                                \
    if (i < n) {                                                     \
      AV a = LOAD_SOME(AV, s + i, (n - i) * (int64_t)sizeof(AT));    \
      STORE_SOME(d + i, ((DV)(expression)), (n - i) * (int64_t)sizeof(DT)); \
    }                                                                \
  }

// Float to integer truncates and saturates; NaN gives 0. The bounds are powers
// of two, exact in either float type.
#define SATURATE(a, T, limit, lowest, highest) \
  ((a) >= (limit) ? (highest) : (a) <= -(limit) ? (lowest) : (a) == (a) ? (T)(a) : 0)

CONVERT_LOOP(copy_4, uint32_t, uint32_t, a)
CONVERT_LOOP(copy_8, uint64_t, uint64_t, a)
CONVERT_LOOP(copy_1, uint8_t, uint8_t, a)
CONVERT_LOOP(f32_to_f64, double, float, (double)a)
CONVERT_LOOP(f32_to_i32, int32_t, float, SATURATE(a, int32_t, 0x1p31f, INT32_MIN, INT32_MAX))
CONVERT_LOOP(f32_to_i64, int64_t, float, SATURATE(a, int64_t, 0x1p63f, INT64_MIN, INT64_MAX))
CONVERT_LOOP(f32_to_b8, uint8_t, float, a != 0)
CONVERT_LOOP(f64_to_f32, float, double, (float)a)
CONVERT_LOOP(f64_to_i32, int32_t, double, SATURATE(a, int32_t, 0x1p31, INT32_MIN, INT32_MAX))
CONVERT_LOOP(f64_to_i64, int64_t, double, SATURATE(a, int64_t, 0x1p63, INT64_MIN, INT64_MAX))
CONVERT_LOOP(f64_to_b8, uint8_t, double, a != 0)
CONVERT_LOOP(i32_to_f32, float, int32_t, (float)a)
CONVERT_LOOP(i32_to_f64, double, int32_t, (double)a)
CONVERT_LOOP(i32_to_i64, int64_t, int32_t, (int64_t)a)
CONVERT_LOOP(i32_to_b8, uint8_t, int32_t, a != 0)
CONVERT_LOOP(i64_to_f32, float, int64_t, (float)a)
CONVERT_LOOP(i64_to_f64, double, int64_t, (double)a)
CONVERT_LOOP(i64_to_i32, int32_t, int64_t, (int32_t)a)
CONVERT_LOOP(i64_to_b8, uint8_t, int64_t, a != 0)
CONVERT_LOOP(b8_to_f32, float, uint8_t, (float)a)
CONVERT_LOOP(b8_to_f64, double, uint8_t, (double)a)
CONVERT_LOOP(b8_to_i32, int32_t, uint8_t, a)
CONVERT_LOOP(b8_to_i64, int64_t, uint8_t, a)

CONVERT_LOOP(load_i8, int32_t, int8_t, a)
CONVERT_LOOP(load_i16, int32_t, int16_t, a)
CONVERT_VECTORS(load_f16, float, vf, uint16_t, vh, half_to_float(a))
CONVERT_VECTORS(load_bf16, float, vf, uint16_t, vh, bfloat_to_float(a))
CONVERT_LOOP(store_8, int8_t, int32_t, (int8_t)a)
CONVERT_LOOP(store_16, int16_t, int32_t, (int16_t)a)
CONVERT_VECTORS(store_f16, uint16_t, vh, float, vf, float_to_half(a))
CONVERT_VECTORS(store_bf16, uint16_t, vh, float, vf, float_to_bfloat(a))
CONVERT_LOOP(round_u8, int32_t, int32_t, (uint8_t)a)
CONVERT_LOOP(round_i8, int32_t, int32_t, (int8_t)a)
CONVERT_LOOP(round_i16, int32_t, int32_t, (int16_t)a)
CONVERT_VECTORS(round_f16, float, vf, float, vf, half_to_float(float_to_half(a)))
CONVERT_VECTORS(round_bf16, float, vf, float, vf, bfloat_to_float(float_to_bfloat(a)))

#define CAST_TABLE                                                                        \
  {                                                                                       \
    [CJ_F32] = {copy_4, f32_to_f64, f32_to_i32, f32_to_i64, f32_to_b8},                   \
    [CJ_F64] = {f64_to_f32, copy_8, f64_to_i32, f64_to_i64, f64_to_b8},                   \
    [CJ_I32] = {i32_to_f32, i32_to_f64, copy_4, i32_to_i64, i32_to_b8},                   \
    [CJ_I64] = {i64_to_f32, i64_to_f64, i64_to_i32, copy_8, i64_to_b8},                   \
    [CJ_B8] = {b8_to_f32, b8_to_f64, b8_to_i32, b8_to_i64, copy_1},                       \
  }
#define LOAD_TABLE \
  {copy_1, b8_to_i32, load_i8, load_i16, copy_4, copy_8, load_f16, load_bf16, copy_4, copy_8}
#define STORE_TABLE \
  {copy_1, store_8, store_8, store_16, copy_4, copy_8, store_f16, store_bf16, copy_4, copy_8}
#define ROUND_TABLE \
  {copy_1, round_u8, round_i8, round_i16, copy_4, copy_8, round_f16, round_bf16, copy_4, copy_8}
