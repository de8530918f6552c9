// A tile on its way through a program: between group.c, which runs the steps, and group_operands.c, which moves
// operands.

#ifndef CAJAL_KERNELS_GROUP_TILE_H
#define CAJAL_KERNELS_GROUP_TILE_H

#include "group.h"

#include <string.h>

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

static inline int64_t cj_element_count(const tile_state *state, cj_extent extent) {
  return extent == CJ_ROW ? state->rows : state->rows * state->columns;
}

// Operand `index` into its register, and a register into its operand.
void cj_load_operand(tile_state *state, int index);
void cj_store_operand(tile_state *state, int index);

// `count` elements of `bytes` bytes, each as `value`.
static inline void cj_fill_elements(int64_t bytes, int64_t count, void *dst, const void *value) {
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
static inline void cj_fill_uniform(cj_type type, void *reg) {
  const int64_t bytes = cj_type_bytes(type);
  cj_fill_elements(bytes, CJ_UNIFORM_BYTES / bytes, reg, reg);
}

#endif
