// Errors of the float32 functions in units of the last place. The exact value is the C library's in float64,
// whose own error is nothing beside half a unit in float32.

#include "checks.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { BATCH = 2048, TASK = 32 * BATCH, LEVELS = 3 };
static const double LIMIT = 2;
static const uint64_t POWERS = UINT64_C(1) << 28;  // pairs for pow with step 1

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double rsqrt(double x) { return 1 / sqrt(x); }

typedef struct {
  const char *name;
  cj_opcode op;
  double (*exact)(double);
  double (*exact_of_two)(double, double);
} function;

static const function functions[] = {
    {"sqrt", CJ_SQRT, sqrt},    {"rsqrt", CJ_RSQRT, rsqrt}, {"exp", CJ_EXP, exp},
    {"expm1", CJ_EXPM1, expm1}, {"log", CJ_LOG, log},       {"log1p", CJ_LOG1P, log1p},
    {"sin", CJ_SIN, sin},       {"cos", CJ_COS, cos},       {"tanh", CJ_TANH, tanh},
    {"erf", CJ_ERF, erf},       {"pow", CJ_POWER, NULL, pow}, {"sigmoid", CJ_SIGMOID, sigmoid},
};

typedef struct {
  const function *function;
  uint64_t count, step;
  // The error, which is not negative and so in the order of its bits, above the argument's bits.
  _Atomic uint64_t worst[LEVELS];
} sweep;

static uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
static float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

static double error_of(float value, double exact) {
  if (isnan(value) || isnan(exact)) return isnan(value) && isnan(exact) ? 0 : INFINITY;
  const float rounded = (float)exact;
  if (isinf(value) || isinf(rounded)) return value == rounded ? 0 : INFINITY;
  const int exponent = (int)(bits_of(rounded) >> 23 & 255);
  return fabs((double)value - exact) * ldexp(1, 150 - (exponent > 0 ? exponent : 1));
}

// Pair number i: half of them any two numbers, half with a power that float32 holds.
static void draw_pair(uint64_t i, float *base, float *exponent) {
  uint64_t z = (i + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  *base = float_of((uint32_t)z);
  *exponent = float_of((uint32_t)(z >> 32));
  if (i & 1) return;
  *base = float_of((uint32_t)z & INT32_MAX);
  *exponent = (float)(((double)(z >> 32) * 0x1p-32 * 280 - 151) / log2(*base));
}

static void sweep_task(void *context, int64_t task) {
  sweep *sweep = context;
  const function *function = sweep->function;
  static _Thread_local float a[BATCH], b[BATCH], values[BATCH];
  static _Thread_local double exact[BATCH];
  static const int64_t masks[3] = {-1, -1, -1};
  const uint64_t end = (uint64_t)cj_min64((task + 1) * TASK, (int64_t)sweep->count);
  for (uint64_t first = (uint64_t)task * TASK; first < end; first += BATCH) {
    const int64_t n = cj_min64(BATCH, (int64_t)(end - first));
    for (int64_t i = 0; i < n; i++) {
      const uint64_t number = (first + (uint64_t)i) * sweep->step;
      if (function->exact) a[i] = float_of((uint32_t)number);
      else draw_pair(number, a + i, b + i);
      exact[i] = function->exact ? function->exact(a[i]) : function->exact_of_two(a[i], b[i]);
    }
    for (int32_t level = 0; level <= (int32_t)cj_simd_best(); level++) {
      cj_simd_override(level);
      cj_current_level()->ops[function->op][CJ_F32](n, values, a, b, NULL, masks);
      uint64_t worst = 0;
      for (int64_t i = 0; i < n; i++) {
        const uint64_t error = (uint64_t)bits_of((float)error_of(values[i], exact[i])) << 32 | bits_of(a[i]);
        if (error > worst) worst = error;
      }
      uint64_t before = sweep->worst[level];
      while (worst > before && !atomic_compare_exchange_weak(&sweep->worst[level], &before, worst)) {
      }
    }
    cj_simd_override(-1);
  }
}

void check_functions(uint64_t step, const char *only) {
  for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
    if (only && strcmp(only, functions[f].name) != 0) continue;
    const time_t start = time(NULL);
    const uint64_t all = functions[f].exact ? UINT64_C(1) << 32 : POWERS;
    sweep sweep = {functions + f, (all + step - 1) / step, step, {0}};
    cj_parallel(cj_ceil_div((int64_t)sweep.count, TASK), sweep_task, &sweep);
    printf("%-8s", functions[f].name);
    for (cj_simd level = 0; level <= cj_simd_best(); level++) {
      const float error = float_of((uint32_t)(sweep.worst[level] >> 32)), at = float_of((uint32_t)sweep.worst[level]);
      printf("  %s %.3f at %.9g", cj_simd_name(level), (double)error, (double)at);
      expect((double)error <= LIMIT, "%s at %s: %g units in the last place at %a", functions[f].name,
             cj_simd_name(level), (double)error, (double)at);
    }
    printf("  (%d s)\n", (int)(time(NULL) - start));
  }
}
