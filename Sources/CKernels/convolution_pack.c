// A convolution's weights as products take them: panels of columns. See convolution.c.

#include "convolution.h"

cj_gemm_lines cj_convolution_weights(const cj_convolution_job *job, int64_t group, int64_t tap, int64_t channel,
                                     int64_t channels, int64_t column, int64_t columns) {
  const int64_t taps = job->window[0] * job->window[1] * job->window[2];
  // Of the window's [taps, channels / groups, filters].
  const int64_t filters = job->is_gradient ? job->source_channels : job->result_channels;
  const int64_t rows = job->is_gradient ? job->columns : job->channels;
  const int64_t row = tap * rows + (job->is_gradient ? column : channel);
  const int64_t filter = job->is_gradient ? group * job->channels + channel : group * job->columns + column;
  const int64_t at = row * filters + filter;
  return (cj_gemm_lines){.data = job->weights + at * job->bytes,
                         .lines = columns,
                         .depth = channels,
                         .line_stride = job->is_gradient ? filters : 1,
                         .depth_stride = job->is_gradient ? 1 : filters,
                         .readable = taps * rows * filters - at};
}

int64_t cj_convolution_step_bytes(const cj_convolution_job *job, int64_t channels) {
  return cj_ceil_div(channels, job->kernels->step) * job->kernels->step_bytes * job->width;
}

// All taps of a panel.
static int64_t panel_bytes(const cj_convolution_job *job) {
  return job->window[0] * job->window[1] * job->window[2] * cj_convolution_step_bytes(job, job->channels);
}

int64_t cj_convolution_panels_bytes(const cj_convolution_job *job) {
  return job->groups * cj_ceil_div(job->columns, job->width) * panel_bytes(job);
}

char *cj_convolution_panel(const cj_convolution_job *job, int64_t group, int64_t panel) {
  return job->panels + (group * cj_ceil_div(job->columns, job->width) + panel) * panel_bytes(job);
}

int64_t cj_convolution_tap(const cj_convolution_job *job, const cj_phase *phases, int64_t index) {
  int64_t tap = 0, scale = 1;
  for (int axis = CJ_CONVOLUTION_AXES - 1; axis >= 0; axis--) {
    tap += (phases[axis].weight + index % phases[axis].taps * phases[axis].weight_step) * scale;
    index /= phases[axis].taps;
    scale *= job->window[axis];
  }
  return tap;
}

// Some channels of all taps of a phase.
static void pack_part(const cj_convolution_job *job, int64_t group, int64_t panel, const cj_phase *phases, int64_t taps,
                      int64_t channel, char *to) {
  const int64_t column = panel * job->width, columns = cj_min64(job->width, job->columns - column);
  const int64_t channels = cj_min64(job->part, job->channels - channel);
  const int64_t bytes = cj_convolution_step_bytes(job, channels);
  const bool is_dots = job->tiles == CJ_TILES_OF_DOTS;
  // A convolution's taps come in the order in which they lie.
  const bool follows = !job->is_gradient && channels == job->channels && channels % job->kernels->step == 0;
  const int64_t together = follows ? taps : 1;
  for (int64_t tap = 0; tap < taps; tap += together) {
    const cj_gemm_lines lines = cj_convolution_weights(job, group, cj_convolution_tap(job, phases, tap), channel,
                                                       together * channels, column, columns);
    if (is_dots) job->kernels->pack_a(&lines, to + tap * bytes / columns, taps * bytes / columns);
    else job->kernels->pack_b(&lines, to + tap * bytes);
  }
}

void cj_convolution_pack_panel(void *context, int64_t index) {
  const cj_convolution_job *job = context;
  const int64_t panels = cj_ceil_div(job->columns, job->width), count = cj_convolution_phase_count(job);
  const int64_t group = index / panels, panel = index % panels;
  char *to = cj_convolution_panel(job, group, panel);
  for (int64_t number = 0; number < count; number++) {
    cj_phase phases[CJ_CONVOLUTION_AXES];
    cj_convolution_phases(job, number, NULL, phases);
    const int64_t taps = phases[0].taps * phases[1].taps * phases[2].taps;
    for (int64_t channel = 0; taps > 0 && channel < job->channels; channel += job->part)
      pack_part(job, group, panel, phases, taps, channel, to + taps * cj_convolution_step_bytes(job, channel));
    to += taps * cj_convolution_step_bytes(job, job->channels);
  }
}
