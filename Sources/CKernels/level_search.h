// Whether a block holds a NaN or an infinity: all ones in the exponent.

static bool nonfinite_f32(int64_t n, const void *values) {
  vi found = 0;
  const float *v = values;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) found |= ~(__builtin_elementwise_abs(LOAD(vf, v + i)) < __builtin_inff());
  if (i < n)
    found |= ~(__builtin_elementwise_abs(LOAD_SOME(vf, v + i, (n - i) * 4)) < __builtin_inff());
  return __builtin_reduce_or(found) != 0;
}

static bool nonfinite_f64(int64_t n, const void *values) {
  nl found = 0;
  const double *v = values;
  int64_t i = 0;
  for (; i + WIDE_LANES <= n; i += WIDE_LANES)
    found |= ~(__builtin_elementwise_abs(LOAD(nd, v + i)) < __builtin_inf());
  if (i < n) found |= ~(__builtin_elementwise_abs(LOAD_SOME(nd, v + i, (n - i) * 8)) < __builtin_inf());
  return __builtin_reduce_or(found) != 0;
}

static bool nonfinite_16(int64_t n, const void *values, uint16_t exponent_mask) {
  const uint16_t *v = values;
  int found = 0;
  for (int64_t i = 0; i < n; i++) found |= (v[i] & exponent_mask) == exponent_mask;
  return found != 0;
}

// The first of n values that comes before the one of bits `limit`, in ascending order or descending, or n. Floats
// compare as their bits do, those of negative ones turned over: a NaN may seem to come before, and a zero before one of
// the other sign. Blocks of which none does are passed over.
#define FIRST_BEFORE(NAME, TYPE, ORDERED)                                                  \
  static int64_t NAME(int64_t n, const void *values, int64_t limit, bool descending) {     \
    const TYPE *v = values;                                                                \
    const TYPE flip = descending ? (TYPE)-1 : 0, last = (TYPE)limit, bound = ORDERED(last) ^ flip; \
    enum { BLOCK = 32 };                                                                   \
    int64_t i = 0;                                                                         \
    for (; i + BLOCK <= n; i += BLOCK) {                                                   \
      TYPE found = 0;                                                                      \
      for (int64_t j = 0; j < BLOCK; j++) found |= (TYPE)(ORDERED(v[i + j]) ^ flip) < bound; \
      if (found) break;                                                                    \
    }                                                                                      \
    while (i < n && (TYPE)(ORDERED(v[i]) ^ flip) >= bound) i++;                            \
    return i;                                                                              \
  }
#define AS_IT_IS(x) (x)
#define TURNED_16(x) ((x) ^ ((x) >> 15 & 0x7FFF))
#define TURNED_32(x) ((x) ^ ((x) >> 31 & 0x7FFFFFFF))
#define TURNED_64(x) ((x) ^ ((x) >> 63 & 0x7FFFFFFFFFFFFFFF))
FIRST_BEFORE(first_before_i8, int8_t, AS_IT_IS)
FIRST_BEFORE(first_before_u8, uint8_t, AS_IT_IS)
FIRST_BEFORE(first_before_i16, int16_t, AS_IT_IS)
FIRST_BEFORE(first_before_i32, int32_t, AS_IT_IS)
FIRST_BEFORE(first_before_i64, int64_t, AS_IT_IS)
FIRST_BEFORE(first_before_f16, int16_t, TURNED_16)
FIRST_BEFORE(first_before_f32, int32_t, TURNED_32)
FIRST_BEFORE(first_before_f64, int64_t, TURNED_64)
#undef AS_IT_IS
#undef TURNED_16
#undef TURNED_32
#undef TURNED_64
#undef FIRST_BEFORE

// Memory that is not read soon: written without being read first, and without driving out what is.
static void stream(int64_t bytes, void *dst, const void *src) {
  char *to = dst;
  const char *from = src;
  const int64_t head = cj_min64(bytes, -(intptr_t)dst & (LEVEL_BYTES - 1));
  memcpy(to, from, (size_t)head);
  int64_t i = head;
  for (; i + LEVEL_BYTES <= bytes; i += LEVEL_BYTES)
    __builtin_nontemporal_store(LOAD(vi, from + i), (vi *)(to + i));
  memcpy(to + i, from + i, (size_t)(bytes - i));
}
