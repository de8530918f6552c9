// x86-64 with AVX2, FMA and F16C: Haswell (2013), Zen and later.

#include "internal.h"

#include <math.h>

#if defined(__x86_64__)
#define LEVEL_BYTES 32
#define LEVEL_TABLE cj_level_avx2
#define LEVEL_NAME "avx2"
#define LEVEL_HAS_FMA 1
#define LEVEL_HAS_HALF 1
#define LEVEL_REGISTERS 16

#pragma clang diagnostic ignored "-Wpsabi"  // vectors wider than a register stay inside inlined functions
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "level_body.h"
#pragma clang attribute pop
#endif
