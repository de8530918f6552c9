// 3 x 3 windows by Winograd's F(4x4, 3x3): a tile of 4 x 4 results takes 36 multiplications a channel and filter
// instead of 144. Transformed weights are made once a call; a task has tiles enough that the transformed source stays
// in the second-level cache, and multiplies them by panel after panel of weights.
//
// Errors are three to seven times those of the sum of products (Documentation/decisions/0012-convolutions.md).

#include "convolution.h"

enum {
  AXES = CJ_CONVOLUTION_AXES,
  TILE = CJ_WINOGRAD_TILE,
  REACH = CJ_WINOGRAD_REACH,
  WINDOW = 3,
  MATRICES = CJ_WINOGRAD_MATRICES,
  PADDING = CJ_WINOGRAD_OVERHANG,  // between lines, which do not collide in the cache then
  SOURCE_BYTES = 512 << 10,        // transformed, of a task
  LEAST_TILES = 16,                // that share what is fetched of the weights
  MOST_TILES = 64,
  FEW_WEIGHTS = 1 << 20,
  // What transforms of a value cost, in multiply-adds.
  SOURCE_COST = 400,
  RESULT_COST = 450,
  WEIGHT_COST = 240,  // or what it takes to bring a transformed one from memory
};

bool cj_winograd_is_less(const cj_convolution_shape *shape, bool is_gradient) {
  const int64_t *extents = is_gradient ? shape->extents : shape->results, *window = shape->window;
  if (shape->is_plain || shape->dtype == CJ_FLOAT64 || shape->groups != 1) return false;
  if (window[0] != 1 || window[1] != WINDOW || window[2] != WINDOW) return false;
  for (int axis = 0; axis < AXES; axis++)
    if (shape->strides[axis] != 1 || shape->dilations[axis] != 1) return false;
  const int64_t channels = is_gradient ? shape->filters : shape->channels;
  const int64_t columns = is_gradient ? shape->channels : shape->filters, pairs = channels * columns;
  const int64_t planes = shape->batch * extents[0], positions = planes * extents[1] * extents[2];
  const int64_t tiles = planes * cj_ceil_div(extents[1], TILE) * cj_ceil_div(extents[2], TILE);
  const int64_t cost = (tiles * MATRICES + WEIGHT_COST) * pairs +
                       tiles * (channels * SOURCE_COST + columns * RESULT_COST);
  return cost < positions * WINDOW * WINDOW * pairs;
}

// ---------------------------------------------------------------- weights

// Of a panel.
static int64_t matrix_bytes(const cj_convolution_job *job) {
  return job->channels * job->kernels->width * (int64_t)sizeof(float) + PADDING;
}

int64_t cj_winograd_panels_bytes(const cj_convolution_job *job) {
  return cj_ceil_div(job->columns, job->kernels->width) * MATRICES * matrix_bytes(job);
}

static cj_winograd_planes planes(char *data, int64_t matrix, int64_t columns) {
  return (cj_winograd_planes){data, columns * matrix, matrix};
}

static char *panel_weights(const cj_convolution_job *job, int64_t panel) {
  return job->panels + panel * MATRICES * matrix_bytes(job);
}

void cj_winograd_pack_panel(void *context, int64_t panel) {
  const cj_convolution_job *job = context;
  const int64_t width = job->kernels->width, column = panel * width, bytes = matrix_bytes(job);
  const cj_phase rows = cj_convolution_phase(job, 1, 0), columns = cj_convolution_phase(job, 2, 0);
  char *taps = cj_scratch(CJ_SCRATCH_PRODUCT, WINDOW * WINDOW * bytes);
  for (int64_t i = 0; i < WINDOW; i++)
    for (int64_t j = 0; j < WINDOW; j++) {
      const int64_t tap = (rows.weight + i * rows.weight_step) * WINDOW + columns.weight + j * columns.weight_step;
      const cj_gemm_lines lines = cj_convolution_weights(job, 0, tap, 0, job->channels, column,
                                                         cj_min64(width, job->columns - column));
      job->kernels->pack_b(&lines, taps + (i * WINDOW + j) * bytes);
    }
  job->level->winograd->weights(job->channels * width, planes(taps, bytes, WINDOW),
                                planes(panel_weights(job, panel), bytes, REACH));
}

// ---------------------------------------------------------------- a box of tiles

typedef struct {
  const cj_convolution_job *job;
  const int64_t *first, *counts;  // of the box
  int64_t tiles;
  char *source, *sums, *stage;
  int64_t line, source_matrix, sums_matrix;  // in bytes
} box_work;

static void transform_source(const box_work *work) {
  const cj_convolution_job *job = work->job;
  const int64_t position = job->position_bytes, *counts = work->counts;
  cj_span spans[AXES];
  int64_t bytes = counts[0] * position;
  for (int axis = 0; axis < AXES; axis++) {
    const int64_t unit = job->unit[1 + axis];
    spans[axis] = (cj_span){.first = work->first[1 + axis] * unit + cj_convolution_phase(job, axis, 0).start,
                            .count = counts[1 + axis] * unit + job->window[axis] - 1,
                            .step = 1,
                            .taps = 1};
    bytes *= spans[axis].count;
  }
  const int64_t line = spans[2].count * position;
  char *copy = cj_scratch(CJ_SCRATCH_PRODUCT, bytes + CJ_WINOGRAD_OVERHANG);
  cj_convolution_copy(job, work->first[0], counts[0], 0, spans, copy);
  int64_t tile = 0;
  for (int64_t plane = 0; plane < counts[0] * counts[1]; plane++)
    for (int64_t row = 0; row < counts[2]; row++)
      for (int64_t column = 0; column < counts[3]; column++, tile++) {
        char *from = copy + (plane * spans[1].count + row * TILE) * line + column * TILE * position;
        job->level->winograd->source(job->channels, (cj_winograd_planes){from, line, position},
                                     planes(work->source + tile * work->line, work->source_matrix, REACH));
      }
}

