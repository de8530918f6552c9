// The interpreter of tile programs. What a tile is, and which registers are
// memory itself, group_plan.c and group_registers.c have decided.

#include "group.h"

#include <stdlib.h>

typedef struct {
  const group_plan *plan;
  const cj_level *level;
  char *raw;           // a tile of memory's dtype, on its way to or from a register
  void **registers;    // where each register is in this tile
  int64_t *offsets;    // of each access at the tile's first element: loads, then stores
  char *accumulators;  // of the folds of this task, see fold_tile
  int64_t *loaded;     // the offset at which a repeating load was filled, and
  int64_t *filled;     // how many elements of it
  int64_t *singles;    // the column of each register that is single in this tile
  int64_t coordinates[CJ_MAX_RANK];  // of the tile's first row
  int64_t rows, columns;             // of this tile
} tile_state;

// Moves to the next row; returns how far that moves an access.
static int64_t next_row(const cj_group *group, const cj_access *access, int64_t *coordinates) {
  int64_t moved = 0;
  for (int axis = group->rank - 2; axis >= 0; axis--) {
    moved += access->strides[axis];
    if (++coordinates[axis] < group->extents[axis]) break;
    moved -= access->strides[axis] * group->extents[axis];
    coordinates[axis] = 0;
  }
  return moved;
}

#define GATHER(T)                                                                 \
  {                                                                               \
    T *to = dst;                                                                  \
    const T *from = src;                                                          \
    if (stride == 0) {                                                            \
      const T value = *from;                                                      \
      for (int64_t i = 0; i < count; i++) to[i] = value;                          \
    } else {                                                                      \
      for (int64_t i = 0; i < count; i++) to[i] = from[i * stride];               \
    }                                                                             \
  }

static void gather_row(int bytes, int64_t count, void *dst, const void *src, int64_t stride) {
  if (stride == 1) {
    memcpy(dst, src, (size_t)(count * bytes));
    return;
  }
  switch (bytes) {
    case 1: GATHER(uint8_t) break;
    case 2: GATHER(uint16_t) break;
    case 4: GATHER(uint32_t) break;
    default: GATHER(uint64_t) break;
  }
}

#define SCATTER(T)                                                        \
  {                                                                       \
    T *to = dst;                                                          \
    const T *from = src;                                                  \
    for (int64_t i = 0; i < count; i++) to[i * stride] = from[i];         \
  }

static void scatter_row(int bytes, int64_t count, void *dst, int64_t stride, const void *src) {
  if (stride == 1) {
    memcpy(dst, src, (size_t)(count * bytes));
    return;
  }
  switch (bytes) {
    case 1: SCATTER(uint8_t) break;
    case 2: SCATTER(uint16_t) break;
    case 4: SCATTER(uint32_t) break;
    default: SCATTER(uint64_t) break;
  }
}

static void load_affine(const tile_state *state, const cj_access *access, int64_t offset,
                        int64_t rows, int64_t *dst) {
  const cj_group *group = state->plan->group;
  const int64_t stride = access->strides[group->rank - 1];
  int64_t coordinates[CJ_MAX_RANK];
  memcpy(coordinates, state->coordinates, sizeof coordinates);
  for (int64_t row = 0; row < rows; row++, dst += state->columns) {
    for (int64_t i = 0; i < state->columns; i++) dst[i] = offset + i * stride;
    offset += next_row(group, access, coordinates);
  }
}

