// The matrix products of one SIMD level, each dtype with the tiles of what it is multiplied as.

#include "level_quads.h"

// Few rows: a tile's rows, vectors of columns and steps; a pass's steps, and those of a single row.
enum { ROWS_HEIGHT = 4, ROWS_VECTORS = 2, ROWS_STEPS = 16, PASS_STEPS = 2, ROW_STEPS = 8 };
// Tiles of a window that fetch the next panel step by step.
enum { FETCHING_TILES = 12 };

#define LANE float
#define VEC vf
#define STEP float
#define STEP_VEC vf
#define MULTIPLY_ADD(a, b, sum) FMA_F(a, b, sum)
#define NAME(x) x##_f32
#include "level_matmul.h"

#define SOURCE float
#define STEP_LENGTH 1
#define STEP_QUAD qf
#define ALONG(from) LOAD(vf, from)
#define ALONG_QUAD(from) LOAD(qf, from)
#define ACROSS(from, stride) ((void)(stride), LOAD(vf, from))
#define ACROSS_QUAD(from, stride) ((void)(stride), LOAD(qf, from))
#define ONE(from) (*(from))
#define TWO(from, stride) (*(from))
#define PACK(x) x##_f32
#include "level_pack.h"

#define SOURCE uint16_t
#define STEP_LENGTH 1
#define STEP_QUAD qf
#define ALONG(from) half_to_float(LOAD(vh, from))
#define ALONG_QUAD(from) quad_half_to_float(LOAD(qh, from))
#define ACROSS(from, stride) ((void)(stride), ALONG(from))
#define ACROSS_QUAD(from, stride) ((void)(stride), ALONG_QUAD(from))
#define ONE(from) (half_to_float((vh)(*(from)))[0])
#define TWO(from, stride) ONE(from)
#define PACK(x) x##_f16
#include "level_pack.h"

#define SOURCE uint16_t
#define STEP_LENGTH 1
#define STEP_QUAD qf
#define ALONG(from) bfloat_to_float(LOAD(vh, from))
#define ALONG_QUAD(from) quad_bfloat_to_float(LOAD(qh, from))
#define ACROSS(from, stride) ((void)(stride), ALONG(from))
#define ACROSS_QUAD(from, stride) ((void)(stride), ALONG_QUAD(from))
#define ONE(from) cj_bfloat_to_float(*(from))
#define TWO(from, stride) ONE(from)
#define PACK(x) x##_bf16
#include "level_pack.h"

#include "level_matmul_end.h"

#define LANE double
#define VEC nd
#define STEP double
#define STEP_VEC nd
#define MULTIPLY_ADD(a, b, sum) FMA_F(a, b, sum)
#define NAME(x) x##_f64
#include "level_matmul.h"

#define SOURCE double
#define STEP_LENGTH 1
#define STEP_QUAD qd
#define ALONG(from) LOAD(nd, from)
#define ALONG_QUAD(from) LOAD(qd, from)
#define ACROSS(from, stride) ((void)(stride), LOAD(nd, from))
#define ACROSS_QUAD(from, stride) ((void)(stride), LOAD(qd, from))
#define ONE(from) (*(from))
#define TWO(from, stride) (*(from))
#define PACK(x) x##_f64
#include "level_pack.h"

#include "level_matmul_end.h"

// ---------------------------------------------------------------- pieces

#define SOURCE float
#define LANE float
#define LOAD_QUAD(from) LOAD(qf, from)
#define LOAD_ONE(from) (*(from))
#define NAME(x) x##_f32
#include "level_pieces.h"

#define SOURCE double
#define LANE double
#define LOAD_QUAD(from) LOAD(qd, from)
#define LOAD_ONE(from) (*(from))
#define NAME(x) x##_f64
#include "level_pieces.h"

#define SOURCE uint16_t
#define LANE float
#define LOAD_QUAD(from) quad_half_to_float(LOAD(qh, from))
#define LOAD_ONE(from) (half_to_float((vh)(*(from)))[0])
#define NAME(x) x##_f16
#include "level_pieces.h"

#define SOURCE uint16_t
#define LANE float
#define LOAD_QUAD(from) quad_bfloat_to_float(LOAD(qh, from))
#define LOAD_ONE(from) cj_bfloat_to_float(*(from))
#define NAME(x) x##_bf16
#include "level_pieces.h"
