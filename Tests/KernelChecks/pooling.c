#include "checks.h"
#include "include/cajal_convolution.h"

#include <math.h>
#include <stdlib.h>

// Whether the window at o, of an image whose elements begin at `from`, is as `value` and `position` say.
static bool holds(const cj_convolution_shape *s, const void *x, int64_t from, const int64_t *o, int64_t c,
                  double value, int32_t position) {
  double best = 0;
  int64_t at = -1;
  for (int64_t tap = 0; tap < s->window[0] * s->window[1] * s->window[2]; tap++) {
    const int64_t t[] = {tap / s->window[2] / s->window[1], tap / s->window[2] % s->window[1], tap % s->window[2]};
    int64_t i = 0;
    bool inside = true;
    for (int axis = 0; axis < CJ_CONVOLUTION_AXES; axis++) {
      const int64_t along = o[axis] * s->strides[axis] + t[axis] * s->dilations[axis] - s->before[axis];
      inside &= along >= 0 && along < s->extents[axis];
      i = i * s->extents[axis] + along;
    }
    if (!inside) continue;
    const double element = get(s->dtype, x, (from + i) * s->channels + c);
    if (at >= 0 && (isnan(best) || !(isnan(element) || element > best))) continue;
    best = element;
    at = i;
  }
  return position == at && (isnan(best) ? isnan(value) : value == best);
}

static void check_pool(const cj_convolution_shape *s) {
  const int64_t inputs = s->extents[0] * s->extents[1] * s->extents[2];
  const int64_t outputs = s->results[0] * s->results[1] * s->results[2], count = s->batch * outputs * s->channels;
  void *x = malloc((size_t)(s->batch * inputs * s->channels * 8)), *values = malloc((size_t)(count * 8));
  void *alone = malloc((size_t)(count * 8));
  int32_t *positions = malloc((size_t)(count * 4));
  // Few values: many are equal.
  for (int64_t i = 0; i < s->batch * inputs * s->channels; i++)
    set(s->dtype, x, i, draw_below(20) == 0 ? NAN : (double)draw_below(5) - 2);
  cj_max_pool(s, x, values, positions);
  cj_max_pool(s, x, alone, NULL);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = i / s->channels % outputs;
    const int64_t o[] = {at / s->results[2] / s->results[1], at / s->results[2] % s->results[1], at % s->results[2]};
    const double value = get(s->dtype, values, i), other = get(s->dtype, alone, i);
    expect(holds(s, x, i / s->channels / outputs * inputs, o, i % s->channels, value, positions[i]),
           "max pooling, %s, %lld channels, element %lld: %g at %d", dtype_name(s->dtype), (long long)s->channels,
           (long long)i, value, positions[i]);
    expect(isnan(value) ? isnan(other) : value == other, "max pooling, %s, element %lld: %g without positions",
           dtype_name(s->dtype), (long long)i, other);
  }
  free(x), free(values), free(alone), free(positions);
}

void check_pooling(void) {
  static const cj_convolution_shape shapes[] = {
      {.batch = 3, .channels = 64, .extents = {1, 8, 6}, .results = {1, 4, 3}, .window = {1, 2, 2},
       .strides = {1, 2, 2}, .dilations = {1, 1, 1}},
      {.batch = 2, .channels = 5, .extents = {1, 9, 11}, .results = {1, 5, 6}, .window = {1, 3, 3},
       .strides = {1, 2, 2}, .dilations = {1, 1, 1}, .before = {0, 1, 1}},
      {.batch = 2, .channels = 45, .extents = {4, 5, 6}, .results = {3, 4, 4}, .window = {2, 2, 2},
       .strides = {1, 1, 1}, .dilations = {1, 1, 2}},
      {.batch = 1, .channels = 1, .extents = {1, 1, 30}, .results = {1, 1, 27}, .window = {1, 1, 4},
       .strides = {1, 1, 1}, .dilations = {1, 1, 1}},
  };
  static const cj_dtype dtypes[] = {CJ_FLOAT16, CJ_BFLOAT16, CJ_FLOAT32, CJ_FLOAT64};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++) {
      cj_convolution_shape shape = shapes[i];
      shape.dtype = dtypes[t];
      check_pool(&shape);
    }
  }
}