static void load_rows(const tile_state *state, const planned_access *planned,
                      const cj_access *access, int64_t offset, char *dst) {
  const cj_group *group = state->plan->group;
  const int64_t stride = access->strides[group->rank - 1];
  const int64_t bytes = planned->bytes, count = state->rows * state->columns;
  const bool converts = bytes != cj_type_bytes(planned->type);
  char *raw = converts ? state->raw : dst;
  int64_t coordinates[CJ_MAX_RANK];
  memcpy(coordinates, state->coordinates, sizeof coordinates);
  const int across = group->rank - 2;
  if (state->rows > 1 && access->strides[across] == 1 && stride > 1 &&
      coordinates[across] + state->rows <= group->extents[across]) {
    cj_transpose_block((int32_t)bytes, state->rows, state->columns, planned->base + offset * bytes,
                       stride * bytes, raw, state->columns * bytes);
    if (converts) planned->convert(count, dst, raw);
    return;
  }
  for (int64_t row = 0; row < state->rows; row++) {
    gather_row((int)bytes, state->columns, raw + row * state->columns * bytes,
               planned->base + offset * bytes, stride);
    offset += next_row(group, access, coordinates);
  }
  if (converts) planned->convert(count, dst, raw);
}

static void fill(int64_t bytes, int64_t count, void *dst, const void *value) {
  switch (bytes) {
    case 1: memset(dst, *(const uint8_t *)value, (size_t)count); break;
    case 4: {
      const uint32_t bits = *(const uint32_t *)value;
      for (int64_t i = 0; i < count; i++) ((uint32_t *)dst)[i] = bits;
      break;
    }
    default: {
      const uint64_t bits = *(const uint64_t *)value;
      for (int64_t i = 0; i < count; i++) ((uint64_t *)dst)[i] = bits;
      break;
    }
  }
}

// A whole vector of the value that stands in the first element.
static void fill_uniform(cj_type type, void *reg) {
  const int64_t bytes = cj_type_bytes(type);
  fill(bytes, CJ_UNIFORM_BYTES / bytes, reg, reg);
}

static void load_uniform(const planned_access *planned, int64_t offset, void *reg) {
  if (planned->affine) *(int64_t *)reg = offset;
  else planned->convert(1, reg, planned->base + offset * planned->bytes);
  fill_uniform(planned->type, reg);
}

// One element a row.
static void load_row_values(const tile_state *state, const planned_access *planned, const cj_access *access,
                            int64_t offset, char *dst) {
  const cj_group *group = state->plan->group;
  const int64_t bytes = cj_type_bytes(planned->type);
  int64_t coordinates[CJ_MAX_RANK];
  memcpy(coordinates, state->coordinates, sizeof coordinates);
  for (int64_t row = 0; row < state->rows; row++) {
    if (planned->affine) ((int64_t *)dst)[row] = offset;
    else planned->convert(1, dst + row * bytes, planned->base + offset * planned->bytes);
    offset += next_row(group, access, coordinates);
  }
}

static int64_t element_count(const tile_state *state, cj_extent extent) {
  return extent == CJ_ROW ? state->rows : state->rows * state->columns;
}

static void load(tile_state *state, int index) {
  const planned_access *planned = &state->plan->loads[index];
  const cj_access *access = &state->plan->group->loads[index];
  const int64_t offset = state->offsets[index], count = element_count(state, (cj_extent)access->extent);
  void **reg = &state->registers[access->reg];
  if (planned->kind == ACCESS_UNIFORM) {
    load_uniform(planned, offset, *reg);
    return;
  }
  if (planned->kind == ACCESS_DIRECT) {
    *reg = planned->base + offset * planned->bytes;
    return;
  }
  if (planned->kind == ACCESS_CONTIGUOUS) {
    planned->convert(count, *reg, planned->base + offset * planned->bytes);
    return;
  }
  if (planned->repeats) {
    if (state->loaded[index] == offset && state->filled[index] >= count) return;
    state->loaded[index] = offset;
    state->filled[index] = count;
  }
  if (access->extent == CJ_ROW) load_row_values(state, planned, access, offset, *reg);
  else if (planned->affine) load_affine(state, access, offset, state->rows, *reg);
  else load_rows(state, planned, access, offset, *reg);
}

