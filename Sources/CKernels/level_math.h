// Float32 functions on vectors, branch-free but for huge arguments of sin and
// cos. Reduction as in Cody & Waite, Software Manual for the Elementary
// Functions (1980); every polynomial is the minimax one (Remez exchange in 50
// digits, weighted for the error that the comment states) over the reduced
// range, its coefficients rounded to the lanes' type. Frequent functions
// compute in float32; the others in float64, which costs twice as much and
// gives correct rounding but for about one argument in a thousand.

// 1.5 * 2^23 and 1.5 * 2^52: adding them rounds to an integer, which then
// stands in the low bits.
#define ROUND_F 0x1.8p23f
#define ROUND_D 0x1.8p52

#define LOG2_E 0x1.71547652b82fep0
#define LN_2 0x1.62e42fefa39efp-1
// ln 2 in two parts; the high one has 15 bits, so that its product with an exponent is exact.
#define LN_2_HIGH_F 0x1.62e4p-1f
#define LN_2_LOW_F 0x1.7f7d1cp-20f

// ---------------------------------------------------------------- scalars

// Python's %: of the divisor's sign.
static double remainder_scalar(double a, double b) {
  double rest = fmod(a, b);
  if (rest == 0) return copysign(0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}
static float remainder_scalar_f(float a, float b) {
  float rest = fmodf(a, b);
  if (rest == 0) return copysignf(0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

// sigmoid never forms exp of a large positive number: it would lose the small results.
static double sigmoid_scalar(double x) {
  double e = exp(-fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

// ---------------------------------------------------------------- float32

// 2^(k) * m in two steps, because 2^k alone may overflow or be denormal.
INLINE vf scale_f(vf m, vi k) {
  vi half = k >> 1;
  return m * AS(vf, (half + 127) << 23) * AS(vf, (k - half + 127) << 23);
}

// Below -104 the result is zero, above 89 infinite: beyond, only the exponent would wrap.
// exp(x) = 2^k (1 + r + r^2 q(r)), |r| <= ln(2) / 2; q's error is 2^-28 of exp.
INLINE vf exp_f(vf x) {
  x = x > 89.0f ? (vf)89.0f : x;
  x = x < -104.0f ? (vf)-104.0f : x;
  vf shifted = FMA_F(x, (vf)(float)LOG2_E, (vf)ROUND_F);
  vf n = shifted - ROUND_F;
  vi k = AS(vi, shifted) - AS(vi, (vf)ROUND_F);
  vf high = FMA_F(n, (vf)-LN_2_HIGH_F, x), low = n * LN_2_LOW_F;
  vf r = high - low;
  vf q = 0x1.6dbc68p-10f;
  q = FMA_F(q, r, (vf)0x1.124148p-7f);
  q = FMA_F(q, r, (vf)0x1.555454p-5f);
  q = FMA_F(q, r, (vf)0x1.555486p-3f);
  q = FMA_F(q, r, (vf)0x1.0p-1f);
  vf sum = 1.0f + r;
  vf lost = (r - (sum - 1.0f)) + ((high - r) - low);  // what the sums rounded off
  return scale_f(sum + FMA_F(r * r, q, lost), k);
}

// x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); log(1 + f) = f - f^2/2 + f^3 p(f), p to 2^-30 of f.
INLINE vf log_f(vf x) {
  vi tiny = x < 0x1p-126f;
  vf scaled = tiny ? x * 0x1p23f : x;
  vi offset = AS(vi, scaled) - 0x3f3504f3;  // sqrt(1/2)
  vf k = CONVERT((offset >> 23) - (tiny & 23), vf);
  vf f = AS(vf, AS(vi, scaled) - (offset & (int32_t)0xff800000)) - 1.0f;
  vf p = 0x1.1b42bcp-4f;
  p = FMA_F(p, f, (vf)-0x1.e2e9b8p-4f);
  p = FMA_F(p, f, (vf)0x1.e650a6p-4f);
  p = FMA_F(p, f, (vf)-0x1.fb432ap-4f);
  p = FMA_F(p, f, (vf)0x1.2332c0p-3f);
  p = FMA_F(p, f, (vf)-0x1.5562e4p-3f);
  p = FMA_F(p, f, (vf)0x1.99a546p-3f);
  p = FMA_F(p, f, (vf)-0x1.ffffeep-3f);
  p = FMA_F(p, f, (vf)0x1.555546p-2f);
  vf square = f * f;
  vf low = FMA_F(square * f, p, k * LN_2_LOW_F);
  low = FMA_F(square, (vf)-0.5f, low);
  vf result = FMA_F(k, (vf)LN_2_HIGH_F, low + f);
  result = x < __builtin_inff() ? result : x;  // infinity and NaN
  result = x < 0.0f ? (vf)__builtin_nanf("") : result;
  return x == 0.0f ? (vf)-__builtin_inff() : result;
}

INLINE vf copy_sign(vf magnitude, vf sign) {
  return AS(vf, (AS(vu, magnitude) & 0x7fffffffu) | (AS(vu, sign) & 0x80000000u));
}

// Below 0.625 x + x^3 p(x^2), to 2^-32; above 1 - 2 / (exp(2 |x|) + 1).
INLINE vf tanh_f(vf x) {
  vf size = __builtin_elementwise_abs(x);
  vf z = x * x;
  vf p = 0x1.197b7cp-9f;
  p = FMA_F(p, z, (vf)-0x1.0c2146p-7f);
  p = FMA_F(p, z, (vf)0x1.6394dap-6f);
  p = FMA_F(p, z, (vf)-0x1.b9ef7cp-5f);
  p = FMA_F(p, z, (vf)0x1.11106cp-3f);
  p = FMA_F(p, z, (vf)-0x1.555554p-2f);
  vf small = FMA_F(x * z, p, x);
  vf large = 1.0f - 2.0f / (exp_f(size + size) + 1.0f);
  return copy_sign(size < 0.625f ? small : large, x);  // of -0 too
}

// Below 1 x + x p(x^2), to 2^-34; above 1 - erfc, erfc = exp of a polynomial, to 2^-35 of erf.
INLINE vf erf_f(vf x) {
  vf size = __builtin_elementwise_abs(x);
  vf z = x * x;
  vf p = -0x1.44cfc6p-17f;
  p = FMA_F(p, z, (vf)0x1.d8b890p-14f);
  p = FMA_F(p, z, (vf)-0x1.bcd7e0p-11f);
  p = FMA_F(p, z, (vf)0x1.562b1ap-8f);
  p = FMA_F(p, z, (vf)-0x1.b829d8p-6f);
  p = FMA_F(p, z, (vf)0x1.ce2f0ap-4f);
  p = FMA_F(p, z, (vf)-0x1.812746p-2f);
  p = FMA_F(p, z, (vf)0x1.06eba8p-3f);
  vf small = FMA_F(x, p, x);
  vf t = size > 4.0f ? (vf)4.0f : size;  // erf(4) rounds to 1
  vf q = -0x1.6bd7e0p-16f;
  q = FMA_F(q, t, (vf)0x1.cec5fep-12f);
  q = FMA_F(q, t, (vf)-0x1.138cbcp-8f);
  q = FMA_F(q, t, (vf)0x1.9d0304p-6f);
  q = FMA_F(q, t, (vf)-0x1.bc1516p-4f);
  q = FMA_F(q, t, (vf)-0x1.443566p-1f);
  q = FMA_F(q, t, (vf)-0x1.212c0cp+0f);
  q = FMA_F(q, t, (vf)0x1.8a5750p-13f);
  vf large = 1.0f - exp_f(q);
  return size < 1.0f ? small : copy_sign(large, x);
}

// exp(-|x|) over 1 + exp(-|x|), or 1 over it: small results keep their digits. The
// divisor's rounding is taken back to first order; 1 / divisor is the other result.
INLINE vf sigmoid_f(vf x) {
  vf e = exp_f(-__builtin_elementwise_abs(x));
  vf divisor = 1.0f + e, lost = e - (divisor - 1.0f);
  vi negative = x < 0.0f;
  vf quotient = (negative ? e : (vf)1.0f) / divisor;
  vf inverse = negative ? 1.0f - quotient : quotient;
  return FMA_F(-quotient * inverse, lost, quotient);
}

// ---------------------------------------------------------------- float32 by way of float64

// 2^k m; k stands in the low bits of `shifted` (ROUND_D).
INLINE wd scale_d(wd m, wd shifted) { return m * AS(wd, (AS(wl, shifted) + 1023) << 52); }

// exp(r) - 1, |r| <= ln(2) / 2, to 2^-37.
INLINE wd expm1_reduced(wd r) {
  wd q = 0x1.a17633d578c59p-16;
  q = FMA_F(q, r, (wd)0x1.a1708d3544e1bp-13);
  q = FMA_F(q, r, (wd)0x1.6c16382a751bbp-10);
  q = FMA_F(q, r, (wd)0x1.1110b16d1879bp-7);
  q = FMA_F(q, r, (wd)0x1.5555557d37690p-5);
  q = FMA_F(q, r, (wd)0x1.55555573b0a3dp-3);
  q = FMA_F(q, r, (wd)0x1.fffffffff44dep-2);
  return FMA_F(r * r, q, r);
}

INLINE vf expm1_f(vf value) {
  vf clamped = value > 89.0f ? (vf)89.0f : value;
  clamped = clamped < -40.0f ? (vf)-40.0f : clamped;  // exp(-40) is nothing beside 1
  wd x = CONVERT(clamped, wd);
  wd shifted = FMA_F(x, (wd)LOG2_E, (wd)ROUND_D);
  wd e = expm1_reduced(FMA_F(shifted - ROUND_D, (wd)-LN_2, x));
  wd power = scale_d((wd)1.0, shifted);
  wd result = FMA_F(power, e, power - 1.0);
  return value == 0.0f ? value : CONVERT(result, vf);
}

// x = 2^k m with sqrt(1/2) <= m < sqrt(2), for positive normal x.
INLINE wd split_d(wd x, wd *k) {
  wl offset = AS(wl, x) - 0x3fe6a09e667f3bcd;  // sqrt(1/2)
  // The biased exponent becomes a float64 by standing in the low bits of 2^52.
  wl biased = AS(wl, AS(wul, offset + (INT64_C(1024) << 52)) >> 52) | 0x4330000000000000;
  *k = AS(wd, biased) - (0x1p52 + 1024);
  return AS(wd, AS(wl, x) - (offset & (int64_t)0xfff0000000000000));
}

// log(1 + f) = 2 s + s^3 p(s^2) with s = f / (2 + f), to 2^-52.
INLINE wd log1p_reduced(wd f) {
  wd s = f / (f + 2.0);
  wd z = s * s;
  wd p = 0x1.58804bdd90648p-3;
  p = FMA_F(p, z, (wd)0x1.732b726697b0ep-3);
  p = FMA_F(p, z, (wd)0x1.c7227d585f353p-3);
  p = FMA_F(p, z, (wd)0x1.2492416ed1d13p-2);
  p = FMA_F(p, z, (wd)0x1.999999a2a06b8p-2);
  p = FMA_F(p, z, (wd)0x1.5555555553934p-1);
  return FMA_F(s * z, p, s + s);
}

INLINE vf log1p_f(vf value) {
  wd x = CONVERT(value, wd), k;
  wd m = split_d(x + 1.0, &k);
  // Where k is 0, m - 1 has lost bits that x still has.
  wd f = k == 0.0 ? x : m - 1.0;
  vf result = CONVERT(FMA_F(k, (wd)LN_2, log1p_reduced(f)), vf);
  result = value < __builtin_inff() ? result : value;
  result = value < -1.0f ? (vf)__builtin_nanf("") : result;
  result = value == -1.0f ? (vf)-__builtin_inff() : result;
  return value == 0.0f ? value : result;
}

// |x|^y = exp2(y log2 |x|); the special cases are those of C's pow.
INLINE vf pow_f(vf base, vf exponent) {
  vf size = __builtin_elementwise_abs(base);
  wd k;
  wd m = split_d(CONVERT(size, wd), &k);
  wd logarithm = FMA_F(log1p_reduced(m - 1.0), (wd)LOG2_E, k);
  wl zero = CONVERT(size == 0.0f, wl), finite = CONVERT(size < __builtin_inff(), wl);
  logarithm = zero ? (wd)-__builtin_inf() : logarithm;
  logarithm = finite ? logarithm : CONVERT(size, wd);
  wd power = CONVERT(exponent, wd) * logarithm;
  power = power > 200.0 ? (wd)200.0 : power;  // float32 ends at 2^128 and 2^-149
  power = power < -200.0 ? (wd)-200.0 : power;
  wd shifted = power + ROUND_D;
  wd e = expm1_reduced((power - (shifted - ROUND_D)) * LN_2);
  vf result = CONVERT(scale_d(1.0 + e, shifted), vf);

  vf half = exponent * 0.5f;  // exact but for denormals, which are no integers
  vi whole = __builtin_elementwise_floor(exponent) == exponent;
  vi odd = whole & (__builtin_elementwise_floor(half) != half);
  vi negative = AS(vi, base) < 0;
  vf signed_result = AS(vf, AS(vi, result) ^ (negative & odd & (int32_t)0x80000000));
  vi undefined = (base < 0.0f) & (base > -__builtin_inff()) & ~whole;
  signed_result = undefined ? (vf)__builtin_nanf("") : signed_result;
  vi one = (base == 1.0f) | (exponent == 0.0f) |
           ((base == -1.0f) & (__builtin_elementwise_abs(exponent) == __builtin_inff()));
  return one ? (vf)1.0f : signed_result;
}

// sin and cos of r, |r| <= pi / 4, to 2^-37 and 2^-43.
INLINE wd sin_reduced(wd r, wd z) {
  wd p = 0x1.6cd5ebf73a105p-19;
  p = FMA_F(p, z, (wd)-0x1.a00f9397c2e95p-13);
  p = FMA_F(p, z, (wd)0x1.11110889f534bp-7);
  p = FMA_F(p, z, (wd)-0x1.5555554ca92ffp-3);
  return FMA_F(r * z, p, r);
}

INLINE wd cos_reduced(wd z) {
  wd p = -0x1.24290901fb039p-22;
  p = FMA_F(p, z, (wd)0x1.a011178c1a3dbp-16);
  p = FMA_F(p, z, (wd)-0x1.6c16b88bf15e1p-10);
  p = FMA_F(p, z, (wd)0x1.5555554f428e1p-5);
  return FMA_F(z * z, p, FMA_F(z, (wd)-0.5, (wd)1.0));
}

// pi / 2 in two parts; the high one has 33 bits, so its product with up to 20 bits is exact.
#define PI_2_HIGH 0x1.921fb544p0
#define PI_2_LOW 0x1.0b4611a626331p-34
#define SIN_RANGE 0x1p20f

// sin(x + quarters pi / 2), |x| <= SIN_RANGE.
INLINE vf sin_shifted(vf value, int64_t quarters) {
  wd x = CONVERT(value, wd);
  wd shifted = FMA_F(x, (wd)0x1.45f306dc9c883p-1, (wd)ROUND_D);  // 2 / pi
  wd n = shifted - ROUND_D;
  wd r = x - n * PI_2_HIGH;
  r = FMA_F(n, (wd)-PI_2_LOW, r);
  wl quadrant = AS(wl, shifted) + quarters;
  wd z = r * r;
  wd result = (quadrant & 1) != 0 ? cos_reduced(z) : sin_reduced(r, z);
  return CONVERT(AS(wd, AS(wl, result) ^ (quadrant & 2) << 62), vf);
}

// Lanes beyond the range, rare in practice, go to libm.
INLINE vf sin_or_cos(vf x, int64_t quarters, double (*precise)(double)) {
  vi far = ~(__builtin_elementwise_abs(x) <= SIN_RANGE);
  vf result = sin_shifted(far ? (vf)0.0f : x, quarters);
  if (__builtin_reduce_or(far)) {
    for (int lane = 0; lane < LANES; lane++)
      if (far[lane]) result[lane] = (float)precise((double)x[lane]);
  }
  return result;
}

INLINE vf sin_f(vf x) {
  vf result = sin_or_cos(x, 0, sin);
  return x == 0.0f ? x : result;
}
INLINE vf cos_f(vf x) { return sin_or_cos(x, 1, cos); }

// Python's %: a - floor(a / b) b, exact before one rounding. In float64 the quotient's floor is
// right and its product exact while it is below 2^27; other lanes take fmod.
INLINE vf remainder_f(vf a, vf b) {
  wd wide_a = CONVERT(a, wd), wide_b = CONVERT(b, wd);
  wd quotient = wide_a / wide_b;
  wd rest = wide_a - __builtin_elementwise_floor(quotient) * wide_b;
  vf result = CONVERT(rest, vf);
  vi near = CONVERT(__builtin_elementwise_abs(quotient) < 0x1p27, vi) &
            (__builtin_elementwise_abs(b) < __builtin_inff());
  result = result == 0.0f ? copy_sign((vf)0.0f, b) : result;
  if (__builtin_reduce_and(near)) return result;
  for (int lane = 0; lane < LANES; lane++)
    if (!near[lane]) result[lane] = remainder_scalar_f(a[lane], b[lane]);
  return result;
}
