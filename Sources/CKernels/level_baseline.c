// The level that every machine of an architecture runs: SSE2 or NEON.

#include "internal.h"

#include <math.h>

#define LEVEL_BYTES 16
#define LEVEL_TABLE cj_level_baseline
#if defined(__aarch64__)
#define LEVEL_NAME "neon"
#define LEVEL_HAS_FMA 1
#define LEVEL_HAS_HALF 1
#define LEVEL_REGISTERS 32
#else
#define LEVEL_NAME "baseline"
#define LEVEL_HAS_FMA 0
#define LEVEL_HAS_HALF 0
#define LEVEL_REGISTERS 16
#endif

#pragma clang diagnostic ignored "-Wpsabi"  // vectors wider than a register stay inside inlined functions
#include "level_body.h"
