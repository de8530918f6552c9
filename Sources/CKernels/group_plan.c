// Planning a tile program: the shape of a tile, which operands are read and written in place, how many
// tiles make a task. What becomes of its registers, group_registers.c decides.

#include "group.h"

#include <stdlib.h>

enum {
  TILE_BUDGET = 24 * 1024,     // bytes of registers: most of a 32 KiB L1, the rest is for operands
  TILE_MOST = 1024,            // elements: beyond, the cost of dispatch is hidden already
  TILE_LEAST = 128,
  TILE_DIRECT = 4096,          // when every register is memory itself
  TILE_BLOCK = 32,             // columns of a block when an operand is transposed
  TILE_WIDE = 256,             // columns from which one row is a tile of its own where rows are reduced
  TASK_COST = 32 * 1024,       // elements times (instructions + accesses) of a task, at least,
  TASK_COST_MOST = 64 * TASK_COST,  // and at most: constants and coordinates are made once a task
  TASKS = 64,                  // where the space has so many: enough for many threads
  SERIAL_COST = 64 * 1024,     // below, waking the pool costs more than it saves
  FOLD_TASKS = 64,             // at most: each leaves a row of partial results
  PREFETCH_STEPS = 4,          // with fewer the hardware follows by itself
  PREFETCH_BYTES = 512 << 10,  // of an operand: what is less lies in the L2 cache
  STREAM_BYTES = 16 << 20,     // stored in all: beyond, results are gone from the caches before they are read
};

// ---------------------------------------------------------------- memory

typedef struct {
  const char *low, *high;
} byte_range;

cj_access_bytes cj_find_access_bytes(const cj_group *group, const cj_access *access) {
  const int64_t bytes = cj_dtype_bytes((cj_dtype)access->dtype);
  cj_access_bytes result = {access->offset * bytes, access->offset * bytes, (access->offset + 1) * bytes};
  for (int axis = 0; axis < group->rank - (access->extent == CJ_ROW); axis++) {
    const int64_t span = (group->extents[axis] - 1) * access->strides[axis] * bytes;
    if (span < 0) result.low += span; else result.high += span;
  }
  return result;
}

static byte_range access_range(const cj_group *group, const cj_access *access, const char *base) {
  const cj_access_bytes bytes = cj_find_access_bytes(group, access);
  return (byte_range){base + bytes.low, base + bytes.high};
}

static bool same_elements(const cj_group *group, const cj_access *a, const char *a_base,
                          const cj_access *b, const char *b_base) {
  int64_t bytes = cj_dtype_bytes((cj_dtype)a->dtype);
  if (bytes != cj_dtype_bytes((cj_dtype)b->dtype) || a->extent != b->extent) return false;
  if (a_base + a->offset * bytes != b_base + b->offset * bytes) return false;
  for (int axis = 0; axis < group->rank; axis++)
    if (group->extents[axis] > 1 && a->strides[axis] != b->strides[axis]) return false;
  return true;
}

// Whether the elements follow one another in memory.
static bool is_dense(const cj_group *group, const cj_access *access) {
  int64_t expected = 1;
  for (int axis = group->rank - 1 - (access->extent == CJ_ROW); axis >= 0; axis--) {
    if (group->extents[axis] > 1 && access->strides[axis] != expected) return false;
    expected *= group->extents[axis];
  }
  return true;
}

// ---------------------------------------------------------------- shape of a tile

// An operand whose columns are far apart and whose rows are neighbours.
static bool is_transposed(const cj_group *group, const cj_access *access) {
  if (group->rank < 2 || access->slot < 0 || access->extent == CJ_ROW) return false;
  int64_t along = llabs(access->strides[group->rank - 1]);
  int64_t across = llabs(access->strides[group->rank - 2]);
  return along * cj_dtype_bytes((cj_dtype)access->dtype) >= 64 && across != 0 && across < along;
}

static bool any_transposed(const cj_group *group) {
  for (int i = 0; i < group->load_count; i++)
    if (is_transposed(group, &group->loads[i])) return true;
  for (int i = 0; i < group->store_count; i++)
    if (is_transposed(group, &group->stores[i])) return true;
  return false;
}

