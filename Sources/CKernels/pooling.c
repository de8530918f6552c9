// The greatest elements that windows see, channel by channel, and where they stand. Tasks are lines of the result
// (positions along the last axis).

#include "include/cajal_convolution.h"
#include "internal.h"

enum { TASK_ELEMENTS = 32 * 1024 };  // seen by a task, when work is cut by shape

typedef struct {
  const cj_convolution_shape *shape;
  cj_max_of_places max_of_places;
  int64_t bytes, lines, task_lines;
  const char *x;
  char *values;
  int32_t *positions;
} pooling;

// Position `at` of the lines' places, or -1 outside x.
static int64_t place(const pooling *job, int axis, int64_t result, int64_t tap) {
  const cj_convolution_shape *s = job->shape;
  const int64_t at = result * s->strides[axis] + tap * s->dilations[axis] - s->before[axis];
  return at < s->extents[axis] ? cj_max64(at, -1) : -1;
}

// What the window sees at o = [o0, o1, o2] of an image whose elements begin at `image`.
static int64_t find_places(const pooling *job, const char *image, const int64_t *o, cj_place *places) {
  const cj_convolution_shape *s = job->shape;
  int64_t count = 0;
  for (int64_t t0 = 0; t0 < s->window[0]; t0++) {
    const int64_t i0 = place(job, 0, o[0], t0);
    for (int64_t t1 = 0; i0 >= 0 && t1 < s->window[1]; t1++) {
      const int64_t i1 = place(job, 1, o[1], t1);
      for (int64_t t2 = 0; i1 >= 0 && t2 < s->window[2]; t2++) {
        const int64_t i2 = place(job, 2, o[2], t2);
        if (i2 < 0) continue;
        const int64_t position = (i0 * s->extents[1] + i1) * s->extents[2] + i2;
        places[count++] = (cj_place){image + position * s->channels * job->bytes, (int32_t)position};
      }
    }
  }
  return count;
}

// How many windows from o2 on see all their places; at least 1, whatever it sees.
static int64_t count_whole(const pooling *job, int64_t o2) {
  const int64_t last = job->shape->window[2] - 1;
  int64_t end = o2;
  while (end < job->shape->results[2] && place(job, 2, end, 0) >= 0 && place(job, 2, end, last) >= 0) end++;
  return cj_max64(1, end - o2);
}

static void pool_lines(void *context, int64_t task) {
  const pooling *job = context;
  const cj_convolution_shape *s = job->shape;
  const int64_t first = task * job->task_lines, end = cj_min64(job->lines, first + job->task_lines);
  const int64_t window = s->window[0] * s->window[1] * s->window[2];
  const int64_t image_bytes = s->extents[0] * s->extents[1] * s->extents[2] * s->channels * job->bytes;
  cj_place *places = cj_scratch(CJ_SCRATCH_PRODUCT, window * (int64_t)sizeof(cj_place));
  for (int64_t line = first; line < end; line++) {
    const char *image = job->x + line / s->results[1] / s->results[0] * image_bytes;
    int64_t o[] = {line / s->results[1] % s->results[0], line % s->results[1], 0};
    for (int64_t windows; o[2] < s->results[2]; o[2] += windows) {
      const int64_t at = (line * s->results[2] + o[2]) * s->channels;
      windows = count_whole(job, o[2]);
      job->max_of_places(&(cj_places){.windows = windows,
                                      .channels = s->channels,
                                      .count = find_places(job, image, o, places),
                                      .places = places,
                                      .source_step = s->strides[2] * s->channels,
                                      .position_step = (int32_t)s->strides[2],
                                      .values = job->values + at * job->bytes,
                                      .positions = job->positions ? job->positions + at : NULL});
    }
  }
}

void cj_max_pool(const cj_convolution_shape *shape, const void *x, void *values, int32_t *positions) {
  pooling job = {.shape = shape,
                 .max_of_places = cj_current_level()->max_of_places[shape->dtype],
                 .bytes = cj_dtype_bytes(shape->dtype),
                 .lines = shape->batch * shape->results[0] * shape->results[1],
                 .x = x,
                 .values = values,
                 .positions = positions};
  const int64_t line = shape->results[2] * shape->channels;
  if (job.lines * line == 0) return;
  job.task_lines = cj_ceil_div(TASK_ELEMENTS, line * shape->window[0] * shape->window[1] * shape->window[2]);
  cj_parallel(cj_ceil_div(job.lines, job.task_lines), pool_lines, &job);
}
