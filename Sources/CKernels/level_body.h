// All kernels of one SIMD level. A level's file defines
//   LEVEL_BYTES      width of a vector register, of which there are
//   LEVEL_REGISTERS
//   LEVEL_HAS_FMA    whether a fused multiply-add is one instruction
//   LEVEL_HAS_HALF   whether float16 converts in hardware
//   LEVEL_TABLE, LEVEL_NAME  the table to export and its name
//   LEVEL_PAIRS      kernels for bfloat16 in pairs, where machines of the level may have them
// and sets the target by an attribute around the include.

#include "level_vectors.h"

#include "level_math.h"

#include "level_convert.h"
#include "level_random.h"
#include "level_search.h"
#include "level_tiles.h"
#include "level_links.h"
#include "level_inner.h"

typedef vi mask_f32;
#define LANE float
#define LANE_COUNT (LEVEL_BYTES / 4)
#define VEC vf
#define NAME(x) x##_f32
#include "level_reduce.h"
#undef LANE
#undef LANE_COUNT
#undef VEC
#undef NAME

typedef nl mask_f64;
#define LANE double
#define LANE_COUNT (LEVEL_BYTES / 8)
#define VEC nd
#define NAME(x) x##_f64
#include "level_reduce.h"
#undef LANE
#undef LANE_COUNT
#undef VEC
#undef NAME

#include "level_products.h"
#include "level_channels.h"
#include "level_winograd.h"

const cj_level LEVEL_TABLE = {
    .name = LEVEL_NAME,
    .ops = TILE_TABLE,
    .streamed = STREAM_TABLE,
    .link_block = 2 * MATH_LANES,
    .run_chain = run_chain,
    .of_multiply_add = INNER(of_multiply_add),
    .of_multiply_add_streamed = INNER(of_multiply_add_streamed),
    .of_subtract = INNER(of_subtract),
    .of_subtract_streamed = INNER(of_subtract_streamed),
    .cast = CAST_TABLE,
    .load = LOAD_TABLE,
    .store = STORE_TABLE,
    .round = ROUND_TABLE,
    .gemm = {[CJ_FLOAT16] = &gemm_kernels_f16,
             [CJ_BFLOAT16] = &gemm_kernels_bf16,
             [CJ_FLOAT32] = &gemm_kernels_f32,
             [CJ_FLOAT64] = &gemm_kernels_f64},
    .winograd = &winograd_kernels,
#if defined(LEVEL_PAIRS)
    .gemm_pairs = &LEVEL_PAIRS,
#endif
    .sum_taps = {[CJ_FLOAT16] = sum_taps_f16,
                 [CJ_BFLOAT16] = sum_taps_bf16,
                 [CJ_FLOAT32] = sum_taps_f32,
                 [CJ_FLOAT64] = sum_taps_f64},
    .add_channel_products = {[CJ_FLOAT16] = add_channel_products_f16,
                             [CJ_BFLOAT16] = add_channel_products_bf16,
                             [CJ_FLOAT32] = add_channel_products_f32,
                             [CJ_FLOAT64] = add_channel_products_f64},
    .max_of_places = {[CJ_FLOAT16] = max_of_places_f16,
                      [CJ_BFLOAT16] = max_of_places_bf16,
                      [CJ_FLOAT32] = max_of_places_f32,
                      [CJ_FLOAT64] = max_of_places_f64},
    .copy_pieces = {[CJ_FLOAT16] = copy_pieces_f16,
                    [CJ_BFLOAT16] = copy_pieces_bf16,
                    [CJ_FLOAT32] = copy_pieces_f32,
                    [CJ_FLOAT64] = copy_pieces_f64},
    .stream = stream,
    .reduce_rows_f32 = reduce_rows_f32,
    .reduce_rows_f64 = reduce_rows_f64,
    .sum_products_f32 = sum_products_f32,
    .sum_products_f64 = sum_products_f64,
    .fold_columns_f32 = fold_columns_f32,
    .fold_columns_f64 = fold_columns_f64,
    .fold_products_f32 = fold_products_f32,
    .fold_products_f64 = fold_products_f64,
    .philox = philox_words,
    .uniform_f32 = uniform_f32,
    .normal_f32 = normal_f32,
    .nonfinite_f32 = nonfinite_f32,
    .nonfinite_f64 = nonfinite_f64,
    .nonfinite_16 = nonfinite_16,
    .first_before = {[CJ_FLOAT16] = first_before_f16,
                     [CJ_BFLOAT16] = first_before_f16,
                     [CJ_FLOAT32] = first_before_f32,
                     [CJ_FLOAT64] = first_before_f64,
                     [CJ_INT8] = first_before_i8,
                     [CJ_UINT8] = first_before_u8,
                     [CJ_BOOL] = first_before_u8,
                     [CJ_INT16] = first_before_i16,
                     [CJ_INT32] = first_before_i32,
                     [CJ_INT64] = first_before_i64},
};
