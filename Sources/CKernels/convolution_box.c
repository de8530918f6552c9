// A task of a convolution: a box of results and a block of columns. See convolution.c.

#include "convolution.h"

enum { AXES = CJ_CONVOLUTION_AXES, MOST_RUNS = 256 };

// Where the source around a box lies: strides in bytes, of images and of positions along each axis.
typedef struct {
  const char *data;
  int64_t image, strides[AXES];
} box_source;

typedef struct {
  const cj_convolution_job *job;
  const int64_t *first, *counts;  // of the box
  int64_t group, column, columns;
  cj_span spans[AXES];  // of the copy
  box_source source;
  const char **a;  // rows of the phase
  char **c;
  char *sums;  // of 16-bit floats
  int64_t sums_line;
} box_work;

// ---------------------------------------------------------------- the source around a box

// What the thread copied last: a task's neighbours have other columns of the same box.
static _Thread_local struct {
  uint64_t number;
  int64_t first[1 + AXES], group;
} kept;

static bool is_kept(const box_work *work) {
  return kept.number == work->job->number && kept.group == work->group &&
         memcmp(kept.first, work->first, sizeof kept.first) == 0;
}

static void keep(const box_work *work) {
  kept.number = work->job->number;
  kept.group = work->group;
  memcpy(kept.first, work->first, sizeof kept.first);
}

static void find_source(box_work *work) {
  const cj_convolution_job *job = work->job;
  int64_t at[AXES], extents[AXES], most = job->box[0] * job->position_bytes;
  for (int axis = 0; axis < AXES; axis++) {
    const int64_t first = work->first[1 + axis];
    const cj_span span = work->spans[axis] = cj_convolution_span(job, axis, first, work->counts[1 + axis]);
    const cj_span whole = cj_convolution_span(job, axis, first, job->box[1 + axis]);
    at[axis] = first * (job->is_gradient ? 1 : job->strides[axis]) + job->lowest[axis];
    extents[axis] = job->copies ? span.count * span.taps : job->source_extents[axis];
    most *= whole.count * whole.taps;
  }
  box_source *source = &work->source;
  source->strides[2] = job->position_bytes;
  source->strides[1] = extents[2] * source->strides[2];
  source->strides[0] = extents[1] * source->strides[1];
  source->image = extents[0] * source->strides[0];
  if (job->copies) {
    char *copy = cj_scratch(CJ_SCRATCH_LINES, most);
    if (!is_kept(work)) {
      cj_convolution_copy(job, work->first[0], work->counts[0], work->group, work->spans, copy);
      keep(work);
    }
    source->data = copy;
  } else {
    source->data = job->source + work->first[0] * source->image + at[0] * source->strides[0] +
                   at[1] * source->strides[1] + at[2] * source->strides[2] + work->group * job->channels * job->bytes;
  }
}

// The phases as the source lies: taps each for itself are `count` positions apart.
static void place(const box_work *work, cj_phase *phases) {
  for (int axis = 0; axis < AXES; axis++) {
    cj_phase *phase = &phases[axis];
    const cj_span *span = &work->spans[axis];
    phase->start -= work->job->lowest[axis];
    if (!work->job->copies || !span->is_apart) continue;
    phase->start = phase->weight * span->count;
    phase->tap_step = phase->weight_step * span->count;
    phase->source_step = 1;
  }
}

// ---------------------------------------------------------------- rows

// Results of a phase along a line, and what meets them, of bytes between neighbours.
typedef struct {
  int64_t count;
  const char *a;
  int64_t a_step;
  char *c;
  int64_t c_step;
} box_line;

// How many lines a phase has in the box.
static int64_t count_lines(const box_work *work, const cj_phase *phases) {
  int64_t lines = work->counts[0];
  for (int axis = 0; axis < AXES - 1; axis++)
    lines *= cj_min64(work->counts[1 + axis], phases[axis].count - work->first[1 + axis]);
  return lines;
}

static box_line find_line(const box_work *work, const cj_phase *phases, int64_t index) {
  const cj_convolution_job *job = work->job;
  const int64_t *strides = work->source.strides, bytes = job->result_channels * job->bytes;
  const int64_t first = work->first[AXES];
  int64_t q[AXES] = {0, 0, 0}, result = 0, scale = 1;
  box_line line = {.count = cj_min64(work->counts[AXES], phases[2].count - first), .a = work->source.data};
  for (int axis = AXES - 1; axis >= 0; axis--) {
    const cj_phase *phase = &phases[axis];
    const int64_t count = axis < 2 ? cj_min64(work->counts[1 + axis], phase->count - work->first[1 + axis]) : 1;
    q[axis] = index % count;
    index /= count;
    line.a += (phase->start + q[axis] * phase->source_step) * strides[axis];
    result += (phase->first + (work->first[1 + axis] + q[axis]) * phase->result_step) * scale;
    scale *= job->result_extents[axis];
  }
  line.a += index * work->source.image;
  line.a_step = phases[2].source_step * strides[2];
  line.c = job->result + (result + (work->first[0] + index) * scale) * bytes +
           (work->group * job->columns + work->column) * job->bytes;
  line.c_step = phases[2].result_step * bytes;
  return line;
}

