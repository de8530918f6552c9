// What the files of this target share: the table of kernels that each SIMD
// level exports, and a few helpers. Not part of the public interface.

#ifndef CAJAL_KERNELS_INTERNAL_H
#define CAJAL_KERNELS_INTERNAL_H

#include "include/cajal_kernels.h"
#include "matmul.h"
#include "winograd.h"

#include <string.h>

enum { CJ_TYPE_COUNT = 5, CJ_DTYPE_COUNT = 10 };

// dst[i] = op(a[i & masks[0]], b[i & masks[1]], c[i & masks[2]]) for i in 0..<n; unused operands may
// be null. A mask is -1, or 0 for an operand of CJ_UNIFORM_BYTES of one value again and again.
// dst may be the same memory as an operand. Any alignment, any n.
typedef void (*cj_tile_op)(int64_t n, void *dst, const void *a, const void *b, const void *c,
                           const int64_t *masks);
enum { CJ_UNIFORM_BYTES = 128, CJ_LINE_BYTES = 64 };
// A link of a chain of float32 instructions, whose results pass from one to the next in registers. Operands and
// dst are numbers of registers, with masks as above.
typedef struct {
  uint16_t code, dst, operands[3], after;
  int64_t masks[3];
} cj_link;
// An instruction's code: by which operands are the result of the link before, 1 for a, 2 for b, 4 for c.
#define CJ_LINK(op, passed) ((op) * 8 + (passed))
// What follows an instruction: its result goes to memory, perhaps past the caches, and the next block may begin.
enum { CJ_LINK_STORES = 1, CJ_LINK_STREAMS = 2, CJ_LINK_ENDS = 4 };
enum { CJ_MOST_LINKS = 64 };  // of a chain
typedef struct {
  const cj_link *links;
  int64_t count;  // elements, a multiple of the level's link_block
} cj_chain;
// dst[i] = converted src[i].
typedef void (*cj_tile_convert)(int64_t n, void *dst, const void *src);

// One block of a reduction, float32 or float64; see reduce.c for the tree of blocks.
// Each of `rows` lines of n values (at most the row block), line_stride apart, to one value.
typedef void (*cj_reduce_rows)(cj_reduction op, int64_t rows, int64_t n, int64_t line_stride,
                               const void *in, void *out);
// The sum of each line's values times those of another.
typedef void (*cj_sum_products)(int64_t rows, int64_t n, int64_t line_stride, const void *in, const void *times,
                                void *out);
// rows x columns combined into out's columns, row by row; `first`: the first row starts them.
// `readable` values may be read from `in` on.
typedef void (*cj_fold_columns)(cj_reduction op, int64_t rows, int64_t columns, int64_t row_stride,
                                int64_t readable, const void *in, void *out, bool first);

// The same for the sums of products with `times`, laid out alike.
typedef void (*cj_fold_products)(int64_t rows, int64_t columns, int64_t row_stride, int64_t readable, const void *in,
                                 const void *times, void *out, bool first);

// `count` pieces of `length` elements, `step` elements apart, to values of the compute type, `to_step` bytes apart.
typedef void (*cj_copy_pieces)(int64_t count, int64_t length, const void *from, int64_t step, void *to,
                               int64_t to_step);

// For each position and channel the sum of what some taps see, times their weights. Steps are elements.
typedef struct {
  const char *source, *weights;  // of the first position
} cj_tap;
typedef struct {
  int64_t positions, channels, count;
  const cj_tap *taps;
  int64_t source_step;
  char *result;
  int64_t result_step;
} cj_taps;
typedef void (*cj_sum_taps)(const cj_taps *taps);
// The greatest element of some places, channel by channel: the first of equals, and the first NaN. At least one place.
typedef struct {
  const char *source;
  int32_t position;
} cj_place;
// Those of windows along a line are steps apart, what results lies side by side.
typedef struct {
  int64_t windows, channels, count;
  const cj_place *places;  // of the first window
  int64_t source_step;     // elements
  int32_t position_step;
  void *values;
  int32_t *positions;  // may be NULL
} cj_places;
typedef void (*cj_max_of_places)(const cj_places *places);
// sums[c] += the sum over positions of x[p, c] y[p, c]; sums are of the compute type.
typedef void (*cj_add_channel_products)(int64_t positions, int64_t channels, const void *x, int64_t x_step,
                                        const void *y, int64_t y_step, void *sums);

