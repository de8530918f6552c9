// The CPU kernels of Cajal: one C interface, several SIMD levels behind it.
//
// Every function is deterministic in its arguments: work is cut by shape and
// never by thread count, so results are the same bits with one thread or many.
// Nothing here fails: callers check shapes and indices and allocate memory. A kernel that
// needs a workspace says how much, for the same arguments; the bytes depend on the shape
// alone, their contents are undefined, and 0 bytes need no workspace (NULL).

#ifndef CAJAL_KERNELS_H
#define CAJAL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

enum { CJ_MAX_RANK = 8 };

// ---------------------------------------------------------------- dtypes
// The raw values of Base's DType, in the same order.
typedef enum {
  CJ_BOOL = 0,      // one byte, 0 or 1
  CJ_UINT8 = 1,
  CJ_INT8 = 2,
  CJ_INT16 = 3,
  CJ_INT32 = 4,
  CJ_INT64 = 5,
  CJ_FLOAT16 = 6,
  CJ_BFLOAT16 = 7,
  CJ_FLOAT32 = 8,
  CJ_FLOAT64 = 9,
} cj_dtype;

// ---------------------------------------------------------------- SIMD level
typedef enum { CJ_SIMD_BASELINE = 0, CJ_SIMD_AVX2 = 1, CJ_SIMD_AVX512 = 2 } cj_simd;
// The level in use: the machine's best unless cj_simd_set lowered it.
cj_simd cj_simd_level(void);
cj_simd cj_simd_best(void);
void cj_simd_set(cj_simd level);  // clamped to the machine's best
// The level of the calling thread's kernels alone, for tests beside others; negative: the common one again.
void cj_simd_override(int32_t level);
const char *cj_simd_name(cj_simd level);  // "baseline", "avx2", "avx512", "neon"

// ---------------------------------------------------------------- threads
typedef void (*cj_task)(void *_Nullable context, int64_t index);
// Calls task(context, i) for each i in 0..<count, on any thread, and returns
// when all are done. Calls from inside a task, or while another caller has the
// pool, run serially on the calling thread. count 1 never enters the pool.
void cj_parallel(int64_t count, cj_task task, void *_Nullable context);
void cj_threads_set(int32_t threads);  // at least 1; takes effect at the next cj_parallel
int32_t cj_threads(void);
int32_t cj_threads_available(void);  // honours affinity and cgroup CPU limits

// ---------------------------------------------------------------- memory
// 64-byte aligned blocks from a caching allocator with size classes; NULL when
// the system has none or the cap would be passed. Contents are undefined.
void *_Nullable cj_allocate(int64_t bytes);
void cj_free(void *_Nullable block, int64_t bytes);  // bytes as given to cj_allocate
void cj_memory_trim(void);                           // gives cached blocks back
void cj_memory_limit_set(int64_t bytes);             // the cap, cached blocks included; 0: what there is
int64_t cj_memory_available(void);                   // honours cgroup memory limits
typedef struct {
  int64_t live_bytes;    // allocated and not freed, as asked for
  int64_t peak_bytes;    // the most that live_bytes has been
  int64_t cached_bytes;  // kept for the next allocation
  int64_t limit_bytes;   // the cap
  int64_t system_calls;  // blocks that had to come from the system
} cj_memory_statistics;
cj_memory_statistics cj_memory(void);
void cj_memory_reset_peak(void);

// ---------------------------------------------------------------- tile programs
// A fused group: a loop over an iteration space of up to 8 axes whose body is a
// straight-line register program. The interpreter runs it a tile of columns at
// a time; registers are tiles that stay in L1. Compute types are those below;
// narrower dtypes are widened by loads and narrowed by stores, and CJ_ROUND
// brings a register to the precision of a dtype in between, so that every node
// rounds to its dtype even when fused. A register holds an element for every
// point of the space, or one for every row (all axes but the last): reductions
// along the columns lead from the first to the second, broadcasts back, and folds
// reduce over the rows at the end. So softmax or a norm is one pass over memory.
typedef enum { CJ_F32 = 0, CJ_F64 = 1, CJ_I32 = 2, CJ_I64 = 3, CJ_B8 = 4 } cj_type;
// bool -> B8; uint8, int8, int16, int32 -> I32; int64 -> I64;
// float16, bfloat16, float32 -> F32; float64 -> F64.

