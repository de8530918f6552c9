#include "checks.h"
#include "winograd_weights.h"

#include <math.h>
#include <stdlib.h>

static int64_t volume(const int64_t *extents) { return extents[0] * extents[1] * extents[2]; }

// Where along x position `o` and tap `t` meet; -1 outside.
static int64_t meet(const cj_convolution_shape *s, const int64_t *o, const int64_t *t) {
  int64_t at = 0;
  for (int axis = 0; axis < CJ_CONVOLUTION_AXES; axis++) {
    const int64_t i = o[axis] * s->strides[axis] + t[axis] * s->dilations[axis] - s->before[axis];
    if (i < 0 || i >= s->extents[axis]) return -1;
    at = at * s->extents[axis] + i;
  }
  return at;
}

static void coordinates(const int64_t *extents, int64_t at, int64_t *found) {
  for (int axis = CJ_CONVOLUTION_AXES - 1; axis >= 0; at /= extents[axis--]) found[axis] = at % extents[axis];
}

// One element of dw, and the sum of what its products are in size.
static double plain(const cj_convolution_shape *s, const void *x, const void *dy, int64_t tap, int64_t c, int64_t f,
                    double *size) {
  const int64_t positions = volume(s->results), inputs = volume(s->extents);
  const int64_t channel = f / (s->filters / s->groups) * (s->channels / s->groups) + c;
  int64_t t[CJ_CONVOLUTION_AXES], o[CJ_CONVOLUTION_AXES];
  coordinates(s->window, tap, t);
  double sum = 0;
  for (int64_t n = 0; n < s->batch; n++) {
    for (int64_t position = 0; position < positions; position++) {
      coordinates(s->results, position, o);
      const int64_t at = meet(s, o, t);
      if (at < 0) continue;
      const double product = get(s->dtype, x, (n * inputs + at) * s->channels + channel) *
                             get(s->dtype, dy, (n * positions + position) * s->filters + f);
      sum += product;
      *size += fabs(product);
    }
  }
  return sum;
}

static void check_weight_gradient(const cj_convolution_shape *s) {
  const int64_t x_count = s->batch * volume(s->extents) * s->channels;
  const int64_t dy_count = s->batch * volume(s->results) * s->filters, channels = s->channels / s->groups;
  const int64_t count = volume(s->window) * channels * s->filters;
  const int64_t workspace_bytes = cj_convolution_weight_gradient_workspace(s);
  const int64_t bytes = cj_dtype_bytes(s->dtype);
  void *x = malloc((size_t)(x_count * bytes)), *dy = malloc((size_t)(dy_count * bytes));
  void *dw = malloc((size_t)(count * bytes));
  void *workspace = cj_allocate(workspace_bytes);
  for (int64_t i = 0; i < x_count; i++) set(s->dtype, x, i, draw());
  for (int64_t i = 0; i < dy_count; i++) set(s->dtype, dy, i, draw());
  cj_convolution_weight_gradient(s, x, dy, dw, workspace);
  const double relative = s->dtype == CJ_FLOAT64 ? 1e-14 : 1e-6;
  const double rounding = s->dtype == CJ_FLOAT16 ? 0x1p-11 : s->dtype == CJ_BFLOAT16 ? 0x1p-8 : 0;
  for (int64_t i = 0; i < count; i += 1 + draw_below(count / 200 + 1)) {
    double size = 0;
    const int64_t f = i % s->filters, c = i / s->filters % channels, tap = i / s->filters / channels;
    const double exact = plain(s, x, dy, tap, c, f, &size), error = fabs(get(s->dtype, dw, i) - exact);
    expect(error <= relative * size + rounding * fabs(exact) + (rounding > 0 ? 1e-7 : 0),
           "weights' gradient, %s, %lld to %lld channels in %lld groups, element %lld: off by %g",
           dtype_name(s->dtype), (long long)s->channels, (long long)s->filters, (long long)s->groups, (long long)i,
           error);
  }
  free(x), free(dy), free(dw), cj_free(workspace, workspace_bytes);
}

