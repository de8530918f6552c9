// Convolutions and their input gradients, of drawn shapes.

#include "checks.h"

#include <cajal_convolution.h>
#include <math.h>
#include <stdlib.h>

enum { AXES = CJ_CONVOLUTION_AXES };

static int64_t product(const int64_t *extents) { return extents[0] * extents[1] * extents[2]; }

static void indices_at(int64_t at, const int64_t *extents, int64_t *index) {
  for (int axis = AXES - 1; axis >= 0; axis--) {
    index[axis] = at % extents[axis];
    at /= extents[axis];
  }
}

// One result by its definition, and the sum of the magnitudes that it is made of.
typedef struct {
  double value, size;
} exact_sum;

// y of image n at `o`, filter f.
static exact_sum forward(const cj_convolution_shape *s, const void *x, const void *w, int64_t n, const int64_t *o,
                         int64_t f) {
  const int64_t channels = s->channels / s->groups, group = f / (s->filters / s->groups);
  exact_sum sum = {0, 0};
  for (int64_t tap = 0; tap < product(s->window); tap++) {
    int64_t t[AXES], at = n;
    bool inside = true;
    indices_at(tap, s->window, t);
    for (int axis = 0; axis < AXES; axis++) {
      const int64_t i = o[axis] * s->strides[axis] + t[axis] * s->dilations[axis] - s->before[axis];
      inside &= i >= 0 && i < s->extents[axis];
      at = at * s->extents[axis] + i;
    }
    for (int64_t c = 0; inside && c < channels; c++) {
      const double term = get(s->dtype, x, at * s->channels + group * channels + c) *
                          get(s->dtype, w, (tap * channels + c) * s->filters + f);
      sum.value += term;
      sum.size += fabs(term);
    }
  }
  return sum;
}

// dx of image n at `i`, channel c.
static exact_sum gradient(const cj_convolution_shape *s, const void *dy, const void *w, int64_t n, const int64_t *i,
                          int64_t c) {
  const int64_t channels = s->channels / s->groups, filters = s->filters / s->groups, group = c / channels;
  exact_sum sum = {0, 0};
  for (int64_t tap = 0; tap < product(s->window); tap++) {
    int64_t t[AXES], at = n;
    bool inside = true;
    indices_at(tap, s->window, t);
    for (int axis = 0; axis < AXES; axis++) {
      const int64_t reach = i[axis] + s->before[axis] - t[axis] * s->dilations[axis], o = reach / s->strides[axis];
      inside &= reach >= 0 && reach % s->strides[axis] == 0 && o < s->results[axis];
      at = at * s->results[axis] + o;
    }
    for (int64_t f = group * filters; inside && f < (group + 1) * filters; f++) {
      const double term = get(s->dtype, dy, at * s->filters + f) *
                          get(s->dtype, w, (tap * channels + c % channels) * s->filters + f);
      sum.value += term;
      sum.size += fabs(term);
    }
  }
  return sum;
}

static void *drawn(cj_dtype dtype, int64_t count) {
  void *values = malloc((size_t)cj_max64(1, count * cj_dtype_bytes(dtype)));
  for (int64_t i = 0; i < count; i++) set(dtype, values, i, draw());
  return values;
}

static bool is_near(const cj_convolution_shape *s, double value, exact_sum exact) {
  const double relative = s->dtype == CJ_FLOAT64 ? 1e-14 : 2e-6;
  const double rounding = s->dtype == CJ_FLOAT16 ? 0x1p-11 : s->dtype == CJ_BFLOAT16 ? 0x1p-8 : 0;
  return fabs(value - exact.value) <= relative * exact.size + rounding * fabs(exact.value) + (rounding > 0 ? 1e-7 : 0);
}

typedef struct {
  const cj_convolution_shape *shape;
  int64_t columns;
  int32_t *seen;
} seen_blocks;

static void see(void *context, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const seen_blocks *seen = context;
  for (int64_t r = row; r < row + rows; r++)
    for (int64_t c = column; c < column + columns; c++) seen->seen[r * seen->columns + c]++;
}

