// Strided copies: axes are sorted and merged until a copy is rows of memory, a
// stack of transposed planes, or plain strided loops over both.

#include "internal.h"

#include <stdlib.h>

enum {
  TASK_BYTES = 256 * 1024,  // of a task, when work is cut by shape
  BLOCK = 64,               // side of a transposed block: its lines stay in L1
};

typedef struct {
  int32_t bytes, rank;
  int64_t extents[CJ_MAX_RANK];
  int64_t src_strides[CJ_MAX_RANK], dst_strides[CJ_MAX_RANK];  // bytes
  const char *src;
  char *dst;
  // The last axis is cut into column blocks, the others are flattened rows; a
  // transposed plane takes the last two axes in blocks.
  bool transposed;
  int64_t row_block, column_block;
  int64_t row_blocks, column_blocks;  // of the last two axes
  int64_t blocks, blocks_per_task;
} copy_plan;

static void swap_axes(copy_plan *plan, int a, int b) {
  int64_t saved[3] = {plan->extents[a], plan->src_strides[a], plan->dst_strides[a]};
  plan->extents[a] = plan->extents[b];
  plan->src_strides[a] = plan->src_strides[b];
  plan->dst_strides[a] = plan->dst_strides[b];
  plan->extents[b] = saved[0];
  plan->src_strides[b] = saved[1];
  plan->dst_strides[b] = saved[2];
}

// Drops axes of extent 1, sorts the rest by the destination's strides and merges
// neighbours that are one run on both sides.
static void simplify(copy_plan *plan) {
  int rank = 0;
  for (int axis = 0; axis < plan->rank; axis++) {
    if (plan->extents[axis] == 1) continue;
    if (axis != rank) swap_axes(plan, axis, rank);
    rank++;
  }
  for (int i = 1; i < rank; i++)
    for (int j = i; j > 0 && llabs(plan->dst_strides[j - 1]) < llabs(plan->dst_strides[j]); j--)
      swap_axes(plan, j - 1, j);
  int kept = 0;
  for (int axis = 1; axis < rank; axis++) {
    const int64_t extent = plan->extents[axis];
    if (plan->dst_strides[kept] == plan->dst_strides[axis] * extent &&
        plan->src_strides[kept] == plan->src_strides[axis] * extent) {
      plan->extents[kept] *= extent;
      plan->src_strides[kept] = plan->src_strides[axis];
      plan->dst_strides[kept] = plan->dst_strides[axis];
    } else {
      kept++;
      if (kept != axis) swap_axes(plan, kept, axis);
    }
  }
  plan->rank = rank == 0 ? 0 : kept + 1;
  while (plan->rank < 2) {  // two axes at least: rows and columns
    for (int axis = plan->rank; axis > 0; axis--) swap_axes(plan, axis, axis - 1);
    plan->extents[0] = 1;
    plan->src_strides[0] = plan->dst_strides[0] = 0;
    plan->rank++;
  }
}

// When the source runs along another axis than the last, that axis becomes the
// last but one and the two are walked in blocks.
static void find_transposed(copy_plan *plan) {
  const int last = plan->rank - 1;
  const int64_t along = llabs(plan->src_strides[last]);
  if (along <= plan->bytes || plan->extents[last] < 4) return;
  int best = -1;
  for (int axis = 0; axis < last; axis++) {
    const int64_t stride = llabs(plan->src_strides[axis]);
    if (stride == 0 || stride >= along || plan->extents[axis] < 4) continue;
    if (best < 0 || stride < llabs(plan->src_strides[best])) best = axis;
  }
  if (best < 0) return;
  for (int axis = best; axis < last - 1; axis++) swap_axes(plan, axis, axis + 1);
  plan->transposed = true;
}

#define COPY_ROWS(T)                                                            \
  for (int64_t r = 0; r < rows; r++) {                                          \
    const char *from = src + r * src_row;                                       \
    char *to = dst + r * dst_row;                                               \
    if (dst_step == sizeof(T) && src_step == 0) {                               \
      const T value = *(const T *)from;                                         \
      for (int64_t c = 0; c < columns; c++) ((T *)to)[c] = value;               \
    } else if (dst_step == sizeof(T)) {                                         \
      for (int64_t c = 0; c < columns; c++) ((T *)to)[c] = *(const T *)(from + c * src_step); \
    } else {                                                                    \
      for (int64_t c = 0; c < columns; c++)                                     \
        *(T *)(to + c * dst_step) = *(const T *)(from + c * src_step);          \
    }                                                                           \
  }

