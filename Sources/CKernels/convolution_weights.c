// The gradient of a convolution's weights: dw[t, c, f] = the sum over positions of x[.., c] dy[.., f], a product
// whose steps are positions. A slab of dy is packed into panels, as B of any product; what meets it is gathered from x
// for a few rows of dw at a time, into the first-level cache. So patches of x never lie in memory.
//
// dw is cut into blocks, and positions into chunks where blocks are too few: by the shape alone. Chunks keep their
// sums apart, which are added by the tree of reductions. An element is the sum of a chunk's products in the order of
// positions, a slab at a time; no cut into blocks changes a bit of it.

#include "depthwise.h"
#include "weights_lines.h"
#include "winograd_weights.h"

enum {
  PANEL = 12,              // rows gathered at a time: whole tiles at every level
  DEPTH = 256,             // positions of a slab at most: its panels stay in the first-level cache
  BLOCK_COLUMNS = 256,     // of a block at most: a slab of dy stays in the second-level cache
  LEAST_ROWS = 4 * PANEL,  // of a block, which packs dy for itself
  LEAST_TASKS = 16,        // wanted, so that uneven threads finish together
  REDUCED = 8192,          // sums of a task that adds those of the chunks
};
// Multiply-adds of a task at least.
#define LEAST_WORK (INT64_C(1) << 16)

typedef struct {
  const cj_convolution_shape *shape;
  const cj_level *level;
  const cj_gemm_kernels *kernels;
  int64_t bytes, compute_bytes;  // of an element in memory and of a sum
  int64_t rows, columns;         // of a group: a window's channels and its filters
  int64_t run;                   // rows that lie together in x
  int64_t last_taps;             // along the last axis, of which a run is one; 1 where it has them all
  int64_t positions, depth;      // depth: of a slab
  int64_t chunk, chunks;
  int64_t block_rows, block_columns, row_blocks, column_blocks;
  const char *x, *dy;
  char *sums;  // [chunks, window, channels / groups, filters]: dw itself where nothing is left to do
  char *dw;
} weight_gradient;

// ---------------------------------------------------------------- rows from x

// Elements along + 0..<length of a line of x, at positions first..<end of a line of y. Those outside x are zero.
typedef struct {
  const char *line;
  int64_t along, length;
  int64_t step, extent;  // elements of x between positions, and of the line
} piece;

static void gather_edge(const weight_gradient *job, const piece *p, int64_t first, int64_t end, char *to) {
  const int64_t to_step = PANEL * job->compute_bytes;
  for (int64_t o = first; o < end; o++, to += to_step) {
    const int64_t at = p->along + o * p->step, outside = cj_max64(0, -at);
    const int64_t inside = cj_min64(p->length, p->extent - at) - outside;
    memset(to, 0, (size_t)(p->length * job->compute_bytes));
    if (inside > 0)
      job->level->copy_pieces[job->shape->dtype](1, inside, p->line + (at + outside) * job->bytes, 0,
                                                 to + outside * job->compute_bytes, to_step);
  }
}

static void gather_line(const weight_gradient *job, const piece *p, int64_t first, int64_t end, char *to) {
  const int64_t to_step = PANEL * job->compute_bytes, last = p->extent - p->length - p->along;
  const int64_t whole = cj_min64(end, cj_max64(first, cj_ceil_div(cj_max64(0, -p->along), p->step)));
  const int64_t whole_end = cj_min64(end, cj_max64(whole, last < 0 ? 0 : last / p->step + 1));
  gather_edge(job, p, first, whole, to);
  job->level->copy_pieces[job->shape->dtype](whole_end - whole, p->length,
                                             p->line + (p->along + whole * p->step) * job->bytes, p->step,
                                             to + (whole - first) * to_step, to_step);
  gather_edge(job, p, whole_end, end, to + (whole_end - first) * to_step);
}

