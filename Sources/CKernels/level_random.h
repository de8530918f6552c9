// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, Parallel Random Numbers: As Easy
// as 1, 2, 3, SC 2011), a block a lane, and the distributions made from its words.

// The paper's multipliers and key increments (the golden ratio, sqrt(3) - 1).
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

static void philox_words(uint64_t key, uint64_t stream, uint64_t first, int64_t count,
                         uint32_t *words) {
  vu lanes;
  for (int lane = 0; lane < LANES; lane++) lanes[lane] = (uint32_t)lane;
  for (int64_t block = 0; block < count; block += LANES) {
    const wul counter = CONVERT(lanes, wul) + (first + (uint64_t)block);
    vu c0 = CONVERT(counter, vu), c1 = CONVERT(counter >> 32, vu);
    vu c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
      const wul p0 = CONVERT(c0, wul) * (uint64_t)PHILOX_M0;
      const wul p1 = CONVERT(c2, wul) * (uint64_t)PHILOX_M1;
      c0 = CONVERT(p1 >> 32, vu) ^ c1 ^ k0;
      c2 = CONVERT(p0 >> 32, vu) ^ c3 ^ k1;
      c1 = CONVERT(p1, vu);
      c3 = CONVERT(p0, vu);
    }
    // Words of a block stand together: (c0, c1) and (c2, c3) as 64-bit lanes, then zipped.
    const wul pair01 = CONVERT(c0, wul) | CONVERT(c1, wul) << 32;
    const wul pair23 = CONVERT(c2, wul) | CONVERT(c3, wul) << 32;
    const int64_t blocks_left = count - block < LANES ? count - block : LANES;
    uint64_t out[2 * LANES];
#if LEVEL_BYTES == 64
    STORE(out, __builtin_shufflevector(pair01, pair23, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    STORE(out + LANES, __builtin_shufflevector(pair01, pair23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
#elif LEVEL_BYTES == 32
    STORE(out, __builtin_shufflevector(pair01, pair23, 0, 8, 1, 9, 2, 10, 3, 11));
    STORE(out + LANES, __builtin_shufflevector(pair01, pair23, 4, 12, 5, 13, 6, 14, 7, 15));
#else
    STORE(out, __builtin_shufflevector(pair01, pair23, 0, 4, 1, 5));
    STORE(out + LANES, __builtin_shufflevector(pair01, pair23, 2, 6, 3, 7));
#endif
    if (blocks_left == LANES) __builtin_memcpy(words + 4 * block, out, sizeof out);
    else memcpy(words + 4 * block, out, (size_t)blocks_left * 16);
  }
}

// The word's top bits as a fraction: exact.
static void uniform_f32(int64_t n, const uint32_t *words, int32_t bits, float *out) {
  const float unit = 1.0f / (float)(1 << bits);
  for (int64_t i = 0; i < n; i++) out[i] = (float)(words[i] >> (32 - bits)) * unit;
}

// Box & Muller (1958) in float32. The angle is reduced to +- pi / 4 in integers, which is exact.
INLINE mf normal_pair(mu w0, mu w1) {
  mf u = CONVERT((CONVERT(w0, md) + 1.0) * 0x1p-32, mf);
  mu quadrant = (w1 + 0x20000000u) >> 30;
  mf r = CONVERT(AS(mi, w1 - (quadrant << 30)), mf) * 0x1.921fb6p-30f;  // 2 pi 2^-32
  mf z = r * r;
  // sin r = r + r^3 p(r^2), cos r = 1 - r^2/2 + r^4 q(r^2): the polynomials of level_math.h in float32
  mf p = 0x1.6cd5ecp-19f;
  p = FMA_F(p, z, (mf)-0x1.a00f94p-13f);
  p = FMA_F(p, z, (mf)0x1.111108p-7f);
  p = FMA_F(p, z, (mf)-0x1.555556p-3f);
  mf sine = FMA_F(r * z, p, r);
  mf q = -0x1.242902p-22f;
  q = FMA_F(q, z, (mf)0x1.a01118p-16f);
  q = FMA_F(q, z, (mf)-0x1.6c16b8p-10f);
  q = FMA_F(q, z, (mf)0x1.555554p-5f);
  mf cosine = FMA_F(z * z, q, FMA_F(z, (mf)-0.5f, (mf)1.0f));
  // cos(r + quadrant pi / 2) = cos r, -sin r, -cos r, sin r
  mf turned = (quadrant & 1) != 0 ? sine : cosine;
  mu negative = ((quadrant + 1) & 2) << 30;
  return __builtin_elementwise_sqrt(-2.0f * log_f(u)) * AS(mf, AS(mu, turned) ^ negative);
}

static void normal_f32(int64_t n, const uint32_t *words, float *out) {
  for (int64_t i = 0; i < n; i += MATH_LANES) {
    const int64_t count = n - i < MATH_LANES ? n - i : MATH_LANES;
    const mul pairs = count == MATH_LANES ? LOAD(mul, words + 2 * i) : LOAD_SOME(mul, words + 2 * i, count * 8);
    const mf values = normal_pair(CONVERT(pairs, mu), CONVERT(pairs >> 32, mu));
    if (count == MATH_LANES) STORE(out + i, values);
    else STORE_SOME(out + i, values, count * 4);
  }
}
