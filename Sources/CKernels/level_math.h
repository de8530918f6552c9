// Float32 functions on vectors. Where some lane needs more than most arguments
// do, the whole vector takes a longer way, which gives the other lanes the same
// bits. Reduction as in Cody & Waite, Software Manual for the Elementary
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

INLINE mf copy_sign(mf magnitude, mf sign) {
  return AS(mf, (AS(mu, magnitude) & 0x7fffffffu) | (AS(mu, sign) & 0x80000000u));
}

// exp(r) = 1 + r + r^2 q(r), |r| <= ln(2) / 2, to 2^-28.
INLINE mf exp_q(mf r, mf square) {
  mf q0 = FMA_F(r, (mf)0x1.555486p-3f, (mf)0x1.0p-1f);
  mf q2 = FMA_F(r, (mf)0x1.124148p-7f, (mf)0x1.555454p-5f);
  return FMA_F(square, FMA_F(square, (mf)0x1.6dbc68p-10f, q2), q0);
}
INLINE mf exp_reduced(mf r) {
  mf square = r * r;
  return FMA_F(square, exp_q(r, square), r + 1.0f);
}

// x = n ln(2) + r; returns r, and n << 23 in *exponent.
INLINE mf reduce_exp(mf x, mi *exponent) {
  mf shifted = FMA_F(x, (mf)(float)LOG2_E, (mf)ROUND_F);
  mf n = shifted - ROUND_F;
  *exponent = AS(mi, shifted) << 23;
  return FMA_F(n, (mf)-LN_2_LOW_F, FMA_F(n, (mf)-LN_2_HIGH_F, x));
}

// Below -104 the result is zero, above 89 infinite: beyond, only the exponent would wrap. 2^n goes in two
// factors, because alone it may be infinite or denormal: 2^(n - 1), 2^-126 at least, and twice the rest.
INLINE mf exp_everywhere(mf x) {
  x = x > 89.0f ? (mf)89.0f : x;
  x = x < -104.0f ? (mf)-104.0f : x;
  mi exponent;
  mf reduced = exp_reduced(reduce_exp(x, &exponent));
  mi first = __builtin_elementwise_max(exponent, (mi)(-125 * (1 << 23)));
  mf power = AS(mf, first + AS(mi, (mf)0.5f)), rest = AS(mf, exponent - first + AS(mi, (mf)2.0f));
  return reduced * power * rest;
}

// To 87 on either side of 0 the result is a normal number: n joins the exponent of exp(r).
INLINE mf exp_f(mf x) {
  if (__builtin_reduce_or((AS(mi, x) & INT32_MAX) > AS(mi, (mf)87.0f))) return exp_everywhere(x);
  mi exponent;
  mf reduced = exp_reduced(reduce_exp(x, &exponent));
  return AS(mf, AS(mi, reduced) + exponent);
}

// 2^n - 1 + 2^n (exp(r) - 1), for x <= 87.
INLINE mf expm1_normal(mf x) {
  mi exponent;
  mf r = reduce_exp(x < -18.0f ? (mf)-18.0f : x, &exponent), square = r * r;  // from there on it rounds to -1
  mf power = AS(mf, exponent + AS(mi, (mf)1.0f));
  return copy_sign(FMA_F(power, FMA_F(square, exp_q(r, square), r), power - 1.0f), x);  // of -0 too
}

INLINE mf expm1_f(mf x) {
  mi high = x > 87.0f;
  if (__builtin_reduce_or(high) == 0) return expm1_normal(x);
  return high ? exp_everywhere(x) : expm1_normal(high ? (mf)0.0f : x);
}

// log(2^k (1 + f)), sqrt(1/2) <= 1 + f < sqrt(2): log(1 + f) = f + f^2 p(f), p to 2^-24 of f.
INLINE mf log_reduced(mf k, mf f) {
  mf z = f * f;
  mf p0 = FMA_F(f, (mf)0x1.5556f6p-2f, (mf)-0.5f);
  mf p2 = FMA_F(f, (mf)0x1.98d1eap-3f, (mf)-0x1.000444p-2f);
  mf p4 = FMA_F(f, (mf)0x1.3187c4p-3f, (mf)-0x1.535cf0p-3f);
  mf p6 = FMA_F(f, (mf)0x1.65c7ccp-4f, (mf)-0x1.251304p-3f);
  mf p = FMA_F(z, FMA_F(z, FMA_F(z, p6, p4), p2), p0);
  return FMA_F(k, (mf)LN_2_HIGH_F, FMA_F(z, p, k * LN_2_LOW_F) + f);
}

// Of x = 2^k (1 + f), which is positive and normal, k << 23 with other bits below.
INLINE mi exponent_bits(mf x) { return AS(mi, x) - 0x3f3504f3; }  // sqrt(1/2)
// 2^-k x
INLINE mf mantissa(mf x, mi bits) { return AS(mf, AS(mi, x) - (bits & (int32_t)0xff800000)); }

// log(x 2^-raised) for a positive normal x.
INLINE mf log_normal(mf x, mi raised) {
  mi bits = exponent_bits(x);
  return log_reduced(CONVERT((bits >> 23) - raised, mf), mantissa(x, bits) - 1.0f);
}

INLINE mf log_f(mf x) {
  // Positive and normal are the bits from 0x00800000 to 0x7f7fffff, here as the lowest of int32.
  mi special = AS(mi, AS(mu, x) + 0x7f800000u) > (mi)(INT32_MIN + 0x7effffff);
  if (__builtin_reduce_or(special) == 0) return log_normal(x, (mi)0);
  mi tiny = x < 0x1p-126f;
  mf result = log_normal(tiny ? x * 0x1p23f : x, tiny & 23);
  result = x < __builtin_inff() ? result : x;  // infinity and NaN
  result = x < 0.0f ? (mf)__builtin_nanf("") : result;
  return x == 0.0f ? (mf)-__builtin_inff() : result;
}

