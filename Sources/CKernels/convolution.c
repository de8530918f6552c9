// Convolutions and their input gradients as products without their left matrix: rows are results, columns filters,
// and what a row would hold, the window's values, is read from the source where it lies, or from a copy of the few
// lines of it that a task needs, with zeros around them. How results are cut depends on the shape alone.
//
// An element is the sum of its products by parts of channels, then taps, then channels; no cut changes a bit.

#include "convolution.h"
#include "depthwise.h"

#include <stdatomic.h>

enum {
  DEPTH = 256,               // products of a slab: a panel of weights stays in the first-level cache
  BOX_ROWS = 256,            // results of a task at most
  LEAST_ROWS = 32,           // for which fetching weights pays
  SOURCE_BYTES = 384 << 10,  // what a task takes of the source at a time stays in the second-level cache
  BLOCK_COLUMNS = 512,
  LEAST_TASKS = 16,          // wanted, so that uneven threads finish together
  POSITIONS_THAT_GAIN = 4096,  // results for which a copy of the weights saves much (decision 12)
  DOTS = 8,                  // vectors of products at least that pay for adding up their lanes
  LEAST_LINE = 8,            // results along a line at least that fill tiles
  LINE_PRODUCTS = 160,       // of a result at most: tiles of rows are as fast for more
  LINE_WEIGHTS = 24 << 10,   // that stay in the first-level cache beside the lines
};

static int64_t even_part(int64_t extent, int64_t most, int64_t unit) {
  const int64_t parts = cj_ceil_div(extent, most);
  return cj_ceil_div(cj_ceil_div(extent, parts), unit) * unit;
}

static int64_t count_of(const int64_t *extents) { return extents[0] * extents[1] * extents[2]; }

static int64_t common_divisor(int64_t a, int64_t b) { return b == 0 ? a : common_divisor(b, a % b); }

// ---------------------------------------------------------------- phases

// Of x's gradient: result i gets tap t of y's gradient at o where o * stride + t * dilation - before = i. Taps that
// fit a remainder are `period` apart; the last reads the first o.
static cj_phase gradient_phase(const cj_convolution_job *job, int axis, int64_t remainder) {
  const int64_t stride = job->strides[axis], dilation = job->dilations[axis], shift = remainder + job->before[axis];
  const int64_t divisor = common_divisor(stride, dilation), period = stride / divisor, window = job->window[axis];
  cj_phase phase = {.count = cj_ceil_div(job->result_extents[axis] - remainder, stride),
                    .first = remainder,
                    .result_step = stride,
                    .source_step = 1,
                    .tap_step = dilation / divisor,
                    .weight_step = -period};
  for (int64_t first = 0; first < cj_min64(period, window); first++) {
    if ((shift - first * dilation) % stride != 0) continue;
    phase.taps = (window - 1 - first) / period + 1;
    phase.weight = first + (phase.taps - 1) * period;
    phase.start = (shift - phase.weight * dilation) / stride;
  }
  return phase;
}

cj_phase cj_convolution_phase(const cj_convolution_job *job, int axis, int64_t phase) {
  if (job->is_gradient) return gradient_phase(job, axis, phase);
  return (cj_phase){.count = job->result_extents[axis],
                    .result_step = 1,
                    .start = -job->before[axis],
                    .source_step = job->strides[axis],
                    .taps = job->window[axis],
                    .tap_step = job->dilations[axis],
                    .weight_step = 1};
}

int64_t cj_convolution_phase_count(const cj_convolution_job *job) { return count_of(job->phases); }

bool cj_convolution_phases(const cj_convolution_job *job, int64_t index, const int64_t *first, cj_phase *phases) {
  bool has_results = true;
  for (int axis = CJ_CONVOLUTION_AXES - 1; axis >= 0; axis--) {
    phases[axis] = cj_convolution_phase(job, axis, index % job->phases[axis]);
    index /= job->phases[axis];
    has_results &= phases[axis].count > (first ? first[1 + axis] : 0);
  }
  return has_results;
}

int64_t cj_convolution_source_of(const cj_convolution_job *job, int axis, int64_t tap) {
  const int64_t stride = job->strides[axis], behind = job->before[axis] - tap * job->dilations[axis];
  return job->is_gradient ? behind / stride + (behind % stride > 0) : -behind;
}

