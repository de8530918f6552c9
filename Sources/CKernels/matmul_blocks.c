// Blocks of a matrix product (Goto & van de Geijn, Anatomy of High-Performance Matrix Multiplication,
// 2008). A is read where it lies, or as lines that were packed so that their steps are neighbours. B comes
// panel by panel into the first-level cache, where all rows of the block meet it, while the next panel is
// fetched from wherever it is.

#include "internal.h"

enum {
  LINE_PADDING = 64,    // bytes between packed lines: they do not collide in the cache
  ROWS_THAT_WAIT = 12,  // for B, rather than for the arithmetic
};

cj_gemm_lines cj_gemm_part(const cj_gemm *job, const cj_gemm_operand *operand, int64_t first, int64_t lines,
                           int64_t depth, int64_t depths) {
  const int64_t at = first * operand->line_stride + depth * operand->depth_stride;
  const int64_t last = (operand->lines - 1) * operand->line_stride + (job->k - 1) * operand->depth_stride;
  return (cj_gemm_lines){.data = operand->data + at * job->bytes,
                         .lines = lines,
                         .depth = depths,
                         .line_stride = operand->line_stride,
                         .depth_stride = operand->depth_stride,
                         .readable = last + 1 - at};
}

void cj_gemm_store(const cj_gemm *job, int64_t rows, int64_t columns, const char *sums, int64_t line, char *c) {
  for (int64_t i = 0; i < rows; i++)
    job->level->store[job->dtype](columns, c + i * job->n * job->bytes, sums + i * line);
}

static int64_t steps(const cj_gemm *job, int64_t depth) { return cj_ceil_div(depth, job->kernels->step); }

static int64_t slab_depth(const cj_gemm *job, int64_t depth) { return cj_min64(job->depth, job->k - depth); }

// ---------------------------------------------------------------- lines of A

static int64_t line_bytes(const cj_gemm *job) {
  return cj_gemm_in_lines(steps(job, job->depth) * job->kernels->step_bytes) + LINE_PADDING;
}

int64_t cj_gemm_lines_bytes(const cj_gemm *job, int64_t rows) {
  return cj_ceil_div(job->k, job->depth) * rows * line_bytes(job);
}

// What the thread packed last: the next block of a task is most often beside it, with the same rows.
static _Thread_local struct {
  uint64_t product;
  const char *rows;
} kept;

static void pack_slab(const cj_gemm *job, int64_t row, int64_t rows, int64_t depth, char *packed) {
  const cj_gemm_lines lines = cj_gemm_part(job, &job->a, row, rows, depth, slab_depth(job, depth));
  job->kernels->pack_a(&lines, packed, line_bytes(job));
}

// All slabs of these rows, one after the other.
static const char *kept_lines(const cj_gemm *job, int64_t row, int64_t rows) {
  char *packed = cj_scratch(CJ_SCRATCH_LINES, cj_gemm_lines_bytes(job, job->block_rows));
  const char *data = cj_gemm_part(job, &job->a, row, rows, 0, 1).data;
  if (kept.product == job->number && kept.rows == data) return packed;
  for (int64_t depth = 0; depth < job->k; depth += job->depth)
    pack_slab(job, row, rows, depth, packed + depth / job->depth * rows * line_bytes(job));
  kept.product = job->number;
  kept.rows = data;
  return packed;
}

// Where the rows of a slab of A are; `own` is room to pack them, `all` has them already.
static void find_rows(const cj_gemm *job, int64_t row, int64_t depth, char *own, const char *all,
                      cj_gemm_panel *panel) {
  if (!job->packs_a) {
    panel->a = cj_gemm_part(job, &job->a, row, panel->rows, depth, 1).data;
    panel->a_line = job->a.line_stride * job->bytes;
    panel->a_step = job->a.depth_stride * job->kernels->step * job->bytes;
    return;
  }
  panel->a_line = line_bytes(job);
  panel->a_step = job->kernels->step_bytes;
  panel->a = all ? all + depth / job->depth * panel->rows * panel->a_line : own;
  if (!all) pack_slab(job, row, panel->rows, depth, own);
}

// ---------------------------------------------------------------- panels of B

// The panels of a block, in the order in which they come.
typedef struct {
  const cj_gemm *job;
  int64_t column, columns, slabs, panels;
  bool slabs_first;
} panel_order;

static cj_gemm_lines panel_at(const panel_order *order, int64_t index, int64_t *j, int64_t *depth) {
  const cj_gemm *job = order->job;
  const int64_t width = job->kernels->width;
  *j = (order->slabs_first ? index / order->slabs : index % order->panels) * width;
  *depth = (order->slabs_first ? index % order->slabs : index / order->panels) * job->depth;
  return cj_gemm_part(job, &job->b, order->column + *j, cj_min64(order->columns - *j, width), *depth,
                      slab_depth(job, *depth));
}

int64_t cj_gemm_panel_bytes(const cj_gemm *job) {
  return steps(job, job->depth) * job->kernels->width * job->kernels->step_bytes;
}