// Rows row..<row + length, of one run, at `depth` positions from `position` on.
static void gather_run(const weight_gradient *job, int64_t group, int64_t row, int64_t length, int64_t position,
                       int64_t depth, char *to) {
  const cj_convolution_shape *s = job->shape;
  const int64_t tap = row / job->run, t2 = tap % job->last_taps;
  const int64_t t1 = tap / job->last_taps % s->window[1], t0 = tap / job->last_taps / s->window[1];
  const int64_t extent = s->extents[2] * s->channels;
  piece p = {.along = (t2 * s->dilations[2] - s->before[2]) * s->channels + group * (s->channels / s->groups) +
                      row % job->run,
             .length = length,
             .step = s->strides[2] * s->channels};
  for (const int64_t end = position + depth; position < end;) {
    const int64_t line = position / s->results[2], o2 = position % s->results[2];
    const int64_t count = cj_min64(end - position, s->results[2] - o2);
    const int64_t o1 = line % s->results[1], o0 = line / s->results[1] % s->results[0];
    const int64_t n = line / s->results[1] / s->results[0];
    const int64_t i0 = o0 * s->strides[0] + t0 * s->dilations[0] - s->before[0];
    const int64_t i1 = o1 * s->strides[1] + t1 * s->dilations[1] - s->before[1];
    const bool inside = i0 >= 0 && i0 < s->extents[0] && i1 >= 0 && i1 < s->extents[1];
    p.line = inside ? job->x + ((n * s->extents[0] + i0) * s->extents[1] + i1) * extent * job->bytes : job->x;
    p.extent = inside ? extent : 0;
    gather_line(job, &p, o2, o2 + count, to);
    position += count;
    to += count * PANEL * job->compute_bytes;
  }
}

// ---------------------------------------------------------------- blocks

// A slab of dy in panels.
static void pack_slab(const weight_gradient *job, int64_t column, int64_t columns, int64_t position, int64_t depth,
                      char *packed) {
  const cj_gemm_kernels *kernels = job->kernels;
  const int64_t filters = job->shape->filters;
  for (int64_t j = 0; j < columns; j += kernels->width, packed += depth * kernels->width * kernels->step_bytes) {
    const int64_t at = position * filters + column + j;
    const cj_gemm_lines lines = {.data = job->dy + at * job->bytes,
                                 .lines = cj_min64(kernels->width, columns - j),
                                 .depth = depth,
                                 .line_stride = 1,
                                 .depth_stride = filters,
                                 .readable = job->positions * filters - at};
    kernels->pack_b(&lines, packed);
  }
}

typedef struct {
  int64_t group, row, rows, column, columns, position, depth;
  char *sums;
} slab;

static void multiply_slab(const weight_gradient *job, const slab *s, bool accumulate, char *dy, char *rows) {
  const cj_gemm_kernels *kernels = job->kernels;
  const int64_t column = s->group * job->columns + s->column;
  pack_slab(job, column, s->columns, s->position, s->depth, dy);
  cj_gemm_panel panel = {.steps = s->depth,
                         .a = rows,
                         .a_line = job->compute_bytes,
                         .a_step = PANEL * job->compute_bytes,
                         .b_step = kernels->width * kernels->step_bytes,
                         .c_line = job->shape->filters * job->compute_bytes,
                         .accumulate = accumulate};
  for (int64_t i = 0; i < s->rows; i += PANEL) {
    int64_t row = s->row + i, left = panel.rows = cj_min64(PANEL, s->rows - i);
    for (char *to = rows; left > 0;) {  // run by run
      const int64_t length = cj_min64(left, job->run - row % job->run);
      gather_run(job, s->group, row, length, s->position, s->depth, to);
      row += length;
      left -= length;
      to += length * job->compute_bytes;
    }
    for (int64_t j = 0; j < s->columns; j += kernels->width) {
      panel.columns = cj_min64(kernels->width, s->columns - j);
      panel.b = dy + j * s->depth * kernels->step_bytes;
      panel.c = s->sums + ((s->row + i) * job->shape->filters + column + j) * job->compute_bytes;
      kernels->multiply(&panel);
    }
  }
}

