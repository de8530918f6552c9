// What tiles of a program read from memory, and write there.

#include "group_tile.h"

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

static void load_uniform(const planned_access *planned, int64_t offset, void *reg) {
  if (planned->affine) *(int64_t *)reg = offset;
  else planned->convert(1, reg, planned->base + offset * planned->bytes);
  cj_fill_uniform(planned->type, reg);
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

void cj_load_operand(tile_state *state, int index) {
  const planned_access *planned = &state->plan->loads[index];
  const cj_access *access = &state->plan->group->loads[index];
  const int64_t offset = state->offsets[index], count = cj_element_count(state, (cj_extent)access->extent);
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

void cj_store_operand(tile_state *state, int index) {
  const group_plan *plan = state->plan;
  const cj_group *group = plan->group;
  const planned_access *planned = &plan->stores[index];
  const cj_access *access = &group->stores[index];
  int64_t offset = state->offsets[group->load_count + index];
  const int64_t bytes = planned->bytes, count = cj_element_count(state, (cj_extent)access->extent);
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
