// x86-64 with AVX-512 F, BW, VL and DQ: Skylake-X (2017), Zen 4 and later.

#include "internal.h"

#include <math.h>

#if defined(__x86_64__)
#define LEVEL_BYTES 64
#define LEVEL_TABLE cj_level_avx512
#define LEVEL_NAME "avx512"
#define LEVEL_HAS_FMA 1
#define LEVEL_HAS_HALF 1
#define LEVEL_REGISTERS 32

#pragma clang diagnostic ignored "-Wpsabi"  // vectors wider than a register stay inside inlined functions
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), apply_to = function)
#include "level_body.h"
#pragma clang attribute pop
#endif