static void store(tile_state *state, int index) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  const planned_access *planned = &plan->stores[index];
  const cj_access *access = &group->stores[index];
  int64_t offset = state->offsets[group->load_count + index];
  const int64_t bytes = planned->bytes, count = element_count(state, (cj_extent)access->extent);
  const char *source = state->registers[access->reg];
  if (planned->kind == ACCESS_DIRECT) return;
  if (planned->kind == ACCESS_CONTIGUOUS) {
    planned->convert(count, planned->base + offset * bytes, source);
    return;
  }
  if (planned->kind == ACCESS_STREAM) {
    state->level->stream(count * bytes, planned->base + offset * bytes, source);
    return;
  }
  if (bytes != cj_type_bytes(planned->type)) {
    planned->convert(count, state->raw, source);
    source = state->raw;
  }
  int64_t coordinates[CJ_MAX_RANK];
  memcpy(coordinates, state->coordinates, sizeof coordinates);
  const int64_t width = access->extent == CJ_ROW ? 1 : state->columns;
  for (int64_t row = 0; row < state->rows; row++) {
    scatter_row((int)bytes, width, planned->base + offset * bytes, access->strides[group->rank - 1],
                source + row * width * bytes);
    offset += next_row(group, access, coordinates);
  }
}

// Row values at every column.
static void broadcast(const tile_state *state, cj_type type, char *dst, const char *rows) {
  const int64_t bytes = cj_type_bytes(type);
  for (int64_t row = 0; row < state->rows; row++)
    fill(bytes, state->columns, dst + row * state->columns * bytes, rows + row * bytes);
}

enum { VECTOR_MOST = 16 };  // elements of the widest vector of 4-byte lanes

static int64_t whole_vectors(int64_t count) { return cj_ceil_div(count, VECTOR_MOST) * VECTOR_MOST; }

// Elements that a step computes: in slots of single and row values more than are wanted, since the
// last, partial vector of a loop is the slow one.
static int64_t step_count(const tile_state *state, const planned_step *step, const planned_register *to) {
  if (to->uniform) return step->uniform_count;
  if (step->spreads) return 1;
  return to->extent == CJ_ROW ? whole_vectors(state->rows) : state->rows * state->columns;
}

// The column in which a single register differs from the rest.
static int64_t single_column(const tile_state *state, const planned_step *step) {
  if (step->opcode == CJ_SELECT) return state->singles[step->a];
  const int64_t column = *(const int64_t *)state->registers[step->b] - step->first;
  return column >= 0 && column < state->columns ? column : CJ_NO_COLUMN;
}

// Changes the column that differed in the tile before, and the one that does in this: the slot keeps the rest.
static void run_single(const tile_state *state, const planned_step *step) {
  static const uint8_t no = 0, yes = 1;
  const int64_t bytes = cj_type_bytes(state->plan->registers[step->dst].type);
  const bool selects = step->opcode == CJ_SELECT;
  const char *rest = selects ? state->registers[step->c] : (const char *)&no;
  char *dst = state->registers[step->dst];
  int64_t *column = &state->singles[step->dst];
  if (*column == CJ_UNFILLED) fill(bytes, state->plan->tile_columns, dst, rest);
  else if (*column != CJ_NO_COLUMN) memcpy(dst + *column * bytes, rest, (size_t)bytes);
  *column = single_column(state, step);
  if (*column == CJ_NO_COLUMN) return;
  const char *values = selects ? state->registers[step->b] : (const char *)&yes;
  const int64_t place = selects ? *column & step->masks[1] : 0;
  memcpy(dst + *column * bytes, values + place * bytes, (size_t)bytes);
}

// A sum of zeros and one value: no negative zero, as any sum that has another zero.
static void add_single(const tile_state *state, const planned_step *step, cj_type type, void *dst) {
  const int64_t column = state->singles[step->a];
  const char *values = state->registers[step->a];
  if (type == CJ_F64) *(double *)dst = column < 0 ? 0 : ((const double *)values)[column] + 0;
  else *(float *)dst = column < 0 ? 0 : ((const float *)values)[column] + 0;
}

