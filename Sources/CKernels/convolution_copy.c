// Parts of a convolution's source as products take them, with zeros around. See convolution.c.

#include "convolution.h"

enum { LAST = CJ_CONVOLUTION_AXES - 1 };

// `count` positions of a line from `at` on, `step` apart, with zeros on both sides. NULL: all are zeros.
static void copy_line(const cj_convolution_job *job, const char *line, int64_t at, int64_t step, int64_t count,
                      char *to) {
  const int64_t position = job->position_bytes, source = job->source_extents[LAST];
  const int64_t first = cj_min64(count, cj_ceil_div(cj_max64(0, -at), step));
  const int64_t end = cj_max64(first, cj_min64(count, cj_ceil_div(cj_max64(0, source - at), step)));
  if (!line || first == end) {
    memset(to, 0, (size_t)(count * position));
    return;
  }
  memset(to, 0, (size_t)(first * position));
  const bool is_whole =
      step == 1 && job->channels == job->source_channels && job->channels % job->kernels->step == 0;
  const cj_gemm_lines lines = {.data = line + (at + first * step) * job->source_channels * job->bytes,
                               .lines = is_whole ? 1 : end - first,
                               .depth = is_whole ? (end - first) * job->channels : job->channels,
                               .line_stride = step * job->source_channels,
                               .depth_stride = 1};
  job->kernels->pack_a(&lines, to + first * position, position);
  memset(to + end * position, 0, (size_t)((count - end) * position));
}

static const char *source_line(const cj_convolution_job *job, int64_t image, int64_t plane, int64_t line,
                               int64_t group) {
  const int64_t *extents = job->source_extents;
  if (plane < 0 || plane >= extents[0] || line < 0 || line >= extents[1]) return NULL;
  const int64_t at = ((image * extents[0] + plane) * extents[1] + line) * extents[2];
  return job->source + (at * job->source_channels + group * job->channels) * job->bytes;
}

// The first position of a tap.
static int64_t tap_position(const cj_convolution_job *job, int axis, const cj_span *spans, int64_t tap) {
  if (tap == 0) return spans[axis].first;
  return spans[axis].first + cj_convolution_source_of(job, axis, tap) - cj_convolution_source_of(job, axis, 0);
}

// Position number `index` of all taps.
static int64_t position_at(const cj_convolution_job *job, int axis, const cj_span *spans, int64_t index) {
  const int64_t count = spans[axis].count;
  return tap_position(job, axis, spans, index / count) + index % count * spans[axis].step;
}

void cj_convolution_copy(const cj_convolution_job *job, int64_t image, int64_t images, int64_t group,
                         const cj_span *spans, char *to) {
  const int64_t planes = spans[0].taps * spans[0].count, lines = spans[1].taps * spans[1].count;
  const cj_span *last = &spans[LAST];
  for (int64_t i = 0; i < images * planes * lines; i++) {
    const char *line = source_line(job, image + i / lines / planes, position_at(job, 0, spans, i / lines % planes),
                                   position_at(job, 1, spans, i % lines), group);
    for (int64_t tap = 0; tap < last->taps; tap++, to += last->count * job->position_bytes)
      copy_line(job, line, tap_position(job, LAST, spans, tap), last->step, last->count, to);
  }
}