static void run_block(void *context, int64_t task) {
  const weight_gradient *job = context;
  const int64_t dw_bytes = job->rows * job->shape->filters * job->compute_bytes;
  const int64_t column_block = task % job->column_blocks, row_block = task / job->column_blocks % job->row_blocks;
  const int64_t chunk = task / job->column_blocks / job->row_blocks % job->chunks;
  slab s = {.group = task / job->column_blocks / job->row_blocks / job->chunks,
            .row = row_block * job->block_rows,
            .column = column_block * job->block_columns,
            .sums = job->sums + chunk * dw_bytes};
  s.rows = cj_min64(job->block_rows, job->rows - s.row);
  s.columns = cj_min64(job->block_columns, job->columns - s.column);
  const int64_t rows_bytes = cj_gemm_in_lines(PANEL * job->depth * job->compute_bytes);
  const int64_t padded = cj_ceil_div(s.columns, job->kernels->width) * job->kernels->width;
  char *rows = cj_scratch(CJ_SCRATCH_PRODUCT, rows_bytes + padded * job->depth * job->compute_bytes);
  const int64_t first = chunk * job->chunk, end = cj_min64(job->positions, first + job->chunk);
  for (s.position = first; s.position < end; s.position += job->depth) {
    s.depth = cj_min64(job->depth, end - s.position);
    multiply_slab(job, &s, s.position > first, rows + rows_bytes, rows);
  }
}

// ---------------------------------------------------------------- sums of chunks

typedef struct {
  const cj_level *level;
  cj_dtype dtype;
  int64_t chunks, count;
  char *sums, *out;
} chunk_sums;

static void add_part(void *context, int64_t task) {
  const chunk_sums *job = context;
  const int64_t bytes = cj_dtype_bytes(job->dtype), compute_bytes = bytes == 2 ? 4 : bytes, first = task * REDUCED;
  const int64_t part = cj_min64(REDUCED, job->count - first);
  char *sums = job->sums + first * compute_bytes;
  cj_combine_tree(CJ_SUM, bytes == 8 ? CJ_FLOAT64 : CJ_FLOAT32, job->chunks, part, job->count * compute_bytes, sums);
  job->level->store[job->dtype](part, job->out + first * bytes, sums);
}

void cj_add_chunks(const cj_level *level, cj_dtype dtype, int64_t chunks, int64_t count, void *sums, void *out) {
  chunk_sums job = {level, dtype, chunks, count, sums, out};
  cj_parallel(cj_ceil_div(count, REDUCED), add_part, &job);
}

// ---------------------------------------------------------------- cut

// Equal parts of at most `most`, of whole units.
static int64_t even_part(int64_t extent, int64_t most, int64_t unit) {
  const int64_t parts = cj_ceil_div(extent, most);
  return cj_ceil_div(cj_ceil_div(extent, parts), unit) * unit;
}