// Whether tiles must be whole rows.
static bool works_by_rows(const cj_group *group) {
  if (group->fold_count > 0) return true;
  for (int i = 0; i < group->instruction_count; i++)
    if (group->instructions[i].extent == CJ_ROW || group->instructions[i].op == CJ_BROADCAST) return true;
  return false;
}

static int64_t rows_of_tile(const group_plan *plan, int64_t elements) {
  if (plan->column_count >= TILE_WIDE) return 1;
  const int64_t fitting = cj_max64(1, elements / plan->column_count);
  if (plan->group->fold_count == 0) return cj_min64(fitting, plan->row_count);
  int64_t rows = 1;  // leaves of the folds are whole tiles
  while (2 * rows <= cj_min64(fitting, CJ_LEAF_COLUMNS)) rows *= 2;
  return rows;
}

static void choose_shape(group_plan *plan, int64_t elements) {
  const cj_group *group = plan->group;
  const int64_t columns = plan->column_count;
  if (plan->parts) {
    plan->tile_columns = cj_min64(columns, elements);
    plan->tile_rows = 1;
  } else if (works_by_rows(group)) {
    plan->tile_columns = columns;
    plan->tile_rows = rows_of_tile(plan, elements);
  } else if (columns > TILE_BLOCK && plan->row_count > 1 && any_transposed(group)) {
    plan->tile_columns = TILE_BLOCK;
    plan->tile_rows = cj_min64(plan->row_count, cj_max64(1, elements / TILE_BLOCK));
  } else if (columns <= elements / 2 && plan->row_count > 1) {
    plan->tile_columns = columns;
    plan->tile_rows = cj_min64(plan->row_count, elements / columns);
  } else {
    int64_t tiles = cj_ceil_div(columns, elements);
    plan->tile_columns = cj_min64(columns, cj_ceil_div(cj_ceil_div(columns, tiles), 64) * 64);
    plan->tile_rows = 1;
  }
  plan->row_tiles = cj_ceil_div(plan->row_count, plan->tile_rows);
  plan->column_tiles = cj_ceil_div(columns, plan->tile_columns);
  plan->tiles = plan->row_tiles * plan->column_tiles;
}

// ---------------------------------------------------------------- accesses

// Whether a tile is one run of memory.
static bool is_contiguous(const group_plan *plan, const cj_access *access) {
  const cj_group *group = plan->group;
  if (access->extent == CJ_ROW) return is_dense(group, access);
  if (plan->tile_rows == 1) return plan->column_count == 1 || access->strides[group->rank - 1] == 1;
  return plan->tile_columns == plan->column_count && is_dense(group, access);
}

static bool repeats(const group_plan *plan, const cj_access *access) {
  const cj_group *group = plan->group;
  if (access->extent == CJ_ROW) return false;
  const bool flat = access->strides[group->rank - 1] == 0;
  if (plan->tile_rows == 1 && flat) return true;
  return cj_outer_strides_are_zero(group, access) &&
         (flat || plan->tile_columns == plan->column_count);
}

// Whether a load is one value in each tile.
static bool is_uniform(const group_plan *plan, const cj_access *access) {
  if (access->extent == CJ_FULL && access->strides[plan->group->rank - 1] != 0) return false;
  return plan->tile_rows == 1 || cj_outer_strides_are_zero(plan->group, access);
}

static void plan_access(group_plan *plan, const cj_access *access, void *const *slots,
                        const cj_tile_convert *converts, planned_access *planned) {
  const cj_dtype dtype = (cj_dtype)access->dtype;
  *planned = (planned_access){.kind = ACCESS_ROWS};
  if (access->slot < 0) {
    planned->affine = true;
    planned->type = CJ_I64;
    planned->bytes = 8;
  } else {
    planned->type = cj_dtype_type(dtype);
    planned->bytes = (uint8_t)cj_dtype_bytes(dtype);
    planned->base = slots[access->slot];
    planned->convert = converts[dtype];
    // Row values are few: they have slots, where whole vectors may be read and written.
    const bool fits = planned->bytes == cj_type_bytes(planned->type) && access->extent == CJ_FULL;
    if (is_contiguous(plan, access)) planned->kind = fits ? ACCESS_DIRECT : ACCESS_CONTIGUOUS;
  }
}