static void run(const cj_convolution_shape *s, bool is_gradient, const void *a, const void *w, void *result,
                void *workspace, seen_blocks *seen) {
  if (is_gradient) cj_convolution_input_gradient(s, a, w, result, workspace, seen ? see : NULL, seen);
  else cj_convolution(s, a, w, result, workspace, seen ? see : NULL, seen);
}

// Weights that are packed once give the same bits, whatever the batch for which they were packed.
static void check_packed(cj_convolution_shape s, bool is_gradient, const void *a, const void *w, const void *result,
                         int64_t bytes) {
  const int64_t packed_bytes = cj_convolution_packed_bytes(&s, is_gradient);
  if (packed_bytes == 0) return;
  cj_convolution_shape other = s;
  other.batch += 2;
  if (!is_gradient || s.extents[2] >= s.strides[2]) {
    other.results[2] += 3;
    other.extents[2] += 3 * s.strides[2];
  }
  const cj_convolution_way way = cj_convolution_way_of(&s, is_gradient);
  const bool is_alike = cj_convolution_way_of(&other, is_gradient) == way;
  void *packed = aligned_alloc(64, (size_t)(packed_bytes + 63) / 64 * 64), *again = malloc((size_t)bytes);
  cj_convolution_pack(is_alike ? &other : &s, is_gradient, w, packed);
  s.packed = packed;
  run(&s, is_gradient, a, w, again, NULL, NULL);
  expect(memcmp(result, again, (size_t)bytes) == 0, "%s %s, way %d: other bits with weights packed once",
         dtype_name(s.dtype), is_gradient ? "gradient" : "convolution", way);
  free(packed), free(again);
}

// `is_gradient`: dx from dy, else y from x.
static void check(const cj_convolution_shape *s, bool is_gradient) {
  const int64_t *from = is_gradient ? s->results : s->extents, *to = is_gradient ? s->extents : s->results;
  const int64_t channels = is_gradient ? s->filters : s->channels, columns = is_gradient ? s->channels : s->filters;
  const int64_t count = s->batch * product(to) * columns;
  void *a = drawn(s->dtype, s->batch * product(from) * channels);
  void *w = drawn(s->dtype, product(s->window) * (s->channels / s->groups) * s->filters);
  void *result = drawn(s->dtype, count);
  const int64_t bytes = is_gradient ? cj_convolution_input_gradient_workspace(s) : cj_convolution_workspace(s);
  void *workspace = aligned_alloc(64, (size_t)cj_max64(64, bytes + 63) / 64 * 64);
  seen_blocks seen = {s, columns, calloc((size_t)cj_max64(1, count), sizeof(int32_t))};
  run(s, is_gradient, a, w, result, workspace, &seen);
  check_packed(*s, is_gradient, a, w, result, count * cj_dtype_bytes(s->dtype));
  for (int64_t at = 0; at < count; at++) {
    int64_t index[AXES];
    const int64_t position = at / columns, n = position / product(to);
    indices_at(position % product(to), to, index);
    expect(seen.seen[at] == 1, "element %lld of a convolution is reported %d times", (long long)at, seen.seen[at]);
    if (count > 400 && draw_below(count / 200) > 0) continue;
    const exact_sum exact = is_gradient ? gradient(s, a, w, n, index, at % columns)
                                        : forward(s, a, w, n, index, at % columns);
    expect(is_near(s, get(s->dtype, result, at), exact),
           "%s %s %lldx[%lld,%lld,%lld]x%lld -> %lld, window [%lld,%lld,%lld], strides [%lld,%lld,%lld], %lld groups: "
           "%g at %lld, not %g",
           dtype_name(s->dtype), is_gradient ? "gradient" : "convolution", (long long)s->batch,
           (long long)s->extents[0], (long long)s->extents[1], (long long)s->extents[2], (long long)s->channels,
           (long long)s->filters, (long long)s->window[0], (long long)s->window[1], (long long)s->window[2],
           (long long)s->strides[0], (long long)s->strides[1], (long long)s->strides[2], (long long)s->groups,
           get(s->dtype, result, at), (long long)at, exact.value);
  }
  free(a), free(w), free(result), free(workspace), free(seen.seen);
}