typedef enum {
  // constants and casts
  CJ_CONSTANT,   // dst = immediate (bits of `type`, in `immediate`)
  CJ_CAST,       // dst (of `type`) = a (of type `aux`); float to int truncates and
                 // saturates, NaN gives 0; int to narrower int wraps; to bool is != 0
  CJ_ROUND,      // dst = a rounded to dtype `aux` (float16, bfloat16: nearest even, in F32;
                 // int8, uint8, int16: wraps, in I32); same compute type
  // arithmetic: every `type` but B8, where only add (or) and multiply (and) are. Integer arithmetic wraps.
  CJ_ADD, CJ_SUBTRACT, CJ_MULTIPLY,
  CJ_DIVIDE,        // floats only
  CJ_MULTIPLY_ADD,  // dst = round(round(a*b) + c): two roundings, one pass
  CJ_FLOOR_DIVIDE,  // floor(a / b); integers: by zero gives 0
  CJ_REMAINDER,     // Python's %: a - floor(a/b)*b, exact before one rounding, the sign (of zero too) of b;
                    // integers: by zero gives 0
  CJ_POWER,         // floats: pow. integers: by squaring, negative exponent gives 0 (1 for base 1, +-1 for base -1)
  CJ_MAXIMUM, CJ_MINIMUM,  // NaN if either is NaN, of equals (two zeros) the second; B8 too (or, and)
  CJ_NEGATE, CJ_ABS, CJ_SIGN,  // sign(NaN) = NaN, sign(+-0) = 0
  // floats only
  CJ_SQRT, CJ_RSQRT, CJ_EXP, CJ_EXPM1, CJ_LOG, CJ_LOG1P, CJ_SIN, CJ_COS, CJ_TANH, CJ_ERF, CJ_SIGMOID,
  CJ_FLOOR, CJ_CEIL, CJ_ROUND_EVEN,
  // comparisons: operands of `type` (any), dst B8
  CJ_EQUAL, CJ_NOT_EQUAL, CJ_LESS, CJ_LESS_EQUAL, CJ_GREATER, CJ_GREATER_EQUAL,
  // logic: B8 (logical) and I32, I64 (bitwise)
  CJ_AND, CJ_OR, CJ_XOR, CJ_NOT,
  CJ_SELECT,  // dst (of `type`, any) = a (B8) ? b : c
  // between rows and the space
  CJ_REDUCE,     // dst (a row register) = a reduced along the columns; `aux`: cj_reduction, as cj_reduce
                 // does it; F32, F64
  CJ_BROADCAST,  // dst = a (a row register) at every column
  CJ_OPCODE_COUNT
} cj_opcode;

typedef enum { CJ_FULL = 0, CJ_ROW = 1 } cj_extent;  // what a register holds

typedef struct {
  uint8_t op;        // cj_opcode
  uint8_t type;      // cj_type of the operation (for comparisons: of the operands)
  uint8_t aux;       // see above
  uint8_t extent;    // cj_extent of dst
  uint16_t dst, a, b, c;  // registers
  uint64_t immediate;     // CJ_CONSTANT
} cj_instruction;

// An operand in memory, or (slot < 0) the affine function offset + sum(coordinate
// * stride) of the coordinates as I64: what iota is made of.
typedef struct {
  int32_t slot;      // index into `slots`; -1: affine
  uint8_t dtype;     // cj_dtype in memory
  uint8_t extent;    // cj_extent; CJ_ROW: the stride of the last axis is not used
  uint16_t reg;      // register loaded or stored
  int64_t offset;    // elements
  int64_t strides[CJ_MAX_RANK];  // elements per axis of the iteration space; 0 broadcasts; may be negative
} cj_access;

// A reduction over the rows: slot[column] = the full register `reg` (F32 or F64) reduced over all rows
// as cj_reduce does it, rounded to `dtype`.
typedef struct {
  int32_t slot;
  uint16_t reg;
  uint8_t op;     // cj_reduction
  uint8_t dtype;  // cj_dtype in memory
} cj_fold;

typedef struct {
  int32_t rank;                  // at least 1; the caller merges axes where it can
  int64_t extents[CJ_MAX_RANK];  // all positive; the last axis is the columns
  int32_t load_count, store_count, instruction_count, register_count;
  const cj_access *loads;        // each register is written once, by a load or an instruction
  const cj_access *stores;       // stores never broadcast; a store may alias a load of the same
                                 // slot, offset and strides (in place)
  const cj_instruction *instructions;
  int32_t fold_count;
  const cj_fold *folds;
} cj_group;

