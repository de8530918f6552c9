// The interpreter of tile programs. What a tile is, and which registers are
// memory itself, group_plan.c has decided.

#include "group.h"

typedef struct {
  const group_plan *plan;
  char *slots;         // tiles of the scratch, one a slot, then one for conversions
  void **registers;    // where each register is in this tile
  int64_t *offsets;    // of each access at the tile's first element: loads, then stores
  int64_t *loaded;     // the offset at which a repeating load was filled, and
  int64_t *filled;     // how many elements of it
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
  char *raw = converts ? state->slots + state->plan->slot_count * state->plan->slot_bytes *
                                            state->plan->tile_rows * state->plan->tile_columns
                       : dst;
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

static void load(tile_state *state, int index) {
  const planned_access *planned = &state->plan->loads[index];
  const cj_access *access = &state->plan->group->loads[index];
  const int64_t offset = state->offsets[index], count = state->rows * state->columns;
  void **reg = &state->registers[access->reg];
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
  if (planned->affine) load_affine(state, access, offset, state->rows, *reg);
  else load_rows(state, planned, access, offset, *reg);
}

static void store(tile_state *state, int index) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  const planned_access *planned = &plan->stores[index];
  const cj_access *access = &group->stores[index];
  int64_t offset = state->offsets[group->load_count + index];
  const int64_t bytes = planned->bytes, count = state->rows * state->columns;
  const char *source = state->registers[access->reg];
  if (planned->kind == ACCESS_DIRECT) return;
  if (planned->kind == ACCESS_CONTIGUOUS) {
    planned->convert(count, planned->base + offset * bytes, source);
    return;
  }
  if (bytes != cj_type_bytes(planned->type)) {
    char *raw = state->slots + plan->slot_count * plan->slot_bytes * plan->tile_rows * plan->tile_columns;
    planned->convert(count, raw, source);
    source = raw;
  }
  int64_t coordinates[CJ_MAX_RANK];
  memcpy(coordinates, state->coordinates, sizeof coordinates);
  for (int64_t row = 0; row < state->rows; row++) {
    scatter_row((int)bytes, state->columns, planned->base + offset * bytes,
                access->strides[group->rank - 1], source + row * state->columns * bytes);
    offset += next_row(group, access, coordinates);
  }
}

static void run_tile(tile_state *state) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  const int64_t count = state->rows * state->columns;
  void **registers = state->registers;
  for (int i = 0; i < group->load_count; i++) load(state, i);
  for (int i = 0; i < group->store_count; i++) {
    const planned_access *planned = &plan->stores[i];
    if (planned->kind == ACCESS_DIRECT)
      registers[group->stores[i].reg] =
          planned->base + state->offsets[group->load_count + i] * planned->bytes;
  }
  for (int i = 0; i < plan->step_count; i++) {
    const planned_step *step = &plan->steps[i];
    if (step->op)
      step->op(count, registers[step->dst], registers[step->a], registers[step->b], registers[step->c]);
    else
      step->convert(count, registers[step->dst], registers[step->a]);
  }
  for (int i = 0; i < group->store_count; i++) store(state, i);
}

// ---------------------------------------------------------------- tasks

static void fill_constant(const cj_instruction *instruction, int64_t count, void *dst) {
  const uint64_t bits = instruction->immediate;
  switch (cj_type_bytes((cj_type)instruction->type)) {
    case 1: memset(dst, bits != 0, (size_t)count); break;
    case 4:
      for (int64_t i = 0; i < count; i++) ((uint32_t *)dst)[i] = (uint32_t)bits;
      break;
    default:
      for (int64_t i = 0; i < count; i++) ((uint64_t *)dst)[i] = bits;
      break;
  }
}

static void start_task(tile_state *state, const group_plan *plan) {
  const cj_group *group = plan->group;
  const int64_t tile = plan->tile_rows * plan->tile_columns;
  const int64_t slot_stride = tile * plan->slot_bytes;
  const int64_t accesses = group->load_count + group->store_count;
  const int64_t tables = (group->register_count + accesses + 2 * group->load_count) * 8;
  char *scratch = cj_scratch(CJ_SCRATCH_TILES, (plan->slot_count + 1) * slot_stride + tables + 64);
  state->plan = plan;
  state->slots = scratch;
  state->registers = (void **)(scratch + cj_ceil_div((plan->slot_count + 1) * slot_stride, 8) * 8);
  state->offsets = (int64_t *)(state->registers + group->register_count);
  state->loaded = state->offsets + accesses;
  state->filled = state->loaded + group->load_count;
  for (int i = 0; i < group->load_count; i++) state->filled[i] = 0;
  for (int i = 0; i < group->register_count; i++)
    state->registers[i] = scratch + cj_max64(0, plan->registers[i].slot) * slot_stride;
  for (int i = 0; i < group->instruction_count; i++)
    if (group->instructions[i].op == CJ_CONSTANT)
      fill_constant(&group->instructions[i], tile, state->registers[group->instructions[i].dst]);
}

static void locate_tile(tile_state *state, int64_t tile) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  const int64_t first_row = tile / plan->column_tiles * plan->tile_rows;
  const int64_t first_column = tile % plan->column_tiles * plan->tile_columns;
  state->rows = cj_min64(plan->tile_rows, plan->row_count - first_row);
  state->columns = cj_min64(plan->tile_columns, plan->column_count - first_column);
  int64_t row = first_row;
  for (int axis = group->rank - 2; axis > 0; axis--) {
    state->coordinates[axis] = row % group->extents[axis];
    row /= group->extents[axis];
  }
  state->coordinates[0] = group->rank > 1 ? row : 0;
  for (int i = 0; i < group->load_count + group->store_count; i++) {
    const cj_access *access =
        i < group->load_count ? &group->loads[i] : &group->stores[i - group->load_count];
    int64_t offset = access->offset + first_column * access->strides[group->rank - 1];
    for (int axis = 0; axis < group->rank - 1; axis++)
      offset += state->coordinates[axis] * access->strides[axis];
    state->offsets[i] = offset;
  }
}

static void run_task(void *context, int64_t task) {
  const group_plan *plan = context;
  tile_state state;
  start_task(&state, plan);
  const int64_t first = task * plan->tiles_per_task;
  const int64_t end = cj_min64(plan->tiles, first + plan->tiles_per_task);
  for (int64_t tile = first; tile < end; tile++) {
    locate_tile(&state, tile);
    run_tile(&state);
  }
}

void cj_group_run(const cj_group *group, void *const *slots) {
  group_plan *plan = cj_group_plan(group, slots);
  cj_parallel(cj_ceil_div(plan->tiles, plan->tiles_per_task), run_task, plan);
}