static void copy_block(int32_t bytes, int64_t rows, int64_t columns, const char *src,
                       int64_t src_row, int64_t src_step, char *dst, int64_t dst_row,
                       int64_t dst_step) {
  if (src_step == bytes && dst_step == bytes) {
    for (int64_t r = 0; r < rows; r++)
      memcpy(dst + r * dst_row, src + r * src_row, (size_t)(columns * bytes));
    return;
  }
  if (src_row == bytes && dst_step == bytes && rows > 1) {
    cj_transpose_block(bytes, rows, columns, src, src_step, dst, dst_row);
    return;
  }
  switch (bytes) {
    case 1: COPY_ROWS(uint8_t) break;
    case 2: COPY_ROWS(uint16_t) break;
    case 4: COPY_ROWS(uint32_t) break;
    default: COPY_ROWS(uint64_t) break;
  }
}

static void copy_task(void *context, int64_t task) {
  const copy_plan *plan = context;
  const int last = plan->rank - 1;
  const int64_t end = cj_min64(plan->blocks, (task + 1) * plan->blocks_per_task);
  for (int64_t block = task * plan->blocks_per_task; block < end; block++) {
    int64_t rest = block;
    const int64_t column = rest % plan->column_blocks * plan->column_block;
    rest /= plan->column_blocks;
    const int64_t row = rest % plan->row_blocks * plan->row_block;
    rest /= plan->row_blocks;
    const char *src = plan->src + row * plan->src_strides[last - 1] + column * plan->src_strides[last];
    char *dst = plan->dst + row * plan->dst_strides[last - 1] + column * plan->dst_strides[last];
    for (int axis = last - 2; axis >= 0; axis--) {
      const int64_t coordinate = rest % plan->extents[axis];
      rest /= plan->extents[axis];
      src += coordinate * plan->src_strides[axis];
      dst += coordinate * plan->dst_strides[axis];
    }
    copy_block(plan->bytes, cj_min64(plan->row_block, plan->extents[last - 1] - row),
               cj_min64(plan->column_block, plan->extents[last] - column), src,
               plan->src_strides[last - 1], plan->src_strides[last], dst,
               plan->dst_strides[last - 1], plan->dst_strides[last]);
  }
}

static void cut(copy_plan *plan) {
  const int last = plan->rank - 1;
  if (plan->transposed) {
    plan->row_block = plan->column_block = BLOCK;
  } else {
    plan->column_block = cj_min64(plan->extents[last], TASK_BYTES / plan->bytes);
    const int64_t rows = TASK_BYTES / (plan->column_block * plan->bytes);
    plan->row_block = cj_min64(plan->extents[last - 1], cj_max64(1, rows));
  }
  plan->row_blocks = cj_ceil_div(plan->extents[last - 1], plan->row_block);
  plan->column_blocks = cj_ceil_div(plan->extents[last], plan->column_block);
  plan->blocks = plan->row_blocks * plan->column_blocks;
  for (int axis = 0; axis < last - 1; axis++) plan->blocks *= plan->extents[axis];
  const int64_t block_bytes = plan->row_block * plan->column_block * plan->bytes;
  plan->blocks_per_task = cj_max64(1, TASK_BYTES / block_bytes);
}

void cj_copy(int32_t element_bytes, int32_t rank, const int64_t *extents, const void *src,
             const int64_t *src_strides, void *dst, const int64_t *dst_strides) {
  copy_plan plan = {.bytes = element_bytes, .rank = rank, .src = src, .dst = dst};
  for (int axis = 0; axis < rank; axis++) {
    if (extents[axis] <= 0) return;
    plan.extents[axis] = extents[axis];
    plan.src_strides[axis] = src_strides[axis] * element_bytes;
    plan.dst_strides[axis] = dst_strides[axis] * element_bytes;
  }
  simplify(&plan);
  find_transposed(&plan);
  cut(&plan);
  cj_parallel(cj_ceil_div(plan.blocks, plan.blocks_per_task), copy_task, &plan);
}

// ---------------------------------------------------------------- fill

typedef struct {
  int32_t bytes;
  int64_t count;
  uint64_t bits;
  char *dst;
} fill_plan;

static void fill_task(void *context, int64_t task) {
  const fill_plan *plan = context;
  const int64_t most = TASK_BYTES / plan->bytes, first = task * most;
  const int64_t count = cj_min64(most, plan->count - first);
  void *dst = plan->dst + first * plan->bytes;
  switch (plan->bytes) {
    case 1: memset(dst, (int)(plan->bits & 0xff), (size_t)count); break;
    case 2:
      for (int64_t i = 0; i < count; i++) ((uint16_t *)dst)[i] = (uint16_t)plan->bits;
      break;
    case 4:
      for (int64_t i = 0; i < count; i++) ((uint32_t *)dst)[i] = (uint32_t)plan->bits;
      break;
    default:
      for (int64_t i = 0; i < count; i++) ((uint64_t *)dst)[i] = plan->bits;
      break;
  }
}

void cj_fill(int32_t element_bytes, int64_t count, uint64_t bits, void *dst) {
  fill_plan plan = {element_bytes, count, bits, dst};
  cj_parallel(cj_ceil_div(count * element_bytes, TASK_BYTES), fill_task, &plan);
}
