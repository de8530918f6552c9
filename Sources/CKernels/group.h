// A tile program made ready to run: what group_plan.c decides once a call and
// group.c follows in every tile.

#ifndef CAJAL_KERNELS_GROUP_H
#define CAJAL_KERNELS_GROUP_H

#include "internal.h"

// A tile is `rows` consecutive rows (of the flattened outer axes) by `columns`
// columns. Three shapes: one row or a part of one; several whole rows, when
// rows are short; a block of both, when an operand is transposed.
typedef enum {
  ACCESS_DIRECT,      // the register is the memory itself
  ACCESS_CONTIGUOUS,  // one run of memory a tile, converted
  ACCESS_ROWS,        // row by row, with the strides
} access_kind;

typedef struct {
  access_kind kind;
  bool affine;
  bool repeats;  // a tile at the same offset holds the same values: loaded once
  uint8_t bytes;  // of an element in memory
  cj_type type;
  cj_tile_convert convert;
  char *base;  // of the slot
} planned_access;

typedef struct {
  cj_tile_op op;            // or
  cj_tile_convert convert;  // casts and roundings
  uint16_t dst, a, b, c;
} planned_step;

typedef struct {
  cj_type type;
  int32_t slot;    // of the scratch; -1: the register is memory
  bool permanent;  // the slot is not recycled
  bool stored;     // some store takes it
  int32_t defined, last_use;  // instruction indices; loads are defined at -1
} planned_register;

typedef struct {
  const cj_group *group;
  planned_access *loads, *stores;
  planned_register *registers;
  planned_step *steps;
  int32_t step_count, slot_count;
  int64_t slot_bytes;
  int64_t row_count, column_count;        // of the iteration space
  int64_t tile_rows, tile_columns;        // of a tile
  int64_t row_tiles, column_tiles, tiles;
  int64_t tiles_per_task;
} group_plan;

// The plan lies in the calling thread's scratch.
group_plan *cj_group_plan(const cj_group *group, void *const *slots);

#endif
