// Convolutions of one filter for each channel, and their gradients: sums along positions, a vector of channels at a
// time. They take as long as memory takes. Tasks are lines of the result (positions along the last axis), for the
// weights' gradient chunks of y's lines, whose sums are added by the tree of reductions: cut by the shape alone.

#include "depthwise.h"

enum {
  BLOCK_BYTES = 32 << 10,  // of results that are told of at a time: they are in the second-level cache still
  LEAST_TASKS = 16,  // wanted, so that uneven threads finish together
  CHANNELS = 64,     // at a time for the weights' gradient: the lines stay in the first-level cache for all taps
};
// Multiply-adds of a task at least.
#define LEAST_WORK (INT64_C(1) << 16)

static int64_t volume(const int64_t *extents) { return extents[0] * extents[1] * extents[2]; }

static int64_t lines_of_task(const cj_convolution_shape *s, int64_t lines, int64_t line) {
  const int64_t work = cj_max64(1, volume(s->window) * line * s->channels);
  return cj_max64(cj_ceil_div(LEAST_WORK, work), lines / (4 * LEAST_TASKS));
}

// ---------------------------------------------------------------- results

typedef struct {
  const cj_convolution_shape *shape;
  const cj_level *level;
  bool is_gradient;
  int64_t bytes;
  const int64_t *sources, *results;  // extents
  int64_t lines, task_lines;
  const char *source, *weights;
  char *result;
  cj_block_done done;
  void *context;
} depthwise;

// Which element of the source along an axis meets tap t in a result; -1: none.
static int64_t source_of(const depthwise *job, int axis, int64_t result, int64_t t) {
  const cj_convolution_shape *s = job->shape;
  const int64_t shift = t * s->dilations[axis] - s->before[axis];
  int64_t at = result * s->strides[axis] + shift;
  if (job->is_gradient) {
    if (result < shift || (result - shift) % s->strides[axis] != 0) return -1;
    at = (result - shift) / s->strides[axis];
  }
  return at < job->sources[axis] ? cj_max64(at, -1) : -1;
}

// Whether what is `source_step` behind along the last axis belongs to the result that is `result_step` behind.
static bool is_alike(const depthwise *job, int64_t result, int64_t next, int64_t source_step) {
  for (int64_t t = 0; t < job->shape->window[2]; t++) {
    const int64_t one = source_of(job, 2, result, t), other = source_of(job, 2, next, t);
    if (other != (one < 0 ? one : one + source_step)) return false;
  }
  return true;
}

// The taps that a result meets; line: [n, r0, r1].
static int64_t find_taps(const depthwise *job, const int64_t *line, int64_t r2, cj_tap *taps) {
  const cj_convolution_shape *s = job->shape;
  int64_t count = 0;
  for (int64_t t0 = 0; t0 < s->window[0]; t0++) {
    const int64_t i0 = source_of(job, 0, line[1], t0);
    for (int64_t t1 = 0; i0 >= 0 && t1 < s->window[1]; t1++) {
      const int64_t i1 = source_of(job, 1, line[2], t1);
      for (int64_t t2 = 0; i1 >= 0 && t2 < s->window[2]; t2++) {
        const int64_t i2 = source_of(job, 2, r2, t2);
        if (i2 < 0) continue;
        const int64_t at = ((line[0] * job->sources[0] + i0) * job->sources[1] + i1) * job->sources[2] + i2;
        const int64_t weights = (t0 * s->window[1] + t1) * s->window[2] + t2;
        taps[count++] = (cj_tap){job->source + at * s->channels * job->bytes,
                                 job->weights + weights * s->channels * job->bytes};
      }
    }
  }
  return count;
}

// Results along a line that meet the same taps, every `step`-th.
typedef struct {
  int64_t first, count;
} run;

static int64_t result_step(const depthwise *job) { return job->is_gradient ? job->shape->strides[2] : 1; }
static int64_t source_step(const depthwise *job) { return job->is_gradient ? 1 : job->shape->strides[2]; }

static int64_t find_runs(const depthwise *job, run *runs) {
  const int64_t step = result_step(job), extent = job->results[2];
  int64_t found = 0;
  for (int64_t first = 0; first < cj_min64(step, extent); first++) {
    for (int64_t r = first, count; r < extent; r += count * step) {
      for (count = 1; r + count * step < extent;)
        if (is_alike(job, r, r + count * step, count * source_step(job))) count++;
        else break;
      runs[found++] = (run){r, count};
    }
  }
  return found;
}

static void fill_run(const depthwise *job, int64_t line, const run *run, cj_tap *taps) {
  const int64_t channels = job->shape->channels, at = (line * job->results[2] + run->first) * channels;
  const int64_t index[] = {line / job->results[1] / job->results[0], line / job->results[1] % job->results[0],
                           line % job->results[1]};
  const cj_taps all = {.positions = run->count,
                       .channels = channels,
                       .count = find_taps(job, index, run->first, taps),
                       .taps = taps,
                       .source_step = source_step(job) * channels,
                       .result = job->result + at * job->bytes,
                       .result_step = result_step(job) * channels};
  job->level->sum_taps[job->shape->dtype](&all);
}

