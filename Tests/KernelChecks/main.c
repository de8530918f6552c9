#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int failures = 0;
static uint64_t state = 1;

void expect(bool holds, const char *format, ...) {
  if (holds) return;
  failures++;
  if (failures > 20) return;
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "FAILED: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
}

// SplitMix64 (Steele, Lea, Flood 2014).
uint64_t draw_bits(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}
double draw(void) { return (double)(draw_bits() >> 11) * 0x1p-52 - 1; }
int64_t draw_below(int64_t bound) { return (int64_t)(draw_bits() % (uint64_t)bound); }

const char *dtype_name(cj_dtype dtype) {
  static const char *const names[CJ_DTYPE_COUNT] = {"bool",  "uint8",   "int8",     "int16",   "int32",
                                                    "int64", "float16", "bfloat16", "float32", "float64"};
  return names[dtype];
}

double get(cj_dtype dtype, const void *values, int64_t i) {
  switch (dtype) {
    case CJ_INT32: return ((const int32_t *)values)[i];
    case CJ_INT64: return (double)((const int64_t *)values)[i];
    case CJ_FLOAT16: return cj_half_to_float(((const uint16_t *)values)[i]);
    case CJ_BFLOAT16: return cj_bfloat_to_float(((const uint16_t *)values)[i]);
    case CJ_FLOAT32: return ((const float *)values)[i];
    case CJ_FLOAT64: return ((const double *)values)[i];
    default: abort();
  }
}

void set(cj_dtype dtype, void *values, int64_t i, double value) {
  switch (dtype) {
    case CJ_INT32: ((int32_t *)values)[i] = (int32_t)value; break;
    case CJ_INT64: ((int64_t *)values)[i] = (int64_t)value; break;
    case CJ_FLOAT16: ((uint16_t *)values)[i] = cj_float_to_half((float)value); break;
    case CJ_BFLOAT16: ((uint16_t *)values)[i] = cj_float_to_bfloat((float)value); break;
    case CJ_FLOAT32: ((float *)values)[i] = (float)value; break;
    case CJ_FLOAT64: ((double *)values)[i] = value; break;
    default: abort();
  }
}

static int verdict(void) {
  if (failures) fprintf(stderr, "%d checks failed\n", failures);
  return failures != 0;
}

// checks              the kernels, at every level of this machine
// checks functions N  every N-th float32 through the functions, or through the one that a name behind N says;
//                     1 takes minutes
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if ((argc == 3 || argc == 4) && strcmp(argv[1], "functions") == 0) {
    const uint64_t step = strtoull(argv[2], NULL, 10);
    if (step > 0) {
      check_functions(step, argv[3]);
      return verdict();
    }
  }
  if (argc != 1) {
    fprintf(stderr, "usage: %s [functions STEP [NAME]]\n", argv[0]);
    return 2;
  }
  const cj_simd best = cj_simd_best();
  for (cj_simd level = 0; level <= best; level++) {
    cj_simd_set(level);
    check_elements();
    check_chains();
    check_rows();
    check_reductions();
    check_products();
    check_convolutions();
    check_weight_gradients();
    check_pooling();
    printf("%s: %s\n", cj_simd_name(level), failures ? "FAILED" : "passed");
  }
  check_functions(50021, NULL);
  return verdict();
}
