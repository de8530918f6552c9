// Gather and scatter along one axis. Indices are checked by the caller.

#include "internal.h"

#include <stdatomic.h>

enum {
  TASK_ELEMENTS = 32 * 1024,  // of a task, when work is cut by shape
  SCATTER_PARTS = 16,         // ways to cut the extent of a scatter whose rows are short
};

static inline int64_t index_at(cj_dtype dtype, const void *indices, int64_t i, int64_t extent) {
  int64_t index =
      dtype == CJ_INT32 ? (int64_t)((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
  return index < 0 ? index + extent : index;
}

// ---------------------------------------------------------------- checking

#define FIRST_BAD(T)                                                                 \
  {                                                                                  \
    const T *values = indices;                                                       \
    for (int64_t block = 0; block < count; block += 1024) {                          \
      const int64_t end = cj_min64(count, block + 1024);                             \
      int bad = 0;                                                                   \
      for (int64_t i = block; i < end; i++)                                          \
        bad |= ((int64_t)values[i] < lowest) | ((int64_t)values[i] >= extent);       \
      for (int64_t i = block; bad && i < end; i++)                                   \
        if ((int64_t)values[i] < lowest || (int64_t)values[i] >= extent) return i;   \
    }                                                                                \
  }

int64_t cj_first_bad_index(cj_dtype dtype, int64_t count, const void *indices, int64_t extent,
                           bool allow_negative) {
  const int64_t lowest = allow_negative ? -extent : 0;
  if (dtype == CJ_INT32) FIRST_BAD(int32_t) else FIRST_BAD(int64_t)
  return -1;
}

// ---------------------------------------------------------------- whole rows

typedef struct {
  int64_t bytes;  // of an element
  int64_t outer, extent, inner, count;
  cj_dtype dtype, index_dtype;
  const void *indices;
  const char *source;
  char *target;
  int64_t rows_per_task;
  int64_t columns_per_task, column_tasks;  // of inner, for scatters
  int64_t parts;                           // of extent, for scatters
} gather_plan;

static void gather_task(void *context, int64_t task) {
  const gather_plan *plan = context;
  const int64_t row_bytes = plan->inner * plan->bytes;
  const int64_t first = task * plan->rows_per_task;
  const int64_t end = cj_min64(plan->outer * plan->count, first + plan->rows_per_task);
  int64_t o = first / plan->count, i = first % plan->count;
  for (int64_t row = first; row < end; row++) {
    const int64_t index = index_at(plan->index_dtype, plan->indices, i, plan->extent);
    const char *from = plan->source + (o * plan->extent + index) * row_bytes;
    char *to = plan->target + row * row_bytes;
    if (row_bytes == 4) memcpy(to, from, 4);  // one element: no call
    else if (row_bytes == 8) memcpy(to, from, 8);
    else memcpy(to, from, (size_t)row_bytes);
    if (++i == plan->count) i = 0, o++;
  }
}

void cj_gather(int32_t element_bytes, int64_t outer, int64_t extent, int64_t inner, int64_t count,
               cj_dtype index_dtype, const void *indices, const void *x, void *out) {
  if (outer * count * inner == 0) return;
  gather_plan plan = {.bytes = element_bytes,
                      .outer = outer,
                      .extent = extent,
                      .inner = inner,
                      .count = count,
                      .index_dtype = index_dtype,
                      .indices = indices,
                      .source = x,
                      .target = out,
                      .rows_per_task = cj_max64(1, TASK_ELEMENTS / inner)};
  cj_parallel(cj_ceil_div(outer * count, plan.rows_per_task), gather_task, &plan);
}

// x[0..<n] += y[0..<n]; 16-bit floats add in float32 and round each sum.
#define ADD_LOOP(T) \
  for (int64_t i = 0; i < n; i++) ((T *)x)[i] = (T)(((T *)x)[i] + ((const T *)y)[i]);

static void add_values(cj_dtype dtype, int64_t n, void *x, const void *y) {
  switch (dtype) {
    case CJ_BOOL:
      for (int64_t i = 0; i < n; i++) ((uint8_t *)x)[i] |= ((const uint8_t *)y)[i];
      break;
    case CJ_UINT8:
    case CJ_INT8: ADD_LOOP(uint8_t) break;
    case CJ_INT16: ADD_LOOP(uint16_t) break;
    case CJ_INT32: ADD_LOOP(uint32_t) break;
    case CJ_INT64: ADD_LOOP(uint64_t) break;
    case CJ_FLOAT32: ADD_LOOP(float) break;
    case CJ_FLOAT64: ADD_LOOP(double) break;
    case CJ_FLOAT16:
      for (int64_t i = 0; i < n; i++)
        ((uint16_t *)x)[i] = cj_float_to_half(cj_half_to_float(((uint16_t *)x)[i]) +
                                              cj_half_to_float(((const uint16_t *)y)[i]));
      break;
    case CJ_BFLOAT16:
      for (int64_t i = 0; i < n; i++)
        ((uint16_t *)x)[i] = cj_float_to_bfloat(cj_bfloat_to_float(((uint16_t *)x)[i]) +
                                                cj_bfloat_to_float(((const uint16_t *)y)[i]));
      break;
  }
}

// A task owns a range of columns or a part of the extent of one outer index, and
// walks all updates in order, so that each element sees its updates in order.
static void scatter_task(void *context, int64_t task) {
  const gather_plan *plan = context;
  const int64_t part = task % plan->parts, column_task = task / plan->parts % plan->column_tasks;
  const int64_t o = task / plan->parts / plan->column_tasks;
  const int64_t low = plan->extent * part / plan->parts;
  const int64_t high = plan->extent * (part + 1) / plan->parts;
  const int64_t column = column_task * plan->columns_per_task;
  const int64_t columns = cj_min64(plan->columns_per_task, plan->inner - column);
  for (int64_t i = 0; i < plan->count; i++) {
    const int64_t index = index_at(plan->index_dtype, plan->indices, i, plan->extent);
    if (index < low || index >= high) continue;
    add_values(plan->dtype, columns,
               plan->target + ((o * plan->extent + index) * plan->inner + column) * plan->bytes,
               plan->source + ((o * plan->count + i) * plan->inner + column) * plan->bytes);
  }
}

void cj_scatter_add(cj_dtype dtype, int64_t outer, int64_t extent, int64_t inner, int64_t count,
                    cj_dtype index_dtype, const void *indices, const void *updates, void *x) {
  if (outer * count * inner == 0) return;
  gather_plan plan = {.bytes = cj_dtype_bytes(dtype),
                      .outer = outer,
                      .extent = extent,
                      .inner = inner,
                      .count = count,
                      .dtype = dtype,
                      .index_dtype = index_dtype,
                      .indices = indices,
                      .source = updates,
                      .target = x,
                      .columns_per_task = inner,
                      .column_tasks = 1,
                      .parts = 1};
  const int64_t work = count * inner;
  if (work > TASK_ELEMENTS && outer < SCATTER_PARTS) {
    // Wide rows are cut by columns; for narrow ones each part skips the others' indices.
    if (inner >= 512) plan.columns_per_task = 256;
    else plan.parts = cj_min64(plan.extent, inner >= 16 ? SCATTER_PARTS : 4);
    plan.column_tasks = cj_ceil_div(inner, plan.columns_per_task);
  }
  const int64_t tasks = outer * plan.column_tasks * plan.parts;
  if (outer * work <= TASK_ELEMENTS) {
    for (int64_t task = 0; task < tasks; task++) scatter_task(&plan, task);
  } else {
    cj_parallel(tasks, scatter_task, &plan);
  }
}

// ---------------------------------------------------------------- an index an element

#define GATHER_ALONG(T)                                                              \
  for (int64_t i = 0; i < plan->inner; i++) {                                        \
    const int64_t index = index_at(plan->index_dtype, plan->indices, row * plan->inner + i, plan->extent); \
    ((T *)plan->target)[row * plan->inner + i] =                                     \
        ((const T *)plan->source)[(o * plan->extent + index) * plan->inner + i];     \
  }

static void gather_along_task(void *context, int64_t task) {
  const gather_plan *plan = context;
  const int64_t first = task * plan->rows_per_task;
  const int64_t end = cj_min64(plan->outer * plan->count, first + plan->rows_per_task);
  for (int64_t row = first; row < end; row++) {
    const int64_t o = row / plan->count;
    switch (plan->bytes) {
      case 1: GATHER_ALONG(uint8_t) break;
      case 2: GATHER_ALONG(uint16_t) break;
      case 4: GATHER_ALONG(uint32_t) break;
      default: GATHER_ALONG(uint64_t) break;
    }
  }
}

void cj_gather_along(int32_t element_bytes, int64_t outer, int64_t extent, int64_t inner,
                     int64_t count, cj_dtype index_dtype, const void *indices, const void *x,
                     void *out) {
  if (outer * count * inner == 0) return;
  gather_plan plan = {.bytes = element_bytes,
                      .outer = outer,
                      .extent = extent,
                      .inner = inner,
                      .count = count,
                      .index_dtype = index_dtype,
                      .indices = indices,
                      .source = x,
                      .target = out,
                      .rows_per_task = cj_max64(1, TASK_ELEMENTS / inner)};
  cj_parallel(cj_ceil_div(outer * count, plan.rows_per_task), gather_along_task, &plan);
}

// Without a call for each element.
static void scatter_along_floats(const gather_plan *plan, int64_t o, int64_t column, int64_t end) {
  for (int64_t j = 0; j < plan->count; j++) {
    const int64_t row = (o * plan->count + j) * plan->inner;
    float *target = (float *)plan->target + o * plan->extent * plan->inner;
    const float *source = (const float *)plan->source + row;
    for (int64_t i = column; i < end; i++)
      target[index_at(plan->index_dtype, plan->indices, row + i, plan->extent) * plan->inner + i] += source[i];
  }
}

static void scatter_along_task(void *context, int64_t task) {
  const gather_plan *plan = context;
  const int64_t o = task / plan->column_tasks;
  const int64_t column = task % plan->column_tasks * plan->columns_per_task;
  const int64_t end = cj_min64(plan->inner, column + plan->columns_per_task);
  if (plan->dtype == CJ_FLOAT32) {
    scatter_along_floats(plan, o, column, end);
    return;
  }
  for (int64_t j = 0; j < plan->count; j++) {
    const int64_t row = (o * plan->count + j) * plan->inner;
    for (int64_t i = column; i < end; i++) {
      const int64_t index = index_at(plan->index_dtype, plan->indices, row + i, plan->extent);
      add_values(plan->dtype, 1,
                 plan->target + ((o * plan->extent + index) * plan->inner + i) * plan->bytes,
                 plan->source + (row + i) * plan->bytes);
    }
  }
}

void cj_scatter_add_along(cj_dtype dtype, int64_t outer, int64_t extent, int64_t inner,
                          int64_t count, cj_dtype index_dtype, const void *indices,
                          const void *updates, void *x) {
  if (outer * count * inner == 0) return;
  gather_plan plan = {.bytes = cj_dtype_bytes(dtype),
                      .outer = outer,
                      .extent = extent,
                      .inner = inner,
                      .count = count,
                      .dtype = dtype,
                      .index_dtype = index_dtype,
                      .indices = indices,
                      .source = updates,
                      .target = x,
                      .columns_per_task = cj_min64(inner, 256)};
  plan.column_tasks = cj_ceil_div(inner, plan.columns_per_task);
  const int64_t tasks = outer * plan.column_tasks;
  if (outer * count * inner <= TASK_ELEMENTS) {
    for (int64_t task = 0; task < tasks; task++) scatter_along_task(&plan, task);
  } else {
    cj_parallel(tasks, scatter_along_task, &plan);
  }
}