// Halves blocks or chunks until there are enough, whichever moves fewer bytes: another block of rows reads x and dy
// once more, another chunk writes dw and reads it.
static void cut(weight_gradient *job) {
  const cj_convolution_shape *s = job->shape;
  const int64_t inputs = s->batch * s->extents[0] * s->extents[1] * s->extents[2] * s->channels;
  const int64_t reads = inputs + job->positions * s->filters, writes = 2 * job->rows * s->filters;
  job->depth = even_part(job->positions, DEPTH, 1);
  const int64_t slabs = cj_ceil_div(job->positions, job->depth);
  job->block_columns = even_part(job->columns, BLOCK_COLUMNS, job->kernels->width);
  job->column_blocks = cj_ceil_div(job->columns, job->block_columns);
  int64_t rows = job->rows, chunk = slabs;
  for (;;) {
    const int64_t row_blocks = cj_ceil_div(job->rows, rows), chunks = cj_ceil_div(slabs, chunk);
    const bool enough = s->groups * job->column_blocks * row_blocks * chunks >= LEAST_TASKS;
    const bool cuts_rows = rows >= 2 * LEAST_ROWS, cuts_chunks = chunk >= 2;
    if (enough || rows * job->block_columns * chunk * job->depth < 2 * LEAST_WORK || !(cuts_rows || cuts_chunks)) break;
    if (cuts_rows && (!cuts_chunks || row_blocks * reads <= chunks * writes)) rows = cj_ceil_div(rows, 2);
    else chunk = cj_ceil_div(chunk, 2);
  }
  job->block_rows = even_part(job->rows, rows, PANEL);
  job->row_blocks = cj_ceil_div(job->rows, job->block_rows);
  job->chunk = chunk * job->depth;
  job->chunks = cj_ceil_div(slabs, chunk);
}

static weight_gradient make(const cj_convolution_shape *s) {
  const int64_t taps = s->window[0] * s->window[1] * s->window[2];
  const bool joined = s->groups == 1 && (s->dilations[2] == 1 || s->window[2] == 1);
  const cj_level *level = cj_current_level();
  weight_gradient job = {.shape = s,
                         .level = level,
                         .kernels = level->gemm[s->dtype],
                         .bytes = cj_dtype_bytes(s->dtype),
                         .rows = taps * (s->channels / s->groups),
                         .columns = s->filters / s->groups,
                         .last_taps = joined ? 1 : s->window[2],
                         .run = (joined ? s->window[2] : 1) * (s->channels / s->groups),
                         .positions = s->batch * s->results[0] * s->results[1] * s->results[2]};
  job.compute_bytes = job.bytes == 2 ? 4 : job.bytes;
  if (job.rows * job.columns * job.positions > 0) cut(&job);
  return job;
}

// ---------------------------------------------------------------- entry

int64_t cj_convolution_weight_gradient_workspace(const cj_convolution_shape *shape) {
  if (cj_is_depthwise(shape)) return cj_depthwise_weight_gradient_workspace(shape);
  const int64_t winograd_bytes = cj_winograd_weights_workspace(shape);
  if (winograd_bytes > 0) return winograd_bytes;
  const int64_t lines_bytes = cj_weights_lines_workspace(shape);
  if (lines_bytes > 0) return lines_bytes;
  const weight_gradient job = make(shape);
  const bool is_final = job.chunks == 1 && job.bytes == job.compute_bytes;
  return is_final ? 0 : job.chunks * job.rows * shape->filters * job.compute_bytes;
}

void cj_convolution_weight_gradient(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                                    void *workspace) {
  weight_gradient job = make(shape);
  const int64_t count = job.rows * shape->filters;
  if (job.positions == 0) cj_fill((int32_t)job.bytes, count, 0, dw);
  if (count * job.positions == 0) return;
  if (cj_is_depthwise(shape)) {
    cj_depthwise_weight_gradient(shape, x, dy, dw, workspace);
    return;
  }
  if (cj_winograd_weights_workspace(shape) > 0) {
    cj_winograd_weights_run(shape, x, dy, dw, workspace);
    return;
  }
  if (cj_weights_lines_workspace(shape) > 0) {
    cj_weights_lines_run(shape, x, dy, dw, workspace);
    return;
  }
  const bool is_final = job.chunks == 1 && job.bytes == job.compute_bytes;
  job.x = x;
  job.dy = dy;
  job.dw = dw;
  job.sums = is_final ? dw : workspace;
  cj_parallel(shape->groups * job.chunks * job.row_blocks * job.column_blocks, run_block, &job);
  if (!is_final) cj_add_chunks(job.level, shape->dtype, job.chunks, count, job.sums, dw);
}