// Padding behind follows from the number of results: at times there is less than the window asks for, as where
// a transposed convolution has output padding.
static void draw_axis(cj_convolution_shape *s, int axis, int64_t most, bool is_plain) {
  s->window[axis] = is_plain ? 3 : 1 + draw_below(4);
  s->strides[axis] = is_plain ? 1 : 1 + draw_below(3);
  s->dilations[axis] = is_plain ? 1 : 1 + draw_below(3);
  s->before[axis] = is_plain ? 1 : draw_below(s->window[axis] * s->dilations[axis] + 1);
  s->extents[axis] = 1 + draw_below(most);
  const int64_t reach = (s->window[axis] - 1) * s->dilations[axis], behind = is_plain ? 1 : draw_below(reach + 2);
  const int64_t room = s->extents[axis] + s->before[axis] + behind - reach - 1;
  s->results[axis] = room < 0 ? 0 : room / s->strides[axis] + 1;
}

// Taps are so far apart that what lies between cannot be held.
static void draw_far_axis(cj_convolution_shape *s, int axis) {
  s->window[axis] = 1 + draw_below(3);
  s->strides[axis] = 1 + draw_below(3);
  s->dilations[axis] = (INT64_C(1) << 20) + draw_below(6);
  s->extents[axis] = 1 + draw_below(9);
  const int64_t reach = (s->window[axis] - 1) * s->dilations[axis];
  s->before[axis] = draw_below(s->window[axis]) * s->dilations[axis] + draw_below(3);
  const int64_t behind = cj_max64(0, reach - s->before[axis]) + draw_below(3);
  s->results[axis] = cj_max64(0, s->extents[axis] + s->before[axis] + behind - reach - 1) / s->strides[axis] + 1;
}

static void swap(int64_t *a, int64_t *b) {
  const int64_t value = *a;
  *a = *b;
  *b = value;
}

static cj_convolution_shape draw_shape(cj_dtype dtype, int axes, bool is_plain) {
  cj_convolution_shape s = {.dtype = dtype, .batch = 1 + draw_below(3), .groups = 1 + (draw_below(4) == 0)};
  s.channels = s.groups * (1 + draw_below(draw_below(3) == 0 ? 300 : 40));
  s.filters = s.groups * (1 + draw_below(40));
  if (draw_below(4) == 0) s.groups = s.channels = s.filters = 2 + draw_below(70);  // depthwise
  for (int axis = 0; axis < AXES; axis++) {
    s.extents[axis] = s.results[axis] = s.window[axis] = s.strides[axis] = s.dilations[axis] = 1;
    if (axis >= AXES - axes) draw_axis(&s, axis, axes == 1 ? 600 : axes == 2 ? 24 : 8, is_plain);
  }
  return s;
}

void check_convolutions(void) {
  static const cj_dtype dtypes[] = {CJ_FLOAT32, CJ_FLOAT32, CJ_FLOAT16, CJ_BFLOAT16, CJ_FLOAT64};
  for (int round = 0; round < 240; round++) {
    const cj_convolution_shape shape = draw_shape(dtypes[round % 5], 1 + round % 3, round % 4 == 0);
    check(&shape, false);
    check(&shape, true);
  }
  for (int round = 0; round < 120; round++) {
    cj_convolution_shape shape = draw_shape(dtypes[round % 5], 1 + round % 3, false);
    for (int axis = 0; axis < AXES; axis++)
      if (axis == AXES - 1 - round % 3 || draw_below(4) == 0) draw_far_axis(&shape, axis);
    check(&shape, false);
    check(&shape, true);
  }
  // Few columns of many products, as where a network begins or ends.
  for (int round = 0; round < 120; round++) {
    cj_convolution_shape shape = draw_shape(dtypes[round % 5], 1 + round % 3, round % 4 == 0);
    const bool is_gradient = round % 2 == 0;
    shape.groups = 1 + (draw_below(4) == 0);
    shape.channels = shape.groups * (1 + draw_below(7));
    shape.filters = shape.groups * 16 * (1 + draw_below(4));
    if (!is_gradient) swap(&shape.channels, &shape.filters);
    check(&shape, is_gradient);
  }
}