typedef struct cj_level {
  const char *name;
  cj_tile_op ops[CJ_OPCODE_COUNT][CJ_TYPE_COUNT];
  cj_tile_op streamed[CJ_OPCODE_COUNT];  // of float32, past the caches: dst aligned to CJ_LINE_BYTES; may be NULL
  int64_t link_block;                                // elements of a block
  void (*run_chain)(const cj_chain *chain, void *const *registers);
  // Functions of float32, of a * b + c and of a - b.
  cj_tile_op of_multiply_add[CJ_OPCODE_COUNT], of_multiply_add_streamed[CJ_OPCODE_COUNT];
  cj_tile_op of_subtract[CJ_OPCODE_COUNT], of_subtract_streamed[CJ_OPCODE_COUNT];
  cj_tile_convert cast[CJ_TYPE_COUNT][CJ_TYPE_COUNT];  // [from][to]
  cj_tile_convert load[CJ_DTYPE_COUNT];   // memory to compute type
  cj_tile_convert store[CJ_DTYPE_COUNT];  // compute type to memory
  cj_tile_convert round[CJ_DTYPE_COUNT];  // compute type to itself, by way of the dtype
  const cj_gemm_kernels *gemm[CJ_DTYPE_COUNT];  // NULL: integers
  const cj_winograd_kernels *winograd;
  const cj_gemm_kernels *gemm_pairs;            // of bfloat16, if the machine has dot products; may be NULL
  // Of floats.
  cj_copy_pieces copy_pieces[CJ_DTYPE_COUNT];
  cj_sum_taps sum_taps[CJ_DTYPE_COUNT];
  cj_add_channel_products add_channel_products[CJ_DTYPE_COUNT];
  cj_max_of_places max_of_places[CJ_DTYPE_COUNT];
  void (*stream)(int64_t bytes, void *dst, const void *src);  // past the caches
  cj_reduce_rows reduce_rows_f32, reduce_rows_f64;
  cj_sum_products sum_products_f32, sum_products_f64;
  cj_fold_columns fold_columns_f32, fold_columns_f64;
  cj_fold_products fold_products_f32, fold_products_f64;
  // Philox words of blocks first..<first + count, four a block.
  void (*philox)(uint64_t key, uint64_t stream, uint64_t first, int64_t count, uint32_t *words);
  void (*uniform_f32)(int64_t n, const uint32_t *words, int32_t bits, float *out);
  void (*normal_f32)(int64_t n, const uint32_t *words, float *out);
  bool (*nonfinite_f32)(int64_t n, const void *values);
  bool (*nonfinite_f64)(int64_t n, const void *values);
  bool (*nonfinite_16)(int64_t n, const void *values, uint16_t exponent_mask);
  // The first of n values that may come before one whose bits are `limit`, or n; see level_search.h.
  int64_t (*first_before[CJ_DTYPE_COUNT])(int64_t n, const void *values, int64_t limit, bool descending);
} cj_level;

extern const cj_level cj_level_baseline;
#if defined(__x86_64__)
extern const cj_level cj_level_avx2;
extern const cj_level cj_level_avx512;
#endif

const cj_level *cj_current_level(void);
bool cj_has_bfloat16_dots(void);  // whether the machine adds products of pairs

// Rows of a leaf of the tree by which columns are reduced (reduce.c).
enum { CJ_LEAF_COLUMNS = 16 };
// Each row of n float32 or float64 values to one, by the tree of cj_reduce.
void cj_reduce_each_row(const cj_level *level, cj_reduction op, cj_dtype dtype, int64_t rows, int64_t n,
                        const void *in, void *out);
// The same for the sums of rows times others: the bits of both steps apart.
void cj_sum_products_each_row(const cj_level *level, cj_dtype dtype, int64_t rows, int64_t n, const void *in,
                              const void *times, void *out);
// a[i] = op(a[i], b[i]) for accumulators.
void cj_combine(cj_reduction op, cj_dtype dtype, int64_t count, void *a, const void *b);
// That tree above `count` accumulators of `columns` values, `stride` bytes apart; it ends in the first.
void cj_combine_tree(cj_reduction op, cj_dtype dtype, int64_t count, int64_t columns, int64_t stride, char *sums);

// After streaming stores, before others are told that they are done.
static inline void cj_stream_fence(void) {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

static inline int64_t cj_min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t cj_max64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t cj_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A scratch buffer of the calling thread, kept for its next use; the process ends with a message if
// the system has no memory. A nested use must take another slot.
enum { CJ_SCRATCH_PLAN, CJ_SCRATCH_PARTS, CJ_SCRATCH_TILES, CJ_SCRATCH_PRODUCT, CJ_SCRATCH_LINES, CJ_SCRATCH_COUNT };
void *cj_scratch(int slot, int64_t bytes);

// dst[r][c] = src[c][r] for r < rows, c < columns; elements are neighbours along
// dst's rows and src's rows, whose strides are in bytes.
void cj_transpose_block(int32_t bytes, int64_t rows, int64_t columns, const char *src,
                        int64_t src_row, char *dst, int64_t dst_row);

static inline int64_t cj_dtype_bytes(cj_dtype dtype) {
  static const uint8_t bytes[CJ_DTYPE_COUNT] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
  return bytes[dtype];
}

// The compute type that holds a dtype.
static inline cj_type cj_dtype_type(cj_dtype dtype) {
  static const uint8_t types[CJ_DTYPE_COUNT] = {CJ_B8,  CJ_I32, CJ_I32, CJ_I32, CJ_I32,
                                                CJ_I64, CJ_F32, CJ_F32, CJ_F32, CJ_F64};
  return (cj_type)types[dtype];
}

static inline int64_t cj_type_bytes(cj_type type) {
  static const uint8_t bytes[CJ_TYPE_COUNT] = {4, 8, 4, 8, 1};
  return bytes[type];
}

static inline float cj_bfloat_to_float(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

// Nearest even; NaN stays a (quiet) NaN.
static inline uint16_t cj_float_to_bfloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
  return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#endif