static const cj_convolution_shape shapes[] = {
    // As in networks: same, valid, strided, pointwise, with few channels.
    {.batch = 3, .channels = 16, .filters = 33, .groups = 1, .extents = {1, 9, 10}, .results = {1, 9, 10},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
    {.batch = 2, .channels = 1, .filters = 7, .groups = 1, .extents = {1, 30, 28}, .results = {1, 28, 26},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}},
    // One filter; windows over planes; lines of several blocks.
    {.batch = 2, .channels = 3, .filters = 1, .groups = 1, .extents = {1, 1, 10}, .results = {1, 1, 8},
     .window = {1, 1, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}},
    {.batch = 1, .channels = 2, .filters = 5, .groups = 1, .extents = {5, 4, 12}, .results = {3, 4, 12},
     .window = {3, 1, 1}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}},
    {.batch = 2, .channels = 2, .filters = 5, .groups = 1, .extents = {7, 4, 12}, .results = {4, 4, 12},
     .window = {3, 1, 1}, .strides = {2, 1, 1}, .dilations = {1, 1, 1}, .before = {1, 0, 0}},
    {.batch = 1, .channels = 1, .filters = 3, .groups = 1, .extents = {1, 3, 600}, .results = {1, 3, 600},
     .window = {1, 1, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 0, 1}},
    {.batch = 2, .channels = 3, .filters = 8, .groups = 1, .extents = {1, 31, 31}, .results = {1, 16, 16},
     .window = {1, 7, 7}, .strides = {1, 2, 2}, .dilations = {1, 1, 1}, .before = {0, 3, 3}},
    {.batch = 2, .channels = 40, .filters = 24, .groups = 1, .extents = {1, 8, 8}, .results = {1, 4, 4},
     .window = {1, 1, 1}, .strides = {1, 2, 2}, .dilations = {1, 1, 1}},
    // Sums of many positions in chunks; many filters in blocks.
    {.batch = 5, .channels = 5, .filters = 20, .groups = 1, .extents = {1, 40, 40}, .results = {1, 40, 40},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
    {.batch = 2, .channels = 30, .filters = 520, .groups = 1, .extents = {1, 5, 5}, .results = {1, 5, 5},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
    // Large enough for Winograd's: no whole tiles, little and much padding, planes, many filters, chunks.
    {.batch = 2, .channels = 20, .filters = 24, .groups = 1, .extents = {2, 17, 19}, .results = {2, 17, 19},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
    {.batch = 3, .channels = 33, .filters = 40, .groups = 1, .extents = {1, 22, 26}, .results = {1, 20, 24},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}},
    {.batch = 2, .channels = 32, .filters = 70, .groups = 1, .extents = {2, 13, 10}, .results = {4, 18, 17},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {1, 5, 8}},
    {.batch = 6, .channels = 20, .filters = 24, .groups = 1, .extents = {1, 64, 64}, .results = {1, 64, 64},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
    // One, three axes; dilation; padding beyond the window; no element of x in reach.
    {.batch = 4, .channels = 6, .filters = 5, .groups = 1, .extents = {1, 1, 50}, .results = {1, 1, 50},
     .window = {1, 1, 5}, .strides = {1, 1, 1}, .dilations = {1, 1, 3}, .before = {0, 0, 12}},
    {.batch = 2, .channels = 4, .filters = 6, .groups = 1, .extents = {5, 6, 7}, .results = {3, 3, 4},
     .window = {3, 2, 3}, .strides = {2, 2, 2}, .dilations = {1, 2, 1}, .before = {1, 1, 1}},
    {.batch = 1, .channels = 2, .filters = 3, .groups = 1, .extents = {1, 4, 3}, .results = {1, 9, 12},
     .window = {1, 2, 2}, .strides = {1, 1, 1}, .dilations = {1, 2, 2}, .before = {0, 4, 6}},
    {.batch = 1, .channels = 2, .filters = 3, .groups = 1, .extents = {1, 0, 3}, .results = {1, 1, 3},
     .window = {1, 2, 1}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 1, 0}},
    {.batch = 0, .channels = 2, .filters = 3, .groups = 1, .extents = {1, 2, 3}, .results = {1, 1, 3},
     .window = {1, 2, 1}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}},
    // Groups; a filter or two for every channel.
    {.batch = 2, .channels = 24, .filters = 36, .groups = 4, .extents = {1, 8, 8}, .results = {1, 8, 8},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
    {.batch = 2, .channels = 19, .filters = 19, .groups = 19, .extents = {1, 13, 12}, .results = {1, 7, 6},
     .window = {1, 3, 3}, .strides = {1, 2, 2}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
    {.batch = 2, .channels = 3, .filters = 3, .groups = 3, .extents = {1, 20, 11}, .results = {1, 20, 11},
     .window = {1, 5, 3}, .strides = {1, 1, 1}, .dilations = {1, 1, 1}, .before = {0, 2, 1}},
    {.batch = 3, .channels = 70, .filters = 70, .groups = 70, .extents = {4, 5, 9}, .results = {2, 4, 6},
     .window = {2, 2, 2}, .strides = {2, 1, 1}, .dilations = {1, 2, 4}, .before = {0, 1, 2}},
    {.batch = 2, .channels = 5, .filters = 10, .groups = 5, .extents = {1, 9, 9}, .results = {1, 5, 5},
     .window = {1, 3, 3}, .strides = {1, 1, 1}, .dilations = {1, 2, 2}},
};

void check_weight_gradients(void) {
  static const cj_dtype dtypes[] = {CJ_FLOAT16, CJ_BFLOAT16, CJ_FLOAT32, CJ_FLOAT64};
  int winograd = 0;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++) {
      cj_convolution_shape shape = shapes[i];
      shape.dtype = dtypes[t];
      check_weight_gradient(&shape);
      const int64_t transforms = cj_winograd_weights_workspace(&shape);
      shape.is_plain = true;
      expect(cj_winograd_weights_workspace(&shape) == 0, "Winograd's weights' gradient where it is refused");
      if (transforms == 0) continue;
      winograd++;
      check_weight_gradient(&shape);
    }
  }
  expect(winograd == 4 * 3, "%d of the shapes have Winograd's gradient", winograd);
}