// Where a panel of a B that is packed once lies: by columns, then by slabs.
static int64_t packed_offset(const cj_gemm *job, int64_t column, int64_t depth) {
  const int64_t slabs = cj_ceil_div(job->k, job->depth);
  return (column / job->kernels->width * slabs + depth / job->depth) * cj_gemm_panel_bytes(job);
}

static const char *packed_panel(const cj_gemm *job, int64_t column, int64_t depth) {
  return job->packed_b ? job->packed_b + packed_offset(job, column, depth) : NULL;
}

int64_t cj_gemm_packed_bytes(const cj_gemm *job) {
  return cj_ceil_div(job->n, job->kernels->width) * cj_ceil_div(job->k, job->depth) * cj_gemm_panel_bytes(job);
}

void cj_gemm_pack_columns(const cj_gemm *job, int64_t column, char *packed) {
  const int64_t columns = cj_min64(job->n - column, job->kernels->width);
  for (int64_t depth = 0; depth < job->k; depth += job->depth) {
    const cj_gemm_lines lines = cj_gemm_part(job, &job->b, column, columns, depth, slab_depth(job, depth));
    job->kernels->pack_b(&lines, packed + packed_offset(job, column, depth));
  }
}

static void find_panel(const cj_gemm *job, const cj_gemm_lines *lines, const char *packed, char *own,
                       cj_gemm_panel *panel) {
  const int64_t width = job->kernels->width;
  const bool packs = !packed && (job->packs_b || lines->lines < width);
  // Left to the first rows, whose steps are neighbours.
  const bool fills = packs && lines->lines == width && lines->line_stride == 1 && job->kernels->reads_in_place &&
                     job->kernels->step == 1 && panel->a_step == job->kernels->step_bytes;
  panel->source = fills ? lines->data : NULL;
  panel->source_step = lines->depth_stride * job->bytes;
  panel->filled = own;
  if (packs && !fills) job->kernels->pack_b(lines, own);
  panel->columns = lines->lines;
  panel->b = packed ? packed : packs ? own : lines->data;
  panel->b_step = packed || packs ? width * job->kernels->step_bytes : lines->depth_stride * job->bytes;
}

static void fetch(const cj_gemm *job, const cj_gemm_lines *lines, const char *packed, cj_gemm_panel *panel) {
  if (packed) {
    panel->next = packed;
    panel->next_lines = 1;
    panel->next_pieces = cj_ceil_div(steps(job, lines->depth) * job->kernels->width * job->kernels->step_bytes, 64);
    return;
  }
  const bool along = lines->depth_stride == 1;
  panel->next = lines->data;
  panel->next_lines = along ? lines->lines : lines->depth;
  panel->next_line = (along ? lines->line_stride : lines->depth_stride) * job->bytes;
  panel->next_pieces = cj_ceil_div((along ? lines->depth : lines->lines) * job->bytes, 64);
}

void cj_gemm_multiply_block(const cj_gemm *job, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const int64_t width = job->kernels->width;
  const bool is_wide = job->bytes == job->compute_bytes;
  const int64_t sums_line = cj_gemm_in_lines(columns * job->compute_bytes);
  const int64_t panel_bytes = cj_gemm_panel_bytes(job);
  const char *all_lines = job->keeps_lines ? kept_lines(job, row, rows) : NULL;
  const int64_t lines_bytes = job->packs_a && !all_lines ? rows * line_bytes(job) : 0;
  char *own_panel = cj_scratch(CJ_SCRATCH_PRODUCT, panel_bytes + lines_bytes + (is_wide ? 0 : rows * sums_line));
  char *own_lines = own_panel + panel_bytes, *sums = own_lines + lines_bytes;
  char *c = job->c + (row * job->n + column) * job->bytes;
  cj_gemm_panel panel = {.rows = rows, .c_line = is_wide ? job->n * job->bytes : sums_line};
  // Memory gives B fastest along its lines.
  const panel_order order = {job, column, columns, cj_ceil_div(job->k, job->depth), cj_ceil_div(columns, width),
                             rows <= ROWS_THAT_WAIT && job->b.depth_stride == 1};
  int64_t j, depth, slab = -1;
  cj_gemm_lines lines = panel_at(&order, 0, &j, &depth);
  for (int64_t index = 0; index < order.slabs * order.panels; index++) {
    if (depth != slab) find_rows(job, row, depth, own_lines, all_lines, &panel);
    slab = depth;
    panel.steps = steps(job, slab_depth(job, depth));
    panel.accumulate = depth > 0;
    panel.c = (is_wide ? c : sums) + j * job->compute_bytes;
    find_panel(job, &lines, packed_panel(job, column + j, depth), own_panel, &panel);
    panel.next_lines = 0;
    if (index + 1 < order.slabs * order.panels) {
      lines = panel_at(&order, index + 1, &j, &depth);
      if (job->packs_b) fetch(job, &lines, packed_panel(job, column + j, depth), &panel);
    }
    job->kernels->multiply(&panel);
  }
  if (!is_wide) cj_gemm_store(job, rows, columns, sums, sums_line, c);
}