static void run_lines(void *context, int64_t task) {
  const depthwise *job = context;
  const int64_t first = task * job->task_lines, end = cj_min64(job->lines, first + job->task_lines);
  const int64_t run_bytes = job->results[2] * (int64_t)sizeof(run);
  run *runs = cj_scratch(CJ_SCRATCH_PRODUCT, run_bytes + volume(job->shape->window) * (int64_t)sizeof(cj_tap));
  cj_tap *taps = (cj_tap *)((char *)runs + run_bytes);
  const int64_t count = find_runs(job, runs);
  const int64_t line_bytes = job->results[2] * job->shape->channels * job->bytes;
  const int64_t lines = cj_max64(1, BLOCK_BYTES / cj_max64(1, line_bytes));
  for (int64_t line = first, told = first; line < end; line++) {
    for (int64_t i = 0; i < count; i++) fill_run(job, line, runs + i, taps);
    if (!job->done || (line + 1 < end && line + 1 - told < lines)) continue;
    job->done(job->context, told * job->results[2], (line + 1 - told) * job->results[2], 0, job->shape->channels);
    told = line + 1;
  }
}

void cj_depthwise(const cj_convolution_shape *shape, bool is_gradient, const void *source, const void *w,
                  void *result, cj_block_done done, void *context) {
  depthwise job = {.shape = shape,
                   .level = cj_current_level(),
                   .is_gradient = is_gradient,
                   .bytes = cj_dtype_bytes(shape->dtype),
                   .sources = is_gradient ? shape->results : shape->extents,
                   .results = is_gradient ? shape->extents : shape->results,
                   .source = source,
                   .weights = w,
                   .result = result,
                   .done = done,
                   .context = context};
  job.lines = shape->batch * job.results[0] * job.results[1];
  if (job.lines * job.results[2] == 0) return;
  job.task_lines = lines_of_task(shape, job.lines, job.results[2]);
  cj_parallel(cj_ceil_div(job.lines, job.task_lines), run_lines, &job);
}

// ---------------------------------------------------------------- weights

typedef struct {
  const cj_convolution_shape *shape;
  const cj_level *level;
  int64_t bytes, compute_bytes;
  int64_t lines, chunk_lines, chunks;
  const char *x, *dy;
  char *sums;  // [chunks, window, channels]
} depthwise_weights;

static void add_tap(const depthwise_weights *job, int64_t tap, int64_t line, int64_t channel, char *sums) {
  const cj_convolution_shape *s = job->shape;
  const int64_t t2 = tap % s->window[2], t1 = tap / s->window[2] % s->window[1], t0 = tap / s->window[2] / s->window[1];
  const int64_t o1 = line % s->results[1], o0 = line / s->results[1] % s->results[0];
  const int64_t n = line / s->results[1] / s->results[0];
  const int64_t i0 = o0 * s->strides[0] + t0 * s->dilations[0] - s->before[0];
  const int64_t i1 = o1 * s->strides[1] + t1 * s->dilations[1] - s->before[1];
  const int64_t shift = t2 * s->dilations[2] - s->before[2], rest = s->extents[2] - 1 - shift;
  const int64_t first = shift < 0 ? cj_ceil_div(-shift, s->strides[2]) : 0;
  const int64_t end = rest < 0 ? 0 : cj_min64(s->results[2], rest / s->strides[2] + 1);
  if (i0 < 0 || i0 >= s->extents[0] || i1 < 0 || i1 >= s->extents[1] || first >= end) return;
  const int64_t i2 = first * s->strides[2] + shift;
  const int64_t from = ((n * s->extents[0] + i0) * s->extents[1] + i1) * s->extents[2] + i2;
  const char *x = job->x + (from * s->channels + channel) * job->bytes;
  const char *dy = job->dy + ((line * s->results[2] + first) * s->channels + channel) * job->bytes;
  job->level->add_channel_products[s->dtype](end - first, cj_min64(CHANNELS, s->channels - channel), x,
                                             s->strides[2] * s->channels, dy, s->channels,
                                             sums + (tap * s->channels + channel) * job->compute_bytes);
}

static void run_chunk(void *context, int64_t chunk) {
  const depthwise_weights *job = context;
  const int64_t taps = volume(job->shape->window), count = taps * job->shape->channels;
  const int64_t first = chunk * job->chunk_lines, end = cj_min64(job->lines, first + job->chunk_lines);
  char *sums = job->sums + chunk * count * job->compute_bytes;
  memset(sums, 0, (size_t)(count * job->compute_bytes));
  for (int64_t line = first; line < end; line++)
    for (int64_t channel = 0; channel < job->shape->channels; channel += CHANNELS)
      for (int64_t tap = 0; tap < taps; tap++) add_tap(job, tap, line, channel, sums);
}

static depthwise_weights make(const cj_convolution_shape *s) {
  depthwise_weights job = {.shape = s, .level = cj_current_level(), .bytes = cj_dtype_bytes(s->dtype)};
  job.compute_bytes = job.bytes == 2 ? 4 : job.bytes;
  job.lines = s->batch * s->results[0] * s->results[1];
  // No more chunks than are wanted: each has sums of its own.
  job.chunk_lines = cj_max64(cj_ceil_div(job.lines, LEAST_TASKS), lines_of_task(s, job.lines, s->results[2]));
  job.chunks = cj_max64(1, cj_ceil_div(job.lines, job.chunk_lines));
  return job;
}

int64_t cj_depthwise_weight_gradient_workspace(const cj_convolution_shape *shape) {
  const depthwise_weights job = make(shape);
  return job.chunks * volume(shape->window) * shape->channels * job.compute_bytes;
}

void cj_depthwise_weight_gradient(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                                  void *workspace) {
  depthwise_weights job = make(shape);
  job.x = x;
  job.dy = dy;
  job.sums = workspace;
  cj_parallel(job.chunks, run_chunk, &job);
  cj_add_chunks(job.level, shape->dtype, job.chunks, volume(shape->window) * shape->channels, job.sums, dw);
}