cj_span cj_convolution_span(const cj_convolution_job *job, int axis, int64_t first, int64_t count) {
  const int64_t step = job->is_gradient ? 1 : job->strides[axis];
  const int64_t reach = job->reach[axis] == 0 ? 0 : (count - 1) * step + job->reach[axis];
  if (reach > count * job->window[axis])
    return (cj_span){cj_convolution_source_of(job, axis, 0) + first * step, count, step, job->window[axis], true};
  return (cj_span){job->lowest[axis] + first * step, reach, 1, 1, false};
}

// How far the phases of an axis reach, and whether none leaves the source.
static bool find_reach(cj_convolution_job *job, int axis) {
  int64_t lowest = INT64_MAX, highest = INT64_MIN;
  bool is_inside = true;
  for (int64_t index = 0; index < job->phases[axis]; index++) {
    const cj_phase phase = cj_convolution_phase(job, axis, index);
    if (phase.taps == 0 || phase.count == 0) continue;
    const int64_t end = phase.start + (phase.taps - 1) * phase.tap_step;
    lowest = cj_min64(lowest, phase.start);
    highest = cj_max64(highest, end);
    is_inside &= phase.start >= 0 && end + (phase.count - 1) * phase.source_step < job->source_extents[axis];
  }
  job->lowest[axis] = lowest == INT64_MAX ? 0 : lowest;
  job->reach[axis] = lowest == INT64_MAX ? 0 : highest - lowest + 1;
  return is_inside;
}

// ---------------------------------------------------------------- tasks

// Results of a box from `axis` on, of which `row` is the first of those of the axes before: neighbours as far as
// the box is whole.
static void report(const cj_convolution_job *job, const int64_t *first, const int64_t *counts, int axis, int64_t row,
                   int64_t column, int64_t columns) {
  const int64_t extent = axis == 0 ? job->batch : job->result_extents[axis - 1], start = first[axis] * job->unit[axis];
  const int64_t count = cj_min64(extent - start, counts[axis] * job->unit[axis]);
  int64_t inner = 1;
  bool is_whole = true;
  for (int next = axis; next < CJ_CONVOLUTION_AXES; next++) {
    inner *= job->result_extents[next];
    is_whole &= counts[1 + next] == job->counts[1 + next];
  }
  row = row * extent + start;
  if (is_whole) {
    job->done(job->context, row * inner, count * inner, column, columns);
    return;
  }
  for (int64_t i = 0; i < count; i++) report(job, first, counts, axis + 1, row + i, column, columns);
}

static void find_box(const cj_convolution_job *job, int64_t index, int64_t *first, int64_t *counts) {
  for (int axis = CJ_CONVOLUTION_AXES; axis >= 0; axis--) {
    const int64_t boxes = cj_ceil_div(job->counts[axis], job->box[axis]);
    first[axis] = index % boxes * job->box[axis];
    counts[axis] = cj_min64(job->box[axis], job->counts[axis] - first[axis]);
    index /= boxes;
  }
}

static void run_task(void *context, int64_t task) {
  const cj_convolution_job *job = context;
  const int64_t column = task % job->column_blocks * job->block_columns;
  const int64_t columns = cj_min64(job->block_columns, job->columns - column);
  task /= job->column_blocks;
  const int64_t group = task % job->groups;
  int64_t first[1 + CJ_CONVOLUTION_AXES], counts[1 + CJ_CONVOLUTION_AXES];
  find_box(job, task / job->groups, first, counts);
  if (job->is_winograd) cj_winograd_box(job, first, counts, group, column, columns);
  else cj_convolution_box(job, first, counts, group, column, columns);
  if (job->done) report(job, first, counts, 0, 0, group * job->columns + column, columns);
}

// ---------------------------------------------------------------- cut

