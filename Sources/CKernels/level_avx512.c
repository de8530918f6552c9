// x86-64 with AVX-512 F, BW, VL and DQ: Skylake-X (2017), Zen 4 and later.

#include "internal.h"

#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>

static const cj_gemm_kernels gemm_kernels_pairs;

#define LEVEL_BYTES 64
#define LEVEL_TABLE cj_level_avx512
#define LEVEL_NAME "avx512"
#define LEVEL_HAS_FMA 1
#define LEVEL_HAS_HALF 1
#define LEVEL_REGISTERS 32
#define LEVEL_PAIRS gemm_kernels_pairs

#pragma clang diagnostic ignored "-Wpsabi"  // vectors wider than a register stay inside inlined functions
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), apply_to = function)
#include "level_body.h"
#pragma clang attribute pop

// Cooper Lake (2020), Sapphire Rapids, Zen 4 and later.
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c"))), apply_to = function)
#define ADD_PAIRS(a, b, sum) AS(vf, _mm512_dpbf16_ps(AS(__m512, sum), AS(__m512bh, a), AS(__m512bh, b)))
#include "level_pairs.h"
#pragma clang attribute pop
#endif