// log(u) of u = 1 + x rounded, and what that lost joins f; for -1 < x < 2^126.
INLINE mf log1p_normal(mf x) {
  mf u = x + 1.0f;
  mf lost = x > 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);
  mi bits = exponent_bits(u), power = AS(mi, (mf)1.0f) - (bits & (int32_t)0xff800000);
  mf f = FMA_F(lost, AS(mf, power), mantissa(u, bits) - 1.0f);
  return copy_sign(log_reduced(CONVERT(bits >> 23, mf), f), x);  // of -0 too
}

INLINE mf log1p_f(mf x) {
  mi usual = (x > -1.0f) & (x < 0x1p126f);
  if (__builtin_reduce_and(usual) != 0) return log1p_normal(x);
  return usual ? log1p_normal(usual ? x : (mf)0.0f) : log_f(x + 1.0f);
}

// With u = (exp(2 |x|) - 1) / 2, tanh |x| = u / (1 + u) = u - u u / (1 + u) = 1 - 1 / (1 + u): the second
// form up to u = 1, the third above, because what the quotient rounds off is then small beside the result.
// |x| = n ln(2) / 2 + r and exp(2 r) = 1 + 2 r + r^2 q(r), -0.094 <= r <= 0.254, to 2^-26 of u: 0.08 moves r
// to where 2^n - 1 and 2^n (exp(2 r) - 1) do not cancel.
INLINE mf tanh_f(mf x) {
  mf size = __builtin_elementwise_abs(x);
  size = size > 9.1f ? (mf)9.1f : size;  // tanh(9.1) rounds to 1
  mf shifted = FMA_F(size - 0.08f, (mf)(float)(2 * LOG2_E), (mf)ROUND_F);
  mf r = FMA_F(shifted - ROUND_F, (mf)(float)(-LN_2 / 2), size);
  mf half_power = AS(mf, (AS(mi, shifted) << 23) + AS(mi, (mf)0.5f));
  mf square = r * r;
  mf q0 = FMA_F(r, (mf)0x1.55566cp+0f, (mf)0x1.fffffcp+0f);
  mf q2 = FMA_F(r, (mf)0x1.0f3e78p-2f, (mf)0x1.554d1ap-1f);
  mf q = FMA_F(square, FMA_F(square, (mf)0x1.a4f4b8p-4f, q2), q0);
  mf u = FMA_F(half_power, FMA_F(square, q, r + r), half_power - 0.5f);
  mf least = u > 1.0f ? (mf)1.0f : u;
  return copy_sign(FMA_EXACT_F(-least, least / (1.0f + u), least), x);  // of -0 too
}

// Below 0.95 x + x p(x^2), to 2^-25; above 1 - erfc, erfc = exp of a polynomial q, to 2^-27 of erf.
INLINE mf erf_f(mf x) {
  mf size = __builtin_elementwise_abs(x);
  mf z = x * x;
  mf p = FMA_F(z, (mf)-0x1.3355ecp-11f, (mf)0x1.458e1ap-8f);
  p = FMA_F(z, FMA_F(z, p, (mf)-0x1.b640cep-6f), (mf)0x1.ce1528p-4f);
  p = FMA_F(z, FMA_F(z, p, (mf)-0x1.8126c6p-2f), (mf)0x1.06eba6p-3f);
  mf small = FMA_F(x, p, x);
  mf t = size > 4.0f ? (mf)4.0f : size;  // erf(4) rounds to 1
  mf u = t * t;
  mf odd = FMA_F(u, (mf)-0x1.139162p-16f, (mf)-0x1.f14e70p-9f);
  mf even = FMA_F(u, (mf)0x1.834266p-12f, (mf)0x1.885e0cp-6f);
  odd = FMA_F(u, FMA_F(u, odd, (mf)-0x1.b2e02cp-4f), (mf)-0x1.20d726p0f);
  even = FMA_F(u, FMA_F(u, even, (mf)-0x1.45667ep-1f), (mf)-0x1.d21410p-14f);
  mi exponent;
  mf reduced = exp_reduced(reduce_exp(FMA_F(t, odd, even), &exponent));
  mf large = FMA_F(-AS(mf, exponent + AS(mi, (mf)1.0f)), reduced, (mf)1.0f);  // a product, which keeps NaN
  return size < 0.95f ? small : copy_sign(large, x);
}

// 1 / (1 + exp(-x)), x >= -16: the divisor is 2^n + 1, exact for 0 <= n < 24, and 2^n (exp(r) - 1).
INLINE mf sigmoid_normal(mf x) {
  mf y = x > 87.0f ? (mf)-87.0f : -x;
  mi exponent;
  mf r = reduce_exp(y, &exponent), square = r * r;
  mf power = AS(mf, exponent + AS(mi, (mf)1.0f));
  return 1.0f / FMA_F(power, FMA_F(square, exp_q(r, square), r), power + 1.0f);
}

// Below -16 it is e / (1 + e) = e - e^2 with e = exp(x).
INLINE mf sigmoid_f(mf x) {
  mi low = x < -16.0f;
  if (__builtin_reduce_or(low) == 0) return sigmoid_normal(x);
  mf e = exp_everywhere(x);
  return low ? FMA_F(-e, e, e) : sigmoid_normal(low ? (mf)0.0f : x);
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
  result = result == 0.0f ? AS(vf, AS(vi, b) & INT32_MIN) : result;
  if (__builtin_reduce_and(near)) return result;
  for (int lane = 0; lane < LANES; lane++)
    if (!near[lane]) result[lane] = remainder_scalar_f(a[lane], b[lane]);
  return result;
}