// What one group keeps between its runs, which may be several at a time.
typedef struct cj_group_memo cj_group_memo;
cj_group_memo *_Nullable cj_group_memo_make(void);
void cj_group_memo_free(cj_group_memo *_Nullable memo);

// slots[i] is the base address of operand i. Runs on the pool. workspace: at least cj_group_workspace
// bytes, 64-byte aligned; NULL gives the same bits, on one thread. memo: of this group alone, or NULL.
void cj_group_run(const cj_group *group, void *_Nullable const *_Nonnull slots, void *_Nullable workspace,
                  cj_group_memo *_Nullable memo);
int64_t cj_group_workspace(const cj_group *group);

// A group that runs over rectangles of its space, the last axis their columns, on the threads that call for it: a
// cj_block_done, with a cj_group_blocks as its context. The group has no rows or folds. What is started lies in the
// calling thread's scratch until the thread starts or runs another group.
typedef struct {
  const void *whole, *parts;  // how it runs over whole rows, and over parts of rows
  uint64_t number;
} cj_group_blocks;
cj_group_blocks cj_group_start_blocks(const cj_group *group, void *_Nullable const *_Nonnull slots,
                                      cj_group_memo *_Nullable memo);
void cj_group_run_block(void *_Nullable blocks, int64_t row, int64_t rows, int64_t column, int64_t columns);

// ---------------------------------------------------------------- strided copies
// dst[index . dst_strides] = src[index . src_strides], strides in elements (may be 0 for src,
// negative for both), element_bytes 1, 2, 4 or 8. Runs on the pool.
void cj_copy(int32_t element_bytes, int32_t rank, const int64_t *extents, const void *src,
             const int64_t *src_strides, void *dst, const int64_t *dst_strides);
void cj_fill(int32_t element_bytes, int64_t count, uint64_t bits, void *dst);

// ---------------------------------------------------------------- reductions
typedef enum { CJ_SUM = 0, CJ_PRODUCT = 1, CJ_MAX = 2, CJ_MIN = 3 } cj_reduction;
// in: contiguous [outer, n, inner]; out: contiguous [outer, inner]; both of dtype `in_dtype` but
// for sums and products of integers and bool, whose out is int64. float16 and bfloat16 accumulate in
// float32 and round once. n = 0 gives 0, 1, -inf/lowest, +inf/highest. MAX, MIN: NaN wins; bool: or, and.
// float32/64 sums: several independent accumulators and a fixed tree: the error grows with log n.
// workspace: at least cj_reduce_workspace bytes, 64-byte aligned; NULL gives the same bits, with less
// to do in parallel.
void cj_reduce(cj_reduction op, cj_dtype in_dtype, int64_t outer, int64_t n, int64_t inner,
               const void *in, void *out, void *_Nullable workspace);
int64_t cj_reduce_workspace(cj_reduction op, cj_dtype in_dtype, int64_t outer, int64_t n, int64_t inner);
// Index (int64) of the first maximum (or minimum) along n; the first NaN wins. n > 0.
void cj_arg_reduce(bool maximum, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner,
                   const void *in, int64_t *out);

// ---------------------------------------------------------------- along an axis
// in: contiguous [outer, n, inner]. out: [outer, count, inner], the positions along n of the first
// `count` elements in order: equal ones as they stand, zeros of both signs equal, NaN last in either
// direction. workspace: cj_argsort_workspace bytes, 64-byte aligned.
void cj_argsort(bool descending, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner, int64_t count,
                const void *in, int64_t *out, void *workspace);
int64_t cj_argsort_workspace(int64_t outer, int64_t n, int64_t inner);
// out[o, k, i] = the sum of in[o, 0...k, i], or of in[o, k..., i] where reversed. in, out: contiguous
// [outer, n, inner], of dtype; sums of integers and bool are int64. Floats add in double and round each sum.
void cj_cumulative_sum(bool reversed, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner,
                       const void *in, void *out);

