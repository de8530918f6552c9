// Parts of a convolution's source as products take them, with zeros around. See convolution.c.

#include "convolution.h"

// One line with zeros on both sides, `at` the position of its first element. NULL: all are zeros.
static void copy_line(const cj_convolution_job *job, const char *line, int64_t at, int64_t extent, char *to) {
  const int64_t position = job->position_bytes, step = job->kernels->step;
  const int64_t first = cj_min64(extent, cj_max64(0, -at));
  const int64_t end = cj_max64(first, cj_min64(extent, job->source_extents[CJ_CONVOLUTION_AXES - 1] - at));
  if (!line || first == end) {
    memset(to, 0, (size_t)(extent * position));
    return;
  }
  memset(to, 0, (size_t)(first * position));
  const bool is_whole = job->channels == job->source_channels && job->channels % step == 0;
  const cj_gemm_lines lines = {.data = line + (at + first) * job->source_channels * job->bytes,
                               .lines = is_whole ? 1 : end - first,
                               .depth = is_whole ? (end - first) * job->channels : job->channels,
                               .line_stride = job->source_channels,
                               .depth_stride = 1};
  job->kernels->pack_a(&lines, to + first * position, position);
  memset(to + end * position, 0, (size_t)((extent - end) * position));
}

static const char *source_line(const cj_convolution_job *job, int64_t image, int64_t plane, int64_t line,
                               int64_t group) {
  const int64_t *extents = job->source_extents;
  if (plane < 0 || plane >= extents[0] || line < 0 || line >= extents[1]) return NULL;
  const int64_t at = ((image * extents[0] + plane) * extents[1] + line) * extents[2];
  return job->source + (at * job->source_channels + group * job->channels) * job->bytes;
}

void cj_convolution_copy(const cj_convolution_job *job, int64_t image, int64_t images, int64_t group,
                         const int64_t *at, const int64_t *extents, char *to) {
  for (int64_t i = image; i < image + images; i++)
    for (int64_t plane = at[0]; plane < at[0] + extents[0]; plane++)
      for (int64_t line = at[1]; line < at[1] + extents[1]; line++, to += extents[2] * job->position_bytes)
        copy_line(job, source_line(job, i, plane, line, group), at[2], extents[2], to);
}