// A store may be written by the instruction that makes its register, unless an
// operand that is read in place would be overwritten before its last use.
static bool may_write_directly(const group_plan *plan, int store) {
  const cj_group *group = plan->group;
  const cj_access *access = &group->stores[store];
  const planned_register *reg = &plan->registers[access->reg];
  if (reg->defined < 0 || reg->permanent) return false;  // a load, or a constant
  for (int other = 0; other < store; other++)
    if (group->stores[other].reg == access->reg && plan->stores[other].kind == ACCESS_DIRECT)
      return false;
  const byte_range written = access_range(group, access, plan->stores[store].base);
  for (int i = 0; i < group->load_count; i++) {
    if (plan->loads[i].kind != ACCESS_DIRECT) continue;
    const cj_access *load = &group->loads[i];
    const byte_range read = access_range(group, load, plan->loads[i].base);
    if (read.high <= written.low || written.high <= read.low) continue;
    if (!same_elements(group, access, plan->stores[store].base, load, plan->loads[i].base) ||
        plan->registers[load->reg].last_use > reg->defined || plan->registers[load->reg].stored)
      return false;
  }
  return true;
}

// A loaded register that goes to memory as it is must not be read in place from
// memory that another store has overwritten by then.
static bool must_copy(const group_plan *plan, int load) {
  const cj_group *group = plan->group;
  const cj_access *access = &group->loads[load];
  if (!plan->registers[access->reg].stored) return false;
  const byte_range read = access_range(group, access, plan->loads[load].base);
  for (int i = 0; i < group->store_count; i++) {
    const byte_range written = access_range(group, &group->stores[i], plan->stores[i].base);
    if (read.low < written.high && written.low < read.high) return true;
  }
  return false;
}

static int64_t stored_bytes(const cj_group *group) {
  int64_t bytes = 0;
  for (int i = 0; i < group->store_count; i++)
    if (group->stores[i].extent == CJ_FULL) bytes += cj_dtype_bytes((cj_dtype)group->stores[i].dtype);
  for (int axis = 0; axis < group->rank; axis++) bytes *= group->extents[axis];
  return bytes;
}

// What is written over an operand is in the caches already.
static bool is_in_place(const group_plan *plan, int store) {
  const cj_group *group = plan->group;
  const byte_range written = access_range(group, &group->stores[store], plan->stores[store].base);
  for (int i = 0; i < group->load_count; i++) {
    if (plan->loads[i].affine) continue;
    const byte_range read = access_range(group, &group->loads[i], plan->loads[i].base);
    if (read.low < written.high && written.low < read.high) return true;
  }
  return false;
}

static void plan_loads(group_plan *plan, void *const *slots) {
  const cj_group *group = plan->group;
  const cj_level *level = plan->level;
  for (int i = 0; i < group->load_count; i++) {
    planned_access *planned = &plan->loads[i];
    const cj_access *access = &group->loads[i];
    planned_register *reg = &plan->registers[access->reg];
    plan_access(plan, access, slots, level->load, planned);
    if (is_uniform(plan, access) && !reg->stored && !reg->whole) {
      planned->kind = ACCESS_UNIFORM;
      reg->uniform = true;
      reg->constant = cj_outer_strides_are_zero(group, access);
      continue;
    }
    if (planned->kind == ACCESS_DIRECT && must_copy(plan, i)) planned->kind = ACCESS_CONTIGUOUS;
    planned->repeats = planned->kind == ACCESS_ROWS && repeats(plan, access);
    reg->constant = planned->repeats && plan->tile_columns == plan->column_count && !plan->parts &&
                    cj_outer_strides_are_zero(group, access);
    reg->permanent = planned->repeats;
    if (planned->kind == ACCESS_DIRECT) reg->slot = -1;
  }
}

