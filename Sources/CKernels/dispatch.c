// Which SIMD level runs: the machine's best unless the caller lowered it.

#include "internal.h"

#include <stdatomic.h>

static _Atomic(const cj_level *) current = NULL;
static _Thread_local const cj_level *override = NULL;

static const cj_level *level_table(cj_simd level) {
#if defined(__x86_64__)
  if (level == CJ_SIMD_AVX512) return &cj_level_avx512;
  if (level == CJ_SIMD_AVX2) return &cj_level_avx2;
#endif
  (void)level;
  return &cj_level_baseline;
}

cj_simd cj_simd_best(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return CJ_SIMD_AVX512;
  if (avx2) return CJ_SIMD_AVX2;
#endif
  return CJ_SIMD_BASELINE;
}

bool cj_has_bfloat16_dots(void) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

const cj_level *cj_current_level(void) {
  if (override) return override;
  const cj_level *level = atomic_load_explicit(&current, memory_order_acquire);
  if (level) return level;
  level = level_table(cj_simd_best());
  atomic_store_explicit(&current, level, memory_order_release);
  return level;
}

cj_simd cj_simd_level(void) {
  const cj_level *level = cj_current_level();
#if defined(__x86_64__)
  if (level == &cj_level_avx512) return CJ_SIMD_AVX512;
  if (level == &cj_level_avx2) return CJ_SIMD_AVX2;
#endif
  (void)level;
  return CJ_SIMD_BASELINE;
}

void cj_simd_set(cj_simd level) {
  const cj_simd best = cj_simd_best();
  if (level > best) level = best;
  atomic_store_explicit(&current, level_table(level), memory_order_release);
}

void cj_simd_override(int32_t level) {
  const int32_t best = (int32_t)cj_simd_best();
  override = level < 0 ? NULL : level_table((cj_simd)(level > best ? best : level));
}

const char *cj_simd_name(cj_simd level) { return level_table(level)->name; }