// ---------------------------------------------------------------- matrix products
// For each batch b: C[b] = op(A[b]) . op(B[b]); C contiguous [batch, m, n].
// op(A) is m x k: A stored [m, k] or, transposed, [k, m]; likewise B [k, n] or [n, k]. Rows of A are
// lda elements apart, of B ldb. a_batch, b_batch: elements between matrices, 0 shares one.
// float32, float64; float16, bfloat16 (accumulate in float32, round once); int32, int64 (wrapping).
// k = 0 gives zeros.
typedef struct __attribute__((swift_attr("@Sendable"))) {
  cj_dtype dtype;
  bool a_transposed, b_transposed;
  int64_t batch, m, n, k;
  int64_t lda, a_batch, ldb, b_batch;
  const void *_Nullable packed_b;  // B as cj_pack_b left it, or NULL
} cj_product;
// A rectangle of C, seen as [batch * m, n], has its final value and is still in the cache. Called on the
// thread that computed it; the rectangles of a product cover C and do not overlap.
typedef void (*cj_block_done)(void *_Nullable context, int64_t row, int64_t rows, int64_t column,
                              int64_t columns);
void cj_matmul(const cj_product *product, const void *a, const void *b, void *c, cj_block_done _Nullable done,
               void *_Nullable context);

// Whether all rectangles are whole rows of C.
bool cj_product_has_whole_rows(const cj_product *product);

// Bytes of B as the product's kernels read it, for a B that meets many products; 0 where that saves nothing.
// It depends on B and its layout, not on the rows of A, and is good at the SIMD level that it was packed at.
int64_t cj_packed_b_bytes(const cj_product *product);
// packed: 64-byte aligned.
void cj_pack_b(const cj_product *product, const void *b, void *packed);

// ---------------------------------------------------------------- gather and scatter
// Indices are int32 or int64, already checked; negative ones count from the end.
// Position of the first index outside -extent ..< extent (or 0 ..< extent unless allow_negative); -1: none.
int64_t cj_first_bad_index(cj_dtype dtype, int64_t count, const void *indices, int64_t extent,
                           bool allow_negative);
// out[o, i, :] = x[o, indices[i], :]; x [outer, extent, inner], out [outer, count, inner].
void cj_gather(int32_t element_bytes, int64_t outer, int64_t extent, int64_t inner, int64_t count,
               cj_dtype index_dtype, const void *indices, const void *x, void *out);
// x[o, indices[i], :] += updates[o, i, :], in the order of i for each element.
void cj_scatter_add(cj_dtype dtype, int64_t outer, int64_t extent, int64_t inner, int64_t count,
                    cj_dtype index_dtype, const void *indices, const void *updates, void *x);
// out[o, j, i] = x[o, indices[o, j, i], i]; x [outer, extent, inner], indices and out [outer, count, inner].
void cj_gather_along(int32_t element_bytes, int64_t outer, int64_t extent, int64_t inner,
                     int64_t count, cj_dtype index_dtype, const void *indices, const void *x, void *out);
// x[o, indices[o, j, i], i] += updates[o, j, i], in the order of j for each element.
void cj_scatter_add_along(cj_dtype dtype, int64_t outer, int64_t extent, int64_t inner,
                          int64_t count, cj_dtype index_dtype, const void *indices,
                          const void *updates, void *x);

// ---------------------------------------------------------------- random numbers
// Philox4x32-10 (Salmon et al. 2011) with key = `key` and counter = (block, stream), where element i
// takes word i % 4 of block i / 4 (one word an element), or words 2i % 4 and 2i % 4 + 1 of block i / 2 (two).
void cj_philox_block(uint64_t key, uint64_t stream, uint64_t block, uint32_t out[_Nonnull 4]);
typedef enum {
  CJ_RANDOM_UNIFORM = 0,  // [0, 1): float32, float16, bfloat16: one word, its top 24 (11, 8) bits; float64: two words,
                          // 53 bits: (w0 >> 5) * 2^26 + (w1 >> 6), times 2^-53
  CJ_RANDOM_NORMAL = 1,   // two words: Box-Muller, sqrt(-2 ln((w0 + 1) * 2^-32)) * cos(2 pi w1 * 2^-32); computed in
                          // float32 (float64: in float64) and rounded once
  CJ_RANDOM_BITS = 2,     // int64: one word, 0 ..< 2^32
} cj_distribution;
void cj_random(cj_distribution distribution, cj_dtype dtype, uint64_t key, uint64_t stream,
               int64_t count, void *out);

// ---------------------------------------------------------------- conversions
float cj_half_to_float(uint16_t bits);
uint16_t cj_float_to_half(float value);  // nearest even; overflow to infinity
// Whether a block of floats holds a NaN or an infinity.
bool cj_any_nonfinite(cj_dtype dtype, int64_t count, const void *values);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
#endif