// Boxes of at most `most` q, nearly equal; how many.
static int64_t choose_box(cj_convolution_job *job, int64_t most) {
  int64_t inner = 1, boxes = 1;
  bool is_cut = false;
  for (int axis = CJ_CONVOLUTION_AXES; axis >= 0; axis--) {
    const int64_t room = is_cut ? 1 : cj_max64(1, most / inner);
    job->box[axis] = even_part(job->counts[axis], room, 1);
    is_cut |= job->box[axis] < job->counts[axis];
    inner *= job->box[axis];
    boxes *= cj_ceil_div(job->counts[axis], job->box[axis]);
  }
  return boxes;
}

// What a task reads again and again: a part of the channels of its box's surroundings.
static int64_t source_bytes(const cj_convolution_job *job) {
  int64_t bytes = job->box[0] * job->position_bytes * job->part / job->channels;
  for (int axis = 0; axis < CJ_CONVOLUTION_AXES; axis++) {
    const cj_span span = cj_convolution_span(job, axis, 0, job->box[1 + axis]);
    bytes *= span.count * span.taps;
  }
  return bytes;
}

// Whether those of a block stay in the first-level cache.
static bool has_small_weights(const cj_convolution_job *job) {
  const int64_t panel = count_of(job->window) * cj_convolution_step_bytes(job, job->channels);
  return cj_ceil_div(cj_min64(job->columns, BLOCK_COLUMNS), job->width) * panel <= LINE_WEIGHTS;
}

// The number of tasks.
static int64_t choose_blocks(cj_convolution_job *job) {
  const int64_t width = job->width;
  int64_t most = job->most_box, columns = cj_min64(job->columns, BLOCK_COLUMNS), boxes;
  for (;;) {
    boxes = choose_box(job, most) * job->groups;
    const bool is_large = !job->is_winograd && source_bytes(job) > SOURCE_BYTES;
    const bool cuts_box = most > job->least_box;
    // Each thread with columns of a box transforms it for itself.
    const int64_t wanted = job->is_winograd && !cuts_box ? LEAST_TASKS / 2 : LEAST_TASKS;
    if (!is_large && boxes * cj_ceil_div(job->columns, columns) >= wanted) break;
    if (cuts_box) most = cj_max64(job->least_box, most / 2);
    else if (!is_large && columns >= 2 * width) columns = cj_ceil_div(columns, 2);
    else break;
  }
  job->block_columns = even_part(job->columns, columns, width);
  job->column_blocks = cj_ceil_div(job->columns, job->block_columns);
  return boxes * job->column_blocks;
}

static void choose_tiles(cj_convolution_job *job) {
  const int64_t taps = count_of(job->window), products = taps * job->channels, lanes = job->kernels->lanes;
  const int64_t unit = 4 * job->kernels->step;
  job->tiles = CJ_TILES_OF_ROWS;
  job->part = cj_min64(job->channels, even_part(job->channels, DEPTH, unit));
  job->slab_taps = even_part(taps, cj_max64(1, DEPTH / job->part), 1);
  if (4 * job->columns <= 3 * lanes && job->channels % lanes == 0 && taps <= DEPTH && products >= DOTS * lanes) {
    job->tiles = CJ_TILES_OF_DOTS;
    job->width = job->columns;
    job->part = job->channels;
    job->slab_taps = taps;
  } else if (products <= LINE_PRODUCTS && job->counts[CJ_CONVOLUTION_AXES] >= LEAST_LINE && has_small_weights(job)) {
    job->tiles = CJ_TILES_OF_LINES;
  }
}

static void plan(cj_convolution_job *job) {
  bool is_inside = true;
  job->counts[0] = job->batch;
  job->unit[0] = 1;
  for (int axis = 0; axis < CJ_CONVOLUTION_AXES; axis++) {
    job->phases[axis] = job->is_gradient ? cj_min64(job->strides[axis], job->result_extents[axis]) : 1;
    job->unit[1 + axis] = job->is_gradient ? job->strides[axis] : 1;
    job->counts[1 + axis] = cj_convolution_phase(job, axis, 0).count;
    is_inside &= find_reach(job, axis);
  }
  const int64_t step = job->kernels->step;
  job->copies = !job->kernels->reads_in_place || !is_inside || job->channels % step != 0;
  job->position_bytes = job->copies ? cj_ceil_div(job->channels, step) * job->kernels->step_bytes
                                    : job->source_channels * job->bytes;
  choose_tiles(job);
  job->most_box = BOX_ROWS;
  job->least_box = LEAST_ROWS;
}