// Whether the instruction that makes a result writes it past the caches: nobody reads it again, and tiles
// begin with a line.
static bool may_stream_directly(const group_plan *plan, int store) {
  const cj_group *group = plan->group;
  const cj_access *access = &group->stores[store];
  const planned_register *reg = &plan->registers[access->reg];
  if (!may_write_directly(plan, store) || reg->whole || reg->last_use > reg->defined) return false;
  if (!is_dense(group, access)) return false;
  const uintptr_t first = (uintptr_t)plan->stores[store].base + (uintptr_t)access->offset * 4;
  return reg->type == CJ_F32 && plan->level->streamed[group->instructions[reg->defined].op] &&
         (first | (uintptr_t)plan->column_count * 4 | (uintptr_t)plan->tile_columns * 4) % CJ_LINE_BYTES == 0;
}

// A store of a run of memory.
static void plan_run(group_plan *plan, int store, bool streams) {
  planned_access *planned = &plan->stores[store];
  planned_register *reg = &plan->registers[plan->group->stores[store].reg];
  streams = streams && plan->group->stores[store].extent == CJ_FULL && !is_in_place(plan, store);
  plan->streams = plan->streams || streams;
  reg->streamed = streams && may_stream_directly(plan, store);
  if (reg->streamed || (!streams && may_write_directly(plan, store))) reg->slot = -1;
  else planned->kind = streams ? ACCESS_STREAM : ACCESS_CONTIGUOUS;
}

static void plan_accesses(group_plan *plan, void *const *slots) {
  const cj_group *group = plan->group;
  const bool streams = stored_bytes(group) >= STREAM_BYTES && !plan->parts;  // which begin anywhere in a line
  plan->streams = false;
  for (int i = 0; i < group->store_count; i++)
    plan_access(plan, &group->stores[i], slots, plan->level->store, &plan->stores[i]);
  plan_loads(plan, slots);
  for (int i = 0; i < group->store_count; i++)
    if (plan->stores[i].kind == ACCESS_DIRECT) plan_run(plan, i, streams);
}

static int64_t tile_elements(const group_plan *plan) {
  if (plan->slot_count == 0) return TILE_DIRECT;
  int64_t fitting = TILE_BUDGET / (plan->slot_count * plan->slot_bytes);
  return cj_max64(TILE_LEAST, cj_min64(TILE_MOST, fitting / 64 * 64));
}

static int64_t widest_register(const group_plan *plan) {
  int64_t widest = 1;
  for (int i = 0; i < plan->group->register_count; i++)
    widest = cj_max64(widest, cj_type_bytes(plan->registers[i].type));
  return widest;
}

static int64_t weight(const cj_group *group) {
  return group->load_count + group->store_count + group->fold_count + group->instruction_count;
}

// Rows of a task with folds: leaves of the tree times a power of two, from the shape alone.
static int64_t fold_rows(const cj_group *group, int64_t rows, int64_t columns) {
  int64_t span = CJ_LEAF_COLUMNS;
  if (rows * columns < SERIAL_COST / weight(group)) span = rows;
  while (cj_ceil_div(rows, span) > FOLD_TASKS || (span < rows && span * columns * weight(group) < TASK_COST))
    span *= 2;
  return span;
}

static void choose_tasks(group_plan *plan) {
  const cj_group *group = plan->group;
  const int64_t cost = weight(group), tile_cost = plan->tile_rows * plan->tile_columns * cost;
  const int64_t elements = plan->row_count * plan->column_count;
  const int64_t task_cost = cj_max64(TASK_COST, cj_min64(TASK_COST_MOST, elements * cost / TASKS));
  plan->tiles_per_task = elements < SERIAL_COST / cost ? plan->tiles : cj_max64(1, task_cost / tile_cost);
  if (group->fold_count > 0) {
    const int64_t rows = plan->partials ? fold_rows(group, plan->row_count, plan->column_count) : plan->row_count;
    plan->tiles_per_task = cj_ceil_div(rows, plan->tile_rows);
  }
  plan->tasks = cj_ceil_div(plan->tiles, plan->tiles_per_task);
}

