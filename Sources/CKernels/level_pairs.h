// Products of bfloat16 in pairs: hardware multiplies two at a time and adds both to a float32. A level that
// has such an instruction defines ADD_PAIRS(a, b, sum), vectors of pairs and of sums, and includes this.

#define LANE float
#define VEC vf
#define STEP uint32_t
#define STEP_VEC vu
#define MULTIPLY_ADD(a, b, sum) ADD_PAIRS(a, b, sum)
#define NAME(x) x##_pairs
#include "level_matmul.h"

#define SOURCE uint16_t
#define STEP_LENGTH 2
#define STEP_QUAD qu
#define ALONG(from) LOAD(vu, from)
#define ALONG_QUAD(from) LOAD(qu, from)
#define ACROSS(from, stride) (CONVERT(LOAD(vh, from), vu) | CONVERT(LOAD(vh, (from) + (stride)), vu) << 16)
#define ACROSS_QUAD(from, stride) (CONVERT(LOAD(qh, from), qu) | CONVERT(LOAD(qh, (from) + (stride)), qu) << 16)
#define ONE(from) ((uint32_t)*(from))
#define TWO(from, stride) (ONE(from) | ONE((from) + (stride)) << 16)
#define PACK(x) x##_pairs
#include "level_pack.h"

#include "level_matmul_end.h"