// Where the rows of a phase lie; how many they are.
static int64_t find_rows(box_work *work, const cj_phase *phases) {
  const int64_t lines = count_lines(work, phases);
  int64_t rows = 0;
  for (int64_t i = 0; i < lines; i++) {
    const box_line line = find_line(work, phases, i);
    for (int64_t p = 0; p < line.count; p++, rows++) {
      work->a[rows] = line.a + p * line.a_step;
      work->c[rows] = line.c + p * line.c_step;
    }
  }
  return rows;
}

// ---------------------------------------------------------------- slabs

// Some taps of a phase, and some of the channels of each.
typedef struct {
  int64_t tap, taps, channel, channels;
} slab;

// Where a row has tap `index` of a phase, the last axis fastest.
static int64_t tap_offset(const box_work *work, const cj_phase *phases, int64_t index) {
  int64_t offset = 0;
  for (int axis = AXES - 1; axis >= 0; axis--) {
    offset += index % phases[axis].taps * phases[axis].tap_step * work->source.strides[axis];
    index /= phases[axis].taps;
  }
  return offset;
}

// What the slab takes of a row: neighbouring taps whose channels are neighbours too are one run.
static int64_t find_runs(const box_work *work, const cj_phase *phases, const slab *slab, cj_gemm_run *runs) {
  const cj_gemm_kernels *kernels = work->job->kernels;
  const int64_t channel = slab->channel / kernels->step * kernels->step_bytes;
  const int64_t steps = cj_ceil_div(slab->channels, kernels->step);
  int64_t count = 0, end = -1;
  for (int64_t tap = 0; tap < slab->taps; tap++) {
    const int64_t offset = tap_offset(work, phases, slab->tap + tap) + channel;
    if (offset == end) runs[count - 1].steps += steps;
    else runs[count++] = (cj_gemm_run){offset, steps};
    end = offset + steps * kernels->step_bytes;
  }
  return count;
}

static void run_slab(const box_work *work, const cj_phase *phases, int64_t rows, const slab *slab, const char *weights,
                     int64_t j, const char *next) {
  const cj_convolution_job *job = work->job;
  const int64_t bytes = slab->taps * cj_convolution_step_bytes(job, slab->channels);
  cj_gemm_run runs[MOST_RUNS];
  const cj_gemm_window window = {.rows = rows,
                                 .columns = cj_min64(work->columns - j, job->width),
                                 .a = work->a,
                                 .runs = runs,
                                 .run_count = find_runs(work, phases, slab, runs),
                                 .b = weights,
                                 .b_line = bytes / job->width,
                                 .c = work->c,
                                 .c_offset = j * job->compute_bytes,
                                 .accumulate = slab->tap + slab->channel > 0,
                                 .next = next,
                                 .next_bytes = next ? bytes : 0};
  if (job->tiles == CJ_TILES_OF_DOTS) job->kernels->multiply_dots(&window);
  else job->kernels->multiply_window(&window);
}

// ---------------------------------------------------------------- phases

// Packed weights of a phase from a channel on, of the panel at column j. `before`: taps of the phases before.
static const char *phase_weights(const box_work *work, int64_t before, int64_t taps, int64_t channel, int64_t j) {
  const cj_convolution_job *job = work->job;
  return cj_convolution_panel(job, work->group, (work->column + j) / job->width) +
         before * cj_convolution_step_bytes(job, job->channels) + taps * cj_convolution_step_bytes(job, channel);
}

static void multiply_phase(const box_work *work, const cj_phase *phases, int64_t before, int64_t taps, int64_t rows) {
  const cj_convolution_job *job = work->job;
  for (int64_t channel = 0; channel < job->channels; channel += job->part)
    for (int64_t j = 0; j < work->columns; j += job->width) {
      const int64_t channels = cj_min64(job->part, job->channels - channel), behind = j + job->width;
      const int64_t bytes = cj_convolution_step_bytes(job, channels);
      const char *weights = phase_weights(work, before, taps, channel, j);
      for (int64_t tap = 0; tap < taps; tap += job->slab_taps) {
        const slab slab = {tap, cj_min64(job->slab_taps, taps - tap), channel, channels};
        const char *next = tap + slab.taps < taps    ? weights + (tap + slab.taps) * bytes
                           : behind < work->columns ? phase_weights(work, before, taps, channel, behind)
                                                    : NULL;
        run_slab(work, phases, rows, &slab, weights + tap * bytes, j, next);
      }
    }
}