static void choose_prefetches(group_plan *plan) {
  for (int i = 0; i < plan->group->load_count; i++) {
    planned_access *planned = &plan->loads[i];
    const bool contiguous = planned->kind == ACCESS_DIRECT || planned->kind == ACCESS_CONTIGUOUS;
    planned->prefetched = contiguous && is_dense(plan->group, &plan->group->loads[i]) &&
                          plan->row_count * plan->column_count * planned->bytes >= PREFETCH_BYTES;
    plan->prefetches = plan->prefetches || planned->prefetched;
  }
  int64_t active = 0;
  for (int i = 0; i < plan->step_count; i++) active += plan->steps[i].passes;
  plan->prefetched = plan->tile_rows * plan->tile_columns / cj_max64(1, active) + 1;
  plan->prefetches = plan->prefetches && active >= PREFETCH_STEPS && !plan->parts;
}

static int64_t row_count(const cj_group *group) {
  int64_t rows = 1;
  for (int axis = 0; axis < group->rank - 1; axis++) rows *= group->extents[axis];
  return rows;
}

int64_t cj_group_workspace(const cj_group *group) {
  if (group->fold_count == 0) return 0;
  const int64_t rows = row_count(group), columns = group->extents[group->rank - 1];
  const int64_t tasks = cj_ceil_div(rows, fold_rows(group, rows, columns));
  int64_t bytes = 0;
  for (int i = 0; i < group->fold_count; i++) bytes += tasks * columns * cj_fold_bytes(&group->folds[i]);
  return tasks > 1 ? bytes : 0;
}

size_t cj_plan_bytes(const cj_group *group) {
  const size_t registers = (size_t)group->register_count;
  const size_t accesses = (size_t)(group->load_count + group->store_count);
  const size_t instructions = (size_t)group->instruction_count;
  return sizeof(group_plan) + accesses * sizeof(planned_access) +
         registers * (sizeof(planned_register) + sizeof(int32_t)) +
         instructions * (sizeof(planned_step) + sizeof(cj_link)) +
         (size_t)group->fold_count * sizeof(planned_fold) +
         64;
}

int32_t *cj_lay_out_plan(group_plan *plan) {
  const cj_group *group = plan->group;
  plan->loads = (planned_access *)(plan + 1);
  plan->stores = plan->loads + group->load_count;
  plan->steps = (planned_step *)(plan->stores + group->store_count);
  plan->links = (cj_link *)(plan->steps + group->instruction_count);
  plan->registers = (planned_register *)(plan->links + group->instruction_count);
  int32_t *free_slots = (int32_t *)(plan->registers + group->register_count);
  plan->folds = (planned_fold *)(free_slots + group->register_count);
  return free_slots;
}

group_plan *cj_group_plan_room(const cj_group *group, bool parts) {
  return cj_scratch(parts ? CJ_SCRATCH_PARTS : CJ_SCRATCH_PLAN, (int64_t)cj_plan_bytes(group));
}

group_plan *cj_group_plan(const cj_group *group, void *const *slots, void *workspace, bool parts) {
  group_plan *plan = cj_group_plan_room(group, parts);
  *plan = (group_plan){
      .group = group, .level = cj_current_level(), .slots = slots, .partials = workspace, .parts = parts};
  int32_t *free_slots = cj_lay_out_plan(plan);
  plan->column_count = group->extents[group->rank - 1];
  plan->row_count = row_count(group);

  cj_find_lives(plan);
  plan->slot_bytes = widest_register(plan);
  // The shape decides which operands are memory itself, these decide how many
  // slots there are, and these the size of a tile: two rounds settle it
  // (one where the first shape stands, as it does for small spaces).
  choose_shape(plan, TILE_MOST);
  plan_accesses(plan, slots);
  cj_assign_slots(plan, free_slots);
  const int64_t elements = tile_elements(plan);
  if (elements != TILE_MOST && plan->row_count * plan->column_count > cj_min64(elements, TILE_MOST)) {
    choose_shape(plan, elements);
    cj_find_lives(plan);
    plan_accesses(plan, slots);
    cj_assign_slots(plan, free_slots);
  }
  cj_plan_steps(plan);
  choose_tasks(plan);
  choose_prefetches(plan);
  return plan;
}
