// Matrix products: what they ask of a SIMD level, and what their files share.

#ifndef CAJAL_MATMUL_H
#define CAJAL_MATMUL_H

#include "include/cajal_kernels.h"

// A step is what a tile takes of k at a time: one element, or a pair of bfloat16 where hardware adds
// the products of pairs. Steps are of the compute type, or such a pair. Strides of what is packed
// are in bytes, those of operands in elements.

// Lines of one operand, rows of A or columns of B: one of the strides is 1.
typedef struct {
  const char *data;
  int64_t lines, depth;
  int64_t line_stride, depth_stride;
  int64_t readable;  // elements from `data` on
} cj_gemm_lines;

// c (+)= a . b for some rows and the columns of one panel of B.
typedef struct {
  int64_t rows, columns, steps;
  const char *a;
  int64_t a_line, a_step;  // one of them is that of neighbours
  const char *b;
  int64_t b_step;          // `width` columns each; those beyond `columns` may hold anything
  // Where not NULL: the panel is filled from here, by the first rows that meet it.
  const char *source;
  int64_t source_step;
  char *filled;            // `b`
  char *c;
  int64_t c_line;
  bool accumulate;
  // What the next panel is made from, fetched meanwhile: lines of pieces of 64 bytes.
  const char *next;
  int64_t next_lines, next_line, next_pieces;
} cj_gemm_panel;

// sums = a . b for few rows, along the rows of B where they lie.
typedef struct {
  int64_t rows, columns, depth;
  const char *a;
  int64_t a_line;    // steps are neighbours
  const char *b;
  int64_t b_stride, readable;  // elements
  bool from_memory;            // B, rather than from a cache
  char *sums;
  int64_t sums_line;  // with room for CJ_GEMM_OVERHANG bytes
} cj_gemm_rows;
enum { CJ_GEMM_OVERHANG = 256 };

// c (+)= a . b where rows lie anywhere, and k is several runs of neighbours.
typedef struct {
  int64_t offset, steps;  // in bytes, of each row
} cj_gemm_run;
typedef struct {
  int64_t rows, columns;
  const char *const *a;
  const cj_gemm_run *runs;
  int64_t run_count;
  const char *b;   // a packed panel; for dots a line of steps for each column
  int64_t b_line;  // of dots
  char *const *c;
  int64_t c_offset;  // in bytes, of each row
  bool accumulate;
  const char *next;  // the next panel, fetched meanwhile
  int64_t next_bytes;
} cj_gemm_window;

// c = a . b for positions along a line, each step of k at an offset of its own.
typedef struct {
  int64_t positions, columns, steps;
  const char *a;
  int64_t a_step;          // between positions
  const int64_t *offsets;  // in bytes, of each step
  const char *b;           // packed panels
  int64_t b_panel;         // between them
  char *c;
  int64_t c_step;
} cj_gemm_line;

// sums += a' . b, whose steps are positions of some lines: those of b lie `columns` or more apart, each row of the sums
// finds its own in a. Strides are in bytes.
typedef struct {
  int64_t rows, columns, lines, positions;
  const char *a;
  const int64_t *offsets;  // of each row
  int64_t a_line, a_step;
  const char *b;  // whole panels can be read
  int64_t b_line, b_step;
  char *sums;
  int64_t sums_line;  // of whole panels
} cj_gemm_positions;

typedef struct cj_gemm_kernels {
  int64_t width;        // columns of a panel of B
  int64_t lanes;        // of a vector
  int64_t step;         // elements of k in a step
  int64_t step_bytes;
  bool reads_in_place;  // steps are what lies in memory, for A at least where k is a multiple of `step`
  void (*multiply)(const cj_gemm_panel *panel);
  void (*multiply_rows)(const cj_gemm_rows *rows);
  void (*multiply_window)(const cj_gemm_window *window);
  // For few columns. Runs are of whole vectors, nothing is accumulated.
  void (*multiply_dots)(const cj_gemm_window *window);
  void (*multiply_line)(const cj_gemm_line *line);
  void (*multiply_positions)(const cj_gemm_positions *part);
  // Lines of A `line_bytes` apart, their steps neighbours.
  void (*pack_a)(const cj_gemm_lines *lines, char *packed, int64_t line_bytes);
  // A panel of B: at most `width` lines.
  void (*pack_b)(const cj_gemm_lines *lines, char *packed);
} cj_gemm_kernels;

typedef struct {
  const char *data;
  int64_t lines;                      // rows of A, columns of B
  int64_t line_stride, depth_stride;  // elements
  int64_t batch_bytes;                // between matrices
} cj_gemm_operand;

typedef struct cj_gemm cj_gemm;
// Computes a block of C.
typedef void (*cj_gemm_block)(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns);

struct cj_gemm {
  cj_dtype dtype;
  int64_t bytes, compute_bytes;  // of an element in memory and of a sum
  int64_t batch, m, n, k;
  cj_gemm_operand a, b;
  char *c;
  const struct cj_level *level;
  const cj_gemm_kernels *kernels;  // NULL: integers
  int64_t depth;                   // of a slab
  bool packs_a, packs_b;
  bool from_memory;  // B comes, rather than from a cache
  const char *packed_b;  // all panels of B, NULL where each block packs its own
  bool keeps_lines;  // packed rows of A, for the thread's next block
  uint64_t number;   // of the product, to know them by
  cj_gemm_block block;
  int64_t block_rows, block_columns, row_blocks, column_blocks;
  int64_t matrices;  // of a task: more than one only where they are not cut
  bool is_column;    // C is computed as a row for the column it is
  cj_block_done done;
  void *context;
};

// NULL: integers.
struct cj_level;
const cj_gemm_kernels *cj_gemm_kernels_of(const struct cj_level *level, cj_dtype dtype);
void cj_gemm_multiply_block(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns);
void cj_gemm_multiply_rows(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns);
void cj_gemm_multiply_integers(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns);
// Bytes of packed rows of A.
int64_t cj_gemm_lines_bytes(const cj_gemm *job, int64_t rows);
// `lines` lines of an operand from `first` on, at some depth.
cj_gemm_lines cj_gemm_part(const cj_gemm *job, const cj_gemm_operand *operand, int64_t first, int64_t lines,
                           int64_t depth, int64_t depths);
// Bytes of a slab of a packed panel of B, and of all of them.
int64_t cj_gemm_panel_bytes(const cj_gemm *job);
int64_t cj_gemm_packed_bytes(const cj_gemm *job);
// Packs the panel of B that begins at `column` to its place.
void cj_gemm_pack_columns(const cj_gemm *job, int64_t column, char *packed);
// Sums of the compute type, `line` bytes apart, to rows of C.
void cj_gemm_store(const cj_gemm *job, int64_t rows, int64_t columns, const char *sums, int64_t line, char *c);

// Rounded up to whole cache lines.
static inline int64_t cj_gemm_in_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

#endif