static void run_reduction(const tile_state *state, const planned_step *step, cj_type type, void *dst) {
  const cj_dtype dtype = type == CJ_F64 ? CJ_FLOAT64 : CJ_FLOAT32;
  const void *a = state->registers[step->a], *b = state->registers[step->b];
  if (step->single) add_single(state, step, type, dst);
  else if (step->multiplies) cj_sum_products_each_row(state->level, dtype, state->rows, state->columns, a, b, dst);
  else cj_reduce_each_row(state->level, (cj_reduction)step->aux, dtype, state->rows, state->columns, a, dst);
}

static float scalar_value(cj_opcode op, float a, float b, float c) {
  switch (op) {
    case CJ_ADD: return a + b;
    case CJ_SUBTRACT: return a - b;
    case CJ_MULTIPLY: return a * b;
    case CJ_DIVIDE: return a / b;
    case CJ_MULTIPLY_ADD: return a * b + c;
    case CJ_NEGATE: return -a;
    case CJ_ABS: return __builtin_fabsf(a);
    case CJ_SQRT: return __builtin_sqrtf(a);
    default: return 1 / __builtin_sqrtf(a);
  }
}

static void run_scalar(const tile_state *state, const planned_step *step) {
  float *dst = state->registers[step->dst];
  const float *a = state->registers[step->a], *b = state->registers[step->b], *c = state->registers[step->c];
  *dst = scalar_value(step->opcode, *a, *b, *c);
  if (!state->plan->registers[step->dst].narrow) fill_uniform(CJ_F32, dst);
}

static void run_step(const tile_state *state, const planned_step *step) {
  if (step->scalar) {
    run_scalar(state, step);
    return;
  }
  const planned_register *to = &state->plan->registers[step->dst];
  void *dst = state->registers[step->dst];
  const void *a = state->registers[step->a], *b = state->registers[step->b], *c = state->registers[step->c];
  const int64_t count = step_count(state, step, to);
  if (step->opcode == CJ_REDUCE) {
    run_reduction(state, step, to->type, dst);
  } else if (step->single) {
    run_single(state, step);
    return;
  } else if (step->op) {
    step->op(count, dst, a, b, c, step->masks);
    if (to->uniform && count * cj_type_bytes(to->type) == CJ_UNIFORM_BYTES) return;
  } else if (step->convert) {
    step->convert(count, dst, a);
  } else if (to->uniform || step->spreads) {
    memcpy(dst, a, (size_t)cj_type_bytes(to->type));
  } else {
    broadcast(state, to->type, dst, a);
  }
  if (to->uniform) fill_uniform(to->type, dst);
  else if (step->spreads) fill(cj_type_bytes(to->type), element_count(state, to->extent), dst, dst);
}

// What the next tile reads in place, asked for a little in each step of this one: tiles are too short
// for the hardware to see where reading goes, and all at once would be waited for.
static void prefetch_next(const tile_state *state, int64_t step) {
  const group_plan *plan = state->plan;
  for (int i = 0; i < plan->group->load_count; i++) {
    const planned_access *planned = &plan->loads[i];
    if (!planned->prefetched) continue;
    const int64_t first = state->offsets[i] + state->rows * state->columns + step * plan->prefetched;
    const char *from = planned->base + first * planned->bytes, *end = from + plan->prefetched * planned->bytes;
    for (; from < end; from += 64) __builtin_prefetch(from);
  }
}

static void run_tile(tile_state *state) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  for (int i = 0; i < group->load_count; i++)
    if (!plan->registers[group->loads[i].reg].constant) load(state, i);
  for (int i = 0; i < group->store_count; i++) {
    const planned_access *planned = &plan->stores[i];
    if (planned->kind == ACCESS_DIRECT)
      state->registers[group->stores[i].reg] =
          planned->base + state->offsets[group->load_count + i] * planned->bytes;
  }
  int64_t active = 0;
  for (int i = 0; i < plan->step_count; i++) {
    if (plan->steps[i].constant) continue;
    if (plan->prefetches && plan->steps[i].passes) prefetch_next(state, active++);
    run_step(state, &plan->steps[i]);
  }
  for (int i = 0; i < group->store_count; i++) store(state, i);
}