// ---------------------------------------------------------------- entry

// Whether y's positions are x's, one by one.
static bool is_product(const cj_convolution_shape *shape) {
  bool is_unit = shape->groups == 1;
  for (int axis = 0; axis < CJ_CONVOLUTION_AXES; axis++)
    is_unit &= shape->window[axis] == 1 && shape->strides[axis] == 1 && shape->before[axis] == 0 &&
               shape->extents[axis] == shape->results[axis];
  return is_unit;
}

static cj_product product_of(const cj_convolution_shape *shape, bool is_gradient) {
  const int64_t k = is_gradient ? shape->filters : shape->channels;
  return (cj_product){.dtype = shape->dtype,
                      .b_transposed = is_gradient,
                      .batch = 1,
                      .m = shape->batch * count_of(shape->results),
                      .n = is_gradient ? shape->channels : shape->filters,
                      .k = k,
                      .lda = k,
                      .ldb = shape->filters,
                      .packed_b = shape->packed};
}

static cj_convolution_job make_job(const cj_convolution_shape *shape, bool is_gradient) {
  const int64_t bytes = cj_dtype_bytes(shape->dtype);
  const int64_t channels = is_gradient ? shape->filters : shape->channels;
  const int64_t columns = is_gradient ? shape->channels : shape->filters;
  const cj_level *level = cj_current_level();
  cj_convolution_job job = {.dtype = shape->dtype,
                            .bytes = bytes,
                            .compute_bytes = bytes == 2 ? 4 : bytes,
                            .level = level,
                            .kernels = level->gemm[shape->dtype],  // not those of pairs
                            .width = level->gemm[shape->dtype]->width,
                            .is_gradient = is_gradient,
                            .batch = shape->batch,
                            .groups = shape->groups,
                            .channels = channels / shape->groups,
                            .columns = columns / shape->groups,
                            .source_channels = channels,
                            .result_channels = columns};
  memcpy(job.source_extents, is_gradient ? shape->results : shape->extents, sizeof job.source_extents);
  memcpy(job.result_extents, is_gradient ? shape->extents : shape->results, sizeof job.result_extents);
  memcpy(job.window, shape->window, sizeof job.window);
  memcpy(job.strides, shape->strides, sizeof job.strides);
  memcpy(job.dilations, shape->dilations, sizeof job.dilations);
  memcpy(job.before, shape->before, sizeof job.before);
  return job;
}

// Whether something is to be added up.
static bool has_terms(const cj_convolution_job *job) {
  return job->batch * count_of(job->result_extents) * job->result_channels > 0 &&
         job->channels * count_of(job->window) * count_of(job->source_extents) > 0;
}

cj_convolution_way cj_convolution_way_of(const cj_convolution_shape *shape, bool is_gradient) {
  const cj_convolution_job job = make_job(shape, is_gradient);
  if (!has_terms(&job)) return CJ_CONVOLUTION_NOTHING;
  if (is_product(shape)) return CJ_CONVOLUTION_PRODUCT;
  if (cj_is_depthwise(shape)) return CJ_CONVOLUTION_DEPTHWISE;
  return cj_winograd_is_less(shape, is_gradient) ? CJ_CONVOLUTION_WINOGRAD : CJ_CONVOLUTION_WINDOWS;
}

// One whose weights are packed.
static cj_convolution_job plan_of(const cj_convolution_shape *shape, bool is_gradient, cj_convolution_way way) {
  cj_convolution_job job = make_job(shape, is_gradient);
  job.is_winograd = way == CJ_CONVOLUTION_WINOGRAD;
  if (job.is_winograd) cj_winograd_plan(&job);
  else plan(&job);
  return job;
}

static bool packs(cj_convolution_way way) { return way == CJ_CONVOLUTION_WINOGRAD || way == CJ_CONVOLUTION_WINDOWS; }

static int64_t workspace(const cj_convolution_shape *shape, bool is_gradient) {
  const cj_convolution_way way = cj_convolution_way_of(shape, is_gradient);
  if (!packs(way)) return 0;
  const cj_convolution_job job = plan_of(shape, is_gradient, way);
  return job.is_winograd ? cj_winograd_panels_bytes(&job) : cj_convolution_panels_bytes(&job);
}

