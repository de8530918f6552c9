// A tile program made ready to run: what group_plan.c and group_registers.c
// decide once a call and group.c follows in every tile.

#ifndef CAJAL_KERNELS_GROUP_H
#define CAJAL_KERNELS_GROUP_H

#include "internal.h"

// A tile is `rows` consecutive rows (of the flattened outer axes) by `columns`
// columns. Three shapes: one row or a part of one; several whole rows, when
// rows are short; a block of both, when an operand is transposed. Where rows are
// reduced, tiles are whole rows.
typedef enum {
  ACCESS_DIRECT,      // the register is the memory itself
  ACCESS_CONTIGUOUS,  // one run of memory a tile, converted
  ACCESS_STREAM,      // a store past the caches
  ACCESS_ROWS,        // row by row, with the strides
  ACCESS_UNIFORM,     // a load of one value for the whole tile
} access_kind;

typedef struct {
  access_kind kind;
  bool affine;
  bool repeats;  // a tile at the same offset holds the same values: loaded once
  bool prefetched;
  uint8_t bytes;  // of an element in memory
  cj_type type;
  cj_tile_convert convert;
  char *base;  // of the slot
} planned_access;

typedef struct {
  cj_tile_op op;            // or
  cj_tile_convert convert;  // casts and roundings; neither: a reduction or a broadcast
  cj_opcode opcode;
  bool spreads;   // every operand is one value: computed once, then filled in
  bool constant;  // the same in every tile
  bool single;    // touches one column: see planned_register
  bool multiplies;  // a sum of a * b
  bool scalar;    // one value from one or more, by itself
  bool passes;    // goes over all elements of the tile
  uint8_t aux;
  uint16_t dst, a, b, c;
  int64_t masks[3];
  int64_t uniform_count;  // elements where all registers are uniform: what the widest holds
  int64_t first;  // of a single step that compares: the number of column 0
  int32_t chained;  // steps of the chain that begins here; 0: none does
  int32_t links;    // its first link
} planned_step;

typedef struct {
  cj_type type;
  cj_extent extent;
  bool uniform;    // one value a tile, CJ_UNIFORM_BYTES of it
  bool constant;   // the same in every tile: made once a task
  bool whole;      // read where one value will not do: reduced or folded
  bool single;     // one value at every column but one (a row is a tile): its slot is filled once a task
  bool permanent;  // the slot is not recycled
  bool streamed;   // written past the caches as it is made
  bool narrow;     // a single value that scalar steps alone read: not repeated over a vector
  bool unmade;     // what its only reader makes by itself, or numbers that nobody reads
  bool stored;     // some store or fold takes it
  bool linked;     // the next step is of the same chain
  bool passed;     // to that alone, in vector registers; in memory only for what is less than a block
  uint16_t rest;   // that value's register, where it is not zero
  int32_t inner;   // the instruction whose operands are read instead of its result, if that is unmade; -1: none
  int32_t slot;    // among those of its kind; -1: the register is memory
  int32_t uses;  // by instructions
  int32_t defined, last_use;  // instruction indices; loads are defined at -1
} planned_register;

// What a fold adds up: a, or a * b.
typedef struct {
  uint16_t a, b;
  bool multiplies;
} planned_fold;

typedef struct {
  const cj_group *group;
  const cj_level *level;  // the caller's, for all threads
  void *const *slots;
  planned_access *loads, *stores;
  planned_register *registers;
  planned_step *steps;
  planned_fold *folds;
  cj_link *links;
  int32_t step_count, link_count, slot_count;
  int32_t row_slots, uniform_slots;
  int64_t slot_bytes;                     // of an element
  int64_t row_count, column_count;        // of the iteration space
  int64_t tile_rows, tile_columns;        // of a tile
  int64_t row_tiles, column_tiles, tiles;
  int64_t tiles_per_task, tasks;
  bool streams, prefetches;
  bool parts;                             // runs parts of rows as they come, a row at a time
  int64_t prefetched;                     // elements of the next tile asked for in each step
  char *partials;                         // of the folds: [fold][task][column]
} group_plan;

// No column of a register is single, and its slot has not been filled.
enum { CJ_NO_COLUMN = -1, CJ_UNFILLED = -2 };

// The plan lies in the calling thread's scratch. parts: for parts of rows, as they come.
group_plan *cj_group_plan(const cj_group *group, void *const *slots, void *workspace, bool parts);
// The same, or what `memo` remembers.
group_plan *cj_group_plan_known(const cj_group *group, void *const *slots, void *workspace, bool parts,
                                cj_group_memo *memo);
// Room for one, which is kept apart for parts.
group_plan *cj_group_plan_room(const cj_group *group, bool parts);

// A plan is one block of so many bytes; this finds its parts in it, and returns room for an int32_t a register.
size_t cj_plan_bytes(const cj_group *group);
int32_t *cj_lay_out_plan(group_plan *plan);

// Parts of planning, in group_registers.c. Uses and lives, before tiles have a shape:
void cj_find_lives(group_plan *plan);
// with shape and accesses, slots for what is not memory itself (free_slots: room for each register);
void cj_assign_slots(group_plan *plan, int32_t *free_slots);
// then the steps.
void cj_plan_steps(group_plan *plan);
int cj_operand_count(uint8_t op);
// Whether an instruction is a step of its own.
bool cj_is_step(const group_plan *plan, const cj_instruction *instruction);
// In group_chains.c, which registers pass from step to step, before slots are assigned; and links, behind the steps.
void cj_find_chains(group_plan *plan);
void cj_link_steps(group_plan *plan);

// The bytes of an operand, from its slot's base: first element, lowest, end.
typedef struct {
  int64_t first, low, high;
} cj_access_bytes;
cj_access_bytes cj_find_access_bytes(const cj_group *group, const cj_access *access);

// Whether an access is the same in every row.
static inline bool cj_outer_strides_are_zero(const cj_group *group, const cj_access *access) {
  for (int axis = 0; axis < group->rank - 1; axis++)
    if (group->extents[axis] > 1 && access->strides[axis] != 0) return false;
  return true;
}

// The bytes of one element of a fold's accumulators.
static inline int64_t cj_fold_bytes(const cj_fold *fold) { return fold->dtype == CJ_FLOAT64 ? 8 : 4; }

#endif