// ---------------------------------------------------------------- folds

// Leaves of the tree stand on a stack as they are done, pairs of equal size becoming one: so the
// stack is never deeper than the tree is high.
static int64_t stack_depth(int64_t leaves) {
  int64_t depth = 1;
  while (leaves > 0) depth++, leaves /= 2;
  return depth;
}

// Where the accumulators of a fold begin, and how many levels there are.
static char *accumulators(const tile_state *state, int fold, int64_t depth) {
  const group_plan *plan = state->plan;
  char *at = state->accumulators;
  for (int i = 0; i < fold; i++) at += depth * plan->column_count * cj_fold_bytes(&plan->group->folds[i]);
  return at;
}

static void fold_tile(const tile_state *state, int64_t depth, int64_t top, bool first) {
  const group_plan *plan = state->plan;
  const cj_level *level = state->level;
  const int64_t rows = state->rows, columns = state->columns;
  for (int i = 0; i < plan->group->fold_count; i++) {
    const cj_fold *fold = &plan->group->folds[i];
    const planned_fold *what = &plan->folds[i];
    const bool wide = fold->dtype == CJ_FLOAT64;
    const void *a = state->registers[what->a], *b = state->registers[what->b];
    char *sums = accumulators(state, i, depth) + top * plan->column_count * cj_fold_bytes(fold);
    if (what->multiplies)
      (wide ? level->fold_products_f64 : level->fold_products_f32)(rows, columns, columns, rows * columns, a, b, sums,
                                                                   first);
    else
      (wide ? level->fold_columns_f64 : level->fold_columns_f32)((cj_reduction)fold->op, rows, columns, columns,
                                                                 rows * columns, a, sums, first);
  }
}

// The two topmost levels of the stacks as one.
static void merge_top(const tile_state *state, int64_t depth, int64_t top) {
  const group_plan *plan = state->plan;
  for (int i = 0; i < plan->group->fold_count; i++) {
    const cj_fold *fold = &plan->group->folds[i];
    const int64_t row = plan->column_count * cj_fold_bytes(fold);
    char *at = accumulators(state, i, depth) + top * row;
    cj_combine((cj_reduction)fold->op, fold->dtype == CJ_FLOAT64 ? CJ_FLOAT64 : CJ_FLOAT32, plan->column_count,
               at - row, at);
  }
}

static void write_fold(const group_plan *plan, const cj_fold *fold, void *const *slots, const char *sums) {
  plan->level->store[fold->dtype](plan->column_count, slots[fold->slot], sums);
}

static void end_fold_task(const tile_state *state, int64_t depth, int64_t task) {
  const group_plan *plan = state->plan;
  char *partials = plan->partials;
  for (int i = 0; i < plan->group->fold_count; i++) {
    const cj_fold *fold = &plan->group->folds[i];
    const int64_t row = plan->column_count * cj_fold_bytes(fold);
    const char *sums = accumulators(state, i, depth);
    if (plan->tasks == 1) {
      write_fold(plan, fold, plan->slots, sums);
    } else {
      memcpy(partials + task * row, sums, (size_t)row);
      partials += plan->tasks * row;
    }
  }
}

static void finish_folds(const group_plan *plan) {
  char *partials = plan->partials;
  for (int i = 0; i < plan->group->fold_count; i++) {
    const cj_fold *fold = &plan->group->folds[i];
    const int64_t row = plan->column_count * cj_fold_bytes(fold);
    cj_combine_tree((cj_reduction)fold->op, fold->dtype == CJ_FLOAT64 ? CJ_FLOAT64 : CJ_FLOAT32, plan->tasks,
                    plan->column_count, row, partials);
    write_fold(plan, fold, plan->slots, partials);
    partials += plan->tasks * row;
  }
}

// ---------------------------------------------------------------- tasks

static int64_t in_lines(int64_t bytes) { return cj_ceil_div(bytes, 64) * 64; }

