// The interpreter of tile programs. What a tile is, and which registers are
// memory itself, group_plan.c and group_registers.c have decided.

#include "group_tile.h"

#include <stdatomic.h>
#include <stdlib.h>

// Row values at every column.
static void broadcast(const tile_state *state, cj_type type, char *dst, const char *rows) {
  const int64_t bytes = cj_type_bytes(type);
  for (int64_t row = 0; row < state->rows; row++)
    cj_fill_elements(bytes, state->columns, dst + row * state->columns * bytes, rows + row * bytes);
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
  if (*column == CJ_UNFILLED) cj_fill_elements(bytes, state->plan->tile_columns, dst, rest);
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
  if (!state->plan->registers[step->dst].narrow) cj_fill_uniform(CJ_F32, dst);
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
  if (to->uniform) cj_fill_uniform(to->type, dst);
  else if (step->spreads) cj_fill_elements(cj_type_bytes(to->type), cj_element_count(state, to->extent), dst, dst);
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

// Part of a register: where it is one value, or stands in memory for a block alone, there is no other.
static void *part(const tile_state *state, uint16_t reg, int64_t first) {
  const planned_register *planned = &state->plan->registers[reg];
  return (char *)state->registers[reg] + (planned->uniform || planned->passed ? 0 : first * 4);
}

// Steps as links of a chain, and what is less than a block as steps.
static void run_chain(const tile_state *state, const planned_step *steps) {
  const int64_t count = state->rows * state->columns, block = state->level->link_block, whole = count / block * block;
  const cj_chain chain = {state->plan->links + steps->links, whole};
  if (whole > 0) state->level->run_chain(&chain, state->registers);
  if (whole == count) return;
  for (int64_t at = whole; at < count; at += CJ_UNIFORM_BYTES / 4)
    for (const planned_step *step = steps; step < steps + steps->chained; step++)
      if (!step->constant)
        step->op(cj_min64(count - at, CJ_UNIFORM_BYTES / 4), part(state, step->dst, at), part(state, step->a, at),
                 part(state, step->b, at), part(state, step->c, at), step->masks);
}

static void run_tile(tile_state *state) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  for (int i = 0; i < group->load_count; i++)
    if (!plan->registers[group->loads[i].reg].constant) cj_load_operand(state, i);
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
    if (plan->steps[i].chained == 0) {
      run_step(state, &plan->steps[i]);
      continue;
    }
    run_chain(state, &plan->steps[i]);
    i += plan->steps[i].chained - 1;
  }
  for (int i = 0; i < group->store_count; i++) cj_store_operand(state, i);
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
    cj_fill_elements(bytes, reg->uniform ? CJ_UNIFORM_BYTES / bytes : count, state->registers[instruction->dst], &bits);
  }
  state->rows = plan->tile_rows;
  state->columns = plan->tile_columns;
  for (int i = 0; i < group->load_count; i++) {
    const planned_register *reg = &plan->registers[group->loads[i].reg];
    if (!reg->constant || reg->unmade) continue;
    state->offsets[i] = group->loads[i].offset;
    cj_load_operand(state, i);
  }
  for (int i = 0; i < plan->step_count; i++)
    if (plan->steps[i].constant) run_step(state, &plan->steps[i]);
}

// What the thread's scratch was last laid out for: a plan of the blocks of that number.
static _Thread_local struct {
  uint64_t number;
  const group_plan *plan;
  tile_state state;
} kept;

static void start_task(tile_state *state, const group_plan *plan, int64_t fold_depth) {
  const cj_group *group = plan->group;
  kept.number = 0;
  const task_layout at = lay_out(plan, fold_depth);
  char *scratch = cj_scratch(CJ_SCRATCH_TILES, at.bytes);
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
    state->registers[i] = reg->uniform || reg->passed ? scratch + at.uniform_at + slot * CJ_UNIFORM_BYTES
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

static void run_at(tile_state *state, int64_t row, int64_t row_end, int64_t column, int64_t column_end) {
  const group_plan *plan = state->plan;
  locate(state, row, cj_min64(plan->tile_rows, row_end - row), column,
         cj_min64(plan->tile_columns, column_end - column));
  run_tile(state);
}

// Tile number `tile` of all.
static void run_number(tile_state *state, int64_t tile) {
  const group_plan *plan = state->plan;
  run_at(state, tile / plan->column_tiles * plan->tile_rows, plan->row_count,
         tile % plan->column_tiles * plan->tile_columns, plan->column_count);
}

static void run_tiles(tile_state *state, int64_t first, int64_t end) {
  for (int64_t tile = first; tile < end; tile++) run_number(state, tile);
}

static void run_folding_tiles(tile_state *state, int64_t depth, int64_t first, int64_t end) {
  const int64_t tiles_per_leaf = CJ_LEAF_COLUMNS / state->plan->tile_rows;
  int64_t top = 0, leaves = 0;
  for (int64_t tile = first; tile < end; tile++) {
    const int64_t place = (tile - first) % tiles_per_leaf;
    run_number(state, tile);
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
  group_plan *plan = cj_group_plan_known(group, slots, workspace, false, memo);
  cj_parallel(plan->tasks, run_task, plan);
  if (group->fold_count > 0 && plan->tasks > 1) finish_folds(plan);
}

// ---------------------------------------------------------------- blocks

cj_group_blocks cj_group_start_blocks(const cj_group *group, void *const *slots, cj_group_memo *memo) {
  static _Atomic uint64_t numbers = 0;
  return (cj_group_blocks){cj_group_plan_known(group, slots, NULL, false, memo),
                           cj_group_plan_known(group, slots, NULL, true, memo),
                           atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1};
}

void cj_group_run_block(void *context, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const cj_group_blocks *blocks = context;
  const group_plan *whole = blocks->whole, *plan = columns == whole->column_count ? whole : blocks->parts;
  // The constants of the block before serve this one too.
  if (kept.number != blocks->number || kept.plan != plan) start_task(&kept.state, plan, 0);
  kept.number = blocks->number;
  kept.plan = plan;
  for (int64_t i = row; i < row + rows; i += plan->tile_rows)
    for (int64_t j = column; j < column + columns; j += plan->tile_columns)
      run_at(&kept.state, i, row + rows, j, column + columns);
  if (plan->streams) cj_stream_fence();
}