static void pack(cj_convolution_job *job) {
  const int64_t panels = job->groups * cj_ceil_div(job->columns, job->width);
  cj_parallel(panels, job->is_winograd ? cj_winograd_pack_panel : cj_convolution_pack_panel, job);
}

static void convolve(const cj_convolution_shape *shape, bool is_gradient, const void *source, const void *w,
                     void *result, void *workspace, cj_block_done done, void *context) {
  const cj_convolution_way way = cj_convolution_way_of(shape, is_gradient);
  if (way == CJ_CONVOLUTION_NOTHING) {
    const int64_t rows = shape->batch * count_of(is_gradient ? shape->extents : shape->results);
    const int64_t columns = is_gradient ? shape->channels : shape->filters;
    cj_fill((int32_t)cj_dtype_bytes(shape->dtype), rows * columns, 0, result);
    if (done && rows * columns > 0) done(context, 0, rows, 0, columns);
    return;
  }
  if (way == CJ_CONVOLUTION_PRODUCT) {
    const cj_product product = product_of(shape, is_gradient);
    cj_matmul(&product, source, w, result, done, context);
    return;
  }
  if (way == CJ_CONVOLUTION_DEPTHWISE) {
    cj_depthwise(shape, is_gradient, source, w, result, done, context);
    return;
  }
  cj_convolution_job job = plan_of(shape, is_gradient, way);
  job.source = source;
  job.weights = w;
  job.result = result;
  job.panels = shape->packed ? (char *)shape->packed : workspace;
  job.done = done;
  job.context = context;
  if (!shape->packed) pack(&job);
  static _Atomic uint64_t calls = 0;
  job.number = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
  cj_parallel(choose_blocks(&job), run_task, &job);
}

int64_t cj_convolution_packed_bytes(const cj_convolution_shape *shape, bool is_gradient) {
  if (cj_convolution_way_of(shape, is_gradient) == CJ_CONVOLUTION_PRODUCT) {
    const cj_product product = product_of(shape, is_gradient);
    return cj_packed_b_bytes(&product);
  }
  const int64_t positions = shape->batch * count_of(is_gradient ? shape->extents : shape->results);
  return positions <= POSITIONS_THAT_GAIN ? workspace(shape, is_gradient) : 0;
}

void cj_convolution_pack(const cj_convolution_shape *shape, bool is_gradient, const void *w, void *packed) {
  const cj_convolution_way way = cj_convolution_way_of(shape, is_gradient);
  if (way == CJ_CONVOLUTION_PRODUCT) {
    const cj_product product = product_of(shape, is_gradient);
    cj_pack_b(&product, w, packed);
    return;
  }
  cj_convolution_job job = plan_of(shape, is_gradient, way);
  job.weights = w;
  job.panels = packed;
  pack(&job);
}

bool cj_convolution_has_whole_rows(const cj_convolution_shape *shape, bool is_gradient) {
  const cj_convolution_way way = cj_convolution_way_of(shape, is_gradient);
  if (way == CJ_CONVOLUTION_PRODUCT) {
    const cj_product product = product_of(shape, is_gradient);
    return cj_product_has_whole_rows(&product);
  }
  if (!packs(way)) return true;
  cj_convolution_job job = plan_of(shape, is_gradient, way);
  choose_blocks(&job);
  return job.groups == 1 && job.column_blocks == 1;
}

int64_t cj_convolution_workspace(const cj_convolution_shape *shape) { return workspace(shape, false); }

void cj_convolution(const cj_convolution_shape *shape, const void *x, const void *w, void *y, void *workspace,
                    cj_block_done done, void *context) {
  convolve(shape, false, x, w, y, workspace, done, context);
}

int64_t cj_convolution_input_gradient_workspace(const cj_convolution_shape *shape) { return workspace(shape, true); }

void cj_convolution_input_gradient(const cj_convolution_shape *shape, const void *dy, const void *w, void *dx,
                                   void *workspace, cj_block_done done, void *context) {
  convolve(shape, true, dy, w, dx, workspace, done, context);
}