// Where everything of a task lies in the thread's scratch.
typedef struct {
  int64_t slot, row_slot;  // bytes of one
  int64_t rows_at, uniform_at, accumulators_at, tables_at, bytes;
} task_layout;

static task_layout lay_out(const group_plan *plan, int64_t fold_depth) {
  const cj_group *group = plan->group;
  // A line apart from a power of two, or all slots would compete for the same places in L1.
  task_layout at = {.slot = in_lines(plan->tile_rows * plan->tile_columns * plan->slot_bytes) + 64,
                    .row_slot = whole_vectors(plan->tile_rows) * 8};
  at.rows_at = (plan->slot_count + 1) * at.slot;  // the last is `raw`
  at.uniform_at = at.rows_at + plan->row_slots * at.row_slot;
  at.accumulators_at = at.uniform_at + plan->uniform_slots * CJ_UNIFORM_BYTES;
  at.tables_at = at.accumulators_at;
  for (int i = 0; i < group->fold_count; i++)
    at.tables_at += in_lines(fold_depth * plan->column_count * cj_fold_bytes(&group->folds[i]));
  at.bytes = at.tables_at + (2 * group->register_count + 3 * group->load_count + group->store_count) * 8;
  return at;
}

static void start_constants(tile_state *state) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  const int64_t tile = plan->tile_rows * plan->tile_columns;
  for (int i = 0; i < group->instruction_count; i++) {
    const cj_instruction *instruction = &group->instructions[i];
    if (instruction->op != CJ_CONSTANT) continue;
    const planned_register *reg = &plan->registers[instruction->dst];
    const int64_t bytes = cj_type_bytes(reg->type);
    const uint64_t bits = bytes == 1 ? instruction->immediate != 0 : instruction->immediate;
    const int64_t count = reg->extent == CJ_ROW ? plan->tile_rows : tile;
    fill(bytes, reg->uniform ? CJ_UNIFORM_BYTES / bytes : count, state->registers[instruction->dst], &bits);
  }
  state->rows = plan->tile_rows;
  state->columns = plan->tile_columns;
  for (int i = 0; i < group->load_count; i++) {
    if (!plan->registers[group->loads[i].reg].constant) continue;
    state->offsets[i] = group->loads[i].offset;
    load(state, i);
  }
  for (int i = 0; i < plan->step_count; i++)
    if (plan->steps[i].constant) run_step(state, &plan->steps[i]);
}

static void start_task(tile_state *state, const group_plan *plan, int64_t fold_depth) {
  const cj_group *group = plan->group;
  const task_layout at = lay_out(plan, fold_depth);
  char *scratch = cj_scratch(CJ_SCRATCH_TILES, at.bytes);
  if (!scratch) abort();  // some tens of KiB: nothing would run without them
  *state = (tile_state){.plan = plan, .level = plan->level, .raw = scratch + plan->slot_count * at.slot};
  state->accumulators = scratch + at.accumulators_at;
  state->registers = (void **)(scratch + at.tables_at);
  state->offsets = (int64_t *)(state->registers + group->register_count);
  state->loaded = state->offsets + group->load_count + group->store_count;
  state->filled = state->loaded + group->load_count;
  state->singles = state->filled + group->load_count;
  for (int i = 0; i < group->load_count; i++) state->filled[i] = 0;
  for (int i = 0; i < group->register_count; i++) state->singles[i] = CJ_UNFILLED;
  for (int i = 0; i < group->register_count; i++) {
    const planned_register *reg = &plan->registers[i];
    const int64_t slot = cj_max64(0, reg->slot);
    state->registers[i] = reg->uniform             ? scratch + at.uniform_at + slot * CJ_UNIFORM_BYTES
                          : reg->extent == CJ_ROW  ? scratch + at.rows_at + slot * at.row_slot
                                                   : scratch + slot * at.slot;
  }
  start_constants(state);
}

