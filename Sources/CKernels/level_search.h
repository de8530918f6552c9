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