static void multiply(const box_work *work, int64_t index) {
  const cj_convolution_job *job = work->job;
  const int64_t width = job->kernels->width, bytes = matrix_bytes(job);
  const char *weights = panel_weights(job, index);
  for (int64_t matrix = 0; matrix < MATRICES; matrix++) {
    const cj_gemm_panel panel = {.rows = work->tiles,
                                 .columns = width,
                                 .steps = job->channels,
                                 .a = work->source + matrix * work->source_matrix,
                                 .a_line = work->line,
                                 .a_step = sizeof(float),
                                 .b = weights + matrix * bytes,
                                 .b_step = width * (int64_t)sizeof(float),
                                 .c = work->sums + matrix * work->sums_matrix,
                                 .c_line = width * (int64_t)sizeof(float),
                                 .next = weights + (matrix + 1) * bytes,
                                 .next_lines = 1,
                                 .next_pieces = bytes / 64};
    job->kernels->multiply(&panel);
  }
}

// Results of a tile: at once where all of them are, else by way of room for all.
static void put_tile(const box_work *work, char *sums, char *to, int64_t rows, int64_t columns, int64_t filters) {
  const cj_convolution_job *job = work->job;
  const int64_t width = job->kernels->width, column = job->result_channels * job->bytes;
  const int64_t row = job->result_extents[2] * column, value = width * (int64_t)sizeof(float);
  const cj_winograd_planes from = planes(sums, work->sums_matrix, REACH);
  if (rows == TILE && columns == TILE && filters == width && job->dtype == CJ_FLOAT32) {
    job->level->winograd->result(width, from, (cj_winograd_planes){to, row, column});
    return;
  }
  job->level->winograd->result(width, from, planes(work->stage, value, TILE));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      job->level->store[job->dtype](filters, to + i * row + j * column, work->stage + (i * TILE + j) * value);
}

static void transform_results(const box_work *work, int64_t panel) {
  const cj_convolution_job *job = work->job;
  const int64_t *first = work->first, *counts = work->counts, *extents = job->result_extents;
  const int64_t width = job->kernels->width, filter = panel * width, filters = cj_min64(width, job->columns - filter);
  char *sums = work->sums;
  for (int64_t image = first[0]; image < first[0] + counts[0]; image++)
    for (int64_t plane = first[1]; plane < first[1] + counts[1]; plane++)
      for (int64_t row = first[2] * TILE; row < (first[2] + counts[2]) * TILE; row += TILE)
        for (int64_t column = first[3] * TILE; column < (first[3] + counts[3]) * TILE; column += TILE) {
          const int64_t at = ((image * extents[0] + plane) * extents[1] + row) * extents[2] + column;
          put_tile(work, sums, job->result + (at * job->result_channels + filter) * job->bytes,
                   cj_min64(TILE, extents[1] - row), cj_min64(TILE, extents[2] - column), filters);
          sums += width * (int64_t)sizeof(float);
        }
}

// What the thread transformed last: a task's neighbours have other columns of the same box.
static _Thread_local struct {
  uint64_t number;
  int64_t first[1 + AXES];
} kept;

static void find_source(box_work *work) {
  const cj_convolution_job *job = work->job;
  work->source = cj_scratch(CJ_SCRATCH_LINES, MATRICES * work->source_matrix);
  if (kept.number == job->number && memcmp(kept.first, work->first, sizeof kept.first) == 0) return;
  transform_source(work);
  kept.number = job->number;
  memcpy(kept.first, work->first, sizeof kept.first);
}

void cj_winograd_box(const cj_convolution_job *job, const int64_t *first, const int64_t *counts, int64_t group,
                     int64_t column, int64_t columns) {
  (void)group;
  const int64_t width = job->kernels->width, value = width * (int64_t)sizeof(float);
  const int64_t most = job->box[0] * job->box[1] * job->box[2] * job->box[3];
  box_work work = {.job = job,
                   .first = first,
                   .counts = counts,
                   .tiles = counts[0] * counts[1] * counts[2] * counts[3],
                   .line = job->position_bytes + PADDING};
  work.source_matrix = most * work.line;
  work.sums_matrix = most * value + PADDING;
  find_source(&work);
  work.sums = cj_scratch(CJ_SCRATCH_PRODUCT, MATRICES * work.sums_matrix + TILE * TILE * value);
  work.stage = work.sums + MATRICES * work.sums_matrix;
  for (int64_t panel = column / width; panel * width < column + columns; panel++) {
    multiply(&work, panel);
    transform_results(&work, panel);
  }
}

void cj_winograd_plan(cj_convolution_job *job) {
  job->kernels = job->level->gemm[job->dtype];  // whose steps are float32
  job->copies = true;
  job->position_bytes = job->channels * (int64_t)sizeof(float);
  job->counts[0] = job->batch;
  job->unit[0] = 1;
  for (int axis = 0; axis < AXES; axis++) {
    job->unit[1 + axis] = axis == 0 ? 1 : TILE;
    job->counts[1 + axis] = cj_ceil_div(job->result_extents[axis], job->unit[1 + axis]);
  }
  const int64_t fitting = SOURCE_BYTES / (MATRICES * (job->position_bytes + PADDING));
  // Weights that stay in the second-level cache are read again for nothing.
  job->least_box = cj_winograd_panels_bytes(job) <= FEW_WEIGHTS ? LEAST_TILES / 2 : LEAST_TILES;
  job->most_box = cj_max64(LEAST_TILES, cj_min64(MOST_TILES, fitting));
}
