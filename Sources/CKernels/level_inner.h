// Functions once more, of what another instruction makes for them alone: that does not go through memory, and
// arithmetic goes on while operands come from there. By the same expressions, and so with the same bits.

#undef FUNCTION1
#define FUNCTION1(name, T, V, expression)                                                              \
  static void name(int64_t n, void *dst, const void *pa, const void *pb, const void *pc,               \
                   const int64_t *masks) {                                                             \
    enum { COUNT = sizeof(V) / sizeof(T) };                                                            \
    const int64_t am = COUNT & masks[0], bm = COUNT & masks[1], cm = COUNT & masks[2];                 \
    T *d = dst;                                                                                        \
    const T *ap = pa, *bp = pb, *cp = pc;                                                              \
    int64_t i = 0;                                                                                     \
    for (; i + COUNT <= n; i += COUNT, ap += am, bp += bm, cp += cm) {                                 \
      const V a = ARGUMENT(LOAD(V, ap), LOAD(V, bp), LOAD(V, cp));                                     \
      PUT(d + i, ((V)(expression)));                                                                   \
    }                                                                                                  \
    if (i < n) {                                                                                       \
      const int64_t rest = (n - i) * (int64_t)sizeof(T);                                               \
      const V a = ARGUMENT(LOAD_SOME(V, ap, rest), LOAD_SOME(V, bp, rest), LOAD_SOME(V, cp, rest));    \
      STORE_SOME(d + i, ((V)(expression)), rest);                                                      \
    }                                                                                                  \
  }

#define ARGUMENT(a, b, c) ((a) * (b) + (c))
FUNCTION_TILES(of_multiply_add_streamed)
#undef ARGUMENT
#define ARGUMENT(a, b, c) ((void)(c), (a) - (b))
FUNCTION_TILES(of_subtract_streamed)

#undef PUT
#define PUT STORE
FUNCTION_TILES(of_subtract)
#undef ARGUMENT
#define ARGUMENT(a, b, c) ((a) * (b) + (c))
FUNCTION_TILES(of_multiply_add)

#define INNER(x)                                                                                          \
  {                                                                                                       \
    [CJ_EXP] = exp_##x, [CJ_EXPM1] = expm1_##x, [CJ_LOG] = log_##x, [CJ_LOG1P] = log1p_##x,               \
    [CJ_SIN] = sin_##x, [CJ_COS] = cos_##x, [CJ_TANH] = tanh_##x, [CJ_ERF] = erf_##x,                     \
    [CJ_SIGMOID] = sigmoid_##x,                                                                           \
  }