// Where a position has each step of a phase.
static void find_offsets(const box_work *work, const cj_phase *phases, int64_t *offsets) {
  const int64_t *strides = work->source.strides;
  for (int64_t t0 = 0; t0 < phases[0].taps; t0++)
    for (int64_t t1 = 0; t1 < phases[1].taps; t1++)
      for (int64_t t2 = 0; t2 < phases[2].taps; t2++)
        for (int64_t channel = 0; channel < work->job->channels; channel++)
          *offsets++ = t0 * phases[0].tap_step * strides[0] + t1 * phases[1].tap_step * strides[1] +
                       t2 * phases[2].tap_step * strides[2] + channel * work->job->kernels->step_bytes;
}

// Lines of results at once, whose sums are final.
static void multiply_lines(const box_work *work, const cj_phase *phases, int64_t before, int64_t taps) {
  const cj_convolution_job *job = work->job;
  const int64_t channels = job->channels, lines = count_lines(work, phases);
  const bool is_sum = job->bytes == job->compute_bytes;
  int64_t offsets[MOST_RUNS];
  find_offsets(work, phases, offsets);
  for (int64_t i = 0; i < lines; i++) {
    const box_line line = find_line(work, phases, i);
    const cj_gemm_line sums = {.positions = line.count,
                               .columns = work->columns,
                               .steps = taps * channels,
                               .a = line.a,
                               .a_step = line.a_step,
                               .offsets = offsets,
                               .b = phase_weights(work, before, taps, 0, 0),
                               .b_panel = phase_weights(work, 0, 0, 0, job->width) - phase_weights(work, 0, 0, 0, 0),
                               .c = is_sum ? line.c : work->sums,
                               .c_step = is_sum ? line.c_step : work->columns * job->compute_bytes};
    job->kernels->multiply_line(&sums);
    for (int64_t p = 0; !is_sum && p < line.count; p++)
      job->level->store[job->dtype](work->columns, line.c + p * line.c_step, sums.c + p * sums.c_step);
  }
}

static void run_phase(box_work *work, const cj_phase *phases, int64_t before, int64_t taps) {
  const cj_convolution_job *job = work->job;
  if (taps > 0 && job->tiles == CJ_TILES_OF_LINES) {
    multiply_lines(work, phases, before, taps);
    return;
  }
  const int64_t rows = find_rows(work, phases);
  if (taps == 0) {
    for (int64_t row = 0; row < rows; row++) memset(work->c[row], 0, (size_t)(work->columns * job->bytes));
    return;
  }
  if (job->bytes == job->compute_bytes) {
    multiply_phase(work, phases, before, taps, rows);
    return;
  }
  char **results = work->c + rows;
  for (int64_t row = 0; row < rows; row++) {
    results[row] = work->c[row];
    work->c[row] = work->sums + row * work->sums_line;
  }
  multiply_phase(work, phases, before, taps, rows);
  for (int64_t row = 0; row < rows; row++) job->level->store[job->dtype](work->columns, results[row], work->c[row]);
}

void cj_convolution_box(const cj_convolution_job *job, const int64_t *first, const int64_t *counts, int64_t group,
                        int64_t column, int64_t columns) {
  const int64_t rows = job->box[0] * job->box[1] * job->box[2] * job->box[3];
  const int64_t sums_line = job->bytes == job->compute_bytes ? 0 : cj_gemm_in_lines(columns * job->compute_bytes);
  const int64_t list = cj_gemm_in_lines(2 * rows * (int64_t)sizeof(char *));
  char *scratch = cj_scratch(CJ_SCRATCH_PRODUCT, 2 * list + rows * sums_line);
  box_work work = {.job = job,
                   .first = first,
                   .counts = counts,
                   .group = group,
                   .column = column,
                   .columns = columns,
                   .a = (const char **)scratch,
                   .c = (char **)(scratch + list),
                   .sums = scratch + 2 * list,
                   .sums_line = sums_line};
  find_source(&work);
  int64_t before = 0;
  for (int64_t index = 0; index < cj_convolution_phase_count(job); index++) {
    cj_phase phases[AXES];
    const bool has_results = cj_convolution_phases(job, index, first, phases);
    const int64_t taps = phases[0].taps * phases[1].taps * phases[2].taps;
    place(&work, phases);
    if (has_results) run_phase(&work, phases, before, taps);
    before += taps;
  }
}