static void locate(tile_state *state, int64_t first_row, int64_t rows, int64_t first_column, int64_t columns) {
  const cj_group *group = state->plan->group;
  state->rows = rows;
  state->columns = columns;
  int64_t row = first_row;
  for (int axis = group->rank - 2; axis > 0; axis--) {
    state->coordinates[axis] = row % group->extents[axis];
    row /= group->extents[axis];
  }
  state->coordinates[0] = group->rank > 1 ? row : 0;
  for (int i = 0; i < group->load_count + group->store_count; i++) {
    const cj_access *access =
        i < group->load_count ? &group->loads[i] : &group->stores[i - group->load_count];
    int64_t offset = access->offset;
    if (access->extent == CJ_FULL) offset += first_column * access->strides[group->rank - 1];
    for (int axis = 0; axis < group->rank - 1; axis++)
      offset += state->coordinates[axis] * access->strides[axis];
    state->offsets[i] = offset;
  }
}

static void locate_tile(tile_state *state, int64_t tile) {
  const group_plan *plan = state->plan;
  const int64_t row = tile / plan->column_tiles * plan->tile_rows;
  const int64_t column = tile % plan->column_tiles * plan->tile_columns;
  locate(state, row, cj_min64(plan->tile_rows, plan->row_count - row), column,
         cj_min64(plan->tile_columns, plan->column_count - column));
}

static void run_tiles(tile_state *state, int64_t first, int64_t end) {
  for (int64_t tile = first; tile < end; tile++) {
    locate_tile(state, tile);
    run_tile(state);
  }
}

static void run_folding_tiles(tile_state *state, int64_t depth, int64_t first, int64_t end) {
  const int64_t tiles_per_leaf = CJ_LEAF_COLUMNS / state->plan->tile_rows;
  int64_t top = 0, leaves = 0;
  for (int64_t tile = first; tile < end; tile++) {
    const int64_t place = (tile - first) % tiles_per_leaf;
    locate_tile(state, tile);
    run_tile(state);
    fold_tile(state, depth, top, place == 0);
    if (place < tiles_per_leaf - 1 && tile < end - 1) continue;
    leaves++;
    for (int64_t n = leaves; n % 2 == 0; n /= 2) merge_top(state, depth, top--);
    top++;
  }
  for (top--; top > 0; top--) merge_top(state, depth, top);
}

static void run_task(void *context, int64_t task) {
  group_plan *plan = context;
  tile_state state;
  const int64_t first = task * plan->tiles_per_task;
  const int64_t end = cj_min64(plan->tiles, first + plan->tiles_per_task);
  const bool folds = plan->group->fold_count > 0;
  const int64_t depth = folds ? stack_depth(cj_ceil_div((end - first) * plan->tile_rows, CJ_LEAF_COLUMNS)) : 0;
  start_task(&state, plan, depth);
  if (folds) {
    run_folding_tiles(&state, depth, first, end);
    end_fold_task(&state, depth, task);
  } else {
    run_tiles(&state, first, end);
  }
  if (plan->streams) cj_stream_fence();
}

void cj_group_run(const cj_group *group, void *const *slots, void *workspace, cj_group_memo *memo) {
  group_plan *plan = cj_group_plan_known(group, slots, workspace, memo);
  cj_parallel(plan->tasks, run_task, plan);
  if (group->fold_count > 0 && plan->tasks > 1) finish_folds(plan);
}

// Runs a rectangle of the space, on the calling thread.
static void run_block(void *context, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const group_plan *plan = context;
  tile_state state;
  start_task(&state, plan, 0);
  for (int64_t i = row; i < row + rows; i++) {
    for (int64_t j = column; j < column + columns; j += plan->tile_columns) {
      locate(&state, i, 1, j, cj_min64(plan->tile_columns, column + columns - j));
      run_tile(&state);
    }
  }
  if (plan->streams) cj_stream_fence();
}

void cj_matmul_then(const cj_product *product, const void *a, const void *b, void *c, const cj_group *group,
                    void *const *slots) {
  cj_matmul(product, a, b, c, run_block, cj_group_plan_blocks(group, slots));
}
