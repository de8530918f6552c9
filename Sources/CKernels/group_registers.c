// Planning a tile program: which registers are one value, which products never stand in memory, the slots
// of the others, and the steps that a tile takes.

#include "group.h"

static bool is_comparison(uint8_t op) { return op >= CJ_EQUAL && op <= CJ_GREATER_EQUAL; }

int cj_operand_count(uint8_t op) {
  switch (op) {
    case CJ_CONSTANT: return 0;
    case CJ_MULTIPLY_ADD:
    case CJ_SELECT: return 3;
    case CJ_CAST:
    case CJ_ROUND:
    case CJ_NEGATE:
    case CJ_ABS:
    case CJ_SIGN:
    case CJ_NOT:
    case CJ_REDUCE:
    case CJ_BROADCAST: return 1;
    default: return op >= CJ_SQRT && op <= CJ_ROUND_EVEN ? 1 : 2;
  }
}

// ---------------------------------------------------------------- lives

enum { SLOT_UNSET = -2 };

// Stores and folds of a register.
static int32_t store_count(const cj_group *group, uint16_t reg) {
  int32_t count = 0;
  for (int i = 0; i < group->store_count; i++) count += group->stores[i].reg == reg;
  for (int i = 0; i < group->fold_count; i++) count += group->folds[i].reg == reg;
  return count;
}

static bool is_broadcast(const group_plan *plan, uint16_t reg) {
  const int32_t defined = plan->registers[reg].defined;
  return defined >= 0 && plan->group->instructions[defined].op == CJ_BROADCAST;
}

// The product of elements that makes a register, where nobody reads it but so many instructions and stores.
static const cj_instruction *sole_product(const group_plan *plan, uint16_t reg, int32_t uses, int32_t stores) {
  const planned_register *product = &plan->registers[reg];
  if (product->defined < 0 || product->uses != uses || store_count(plan->group, reg) != stores) return NULL;
  const cj_instruction *made = &plan->group->instructions[product->defined];
  const bool multiplies = made->op == CJ_MULTIPLY && !is_broadcast(plan, made->a) && !is_broadcast(plan, made->b);
  return multiplies ? made : NULL;
}

// An instruction may read the operands of the one under it: they live until then.
static void take_inner(group_plan *plan, int index) {
  const cj_instruction *instruction = &plan->group->instructions[index];
  const int32_t inner = plan->registers[instruction->a].defined;
  const cj_instruction *made = &plan->group->instructions[inner];
  const uint16_t operands[3] = {made->a, made->b, made->c};
  plan->registers[instruction->dst].inner = inner;
  for (int j = 0; j < cj_operand_count(made->op); j++) {
    planned_register *operand = &plan->registers[operands[j]];
    operand->last_use = (int32_t)cj_max64(operand->last_use, index);
  }
}

// A sum over a product that nobody else reads may multiply as it goes: what it multiplies lives until then.
static void find_product(group_plan *plan, int index) {
  const cj_instruction *sum = &plan->group->instructions[index];
  const bool sums = sum->op == CJ_REDUCE && sum->aux == CJ_SUM;
  if (sums && sole_product(plan, sum->a, 1, 0)) take_inner(plan, index);
}

// So may a function whose argument nobody else reads.
static void find_argument(group_plan *plan, int index) {
  const cj_instruction *function = &plan->group->instructions[index];
  const planned_register *argument = &plan->registers[function->a];
  if (function->type != CJ_F32 || !plan->level->of_subtract[function->op]) return;
  if (argument->defined < 0 || argument->uses != 1 || store_count(plan->group, function->a) > 0) return;
  const uint8_t op = plan->group->instructions[argument->defined].op;
  if (op == CJ_MULTIPLY_ADD || op == CJ_SUBTRACT) take_inner(plan, index);
}

static planned_fold what_folds(const group_plan *plan, const cj_fold *fold) {
  const cj_instruction *product = fold->op == CJ_SUM ? sole_product(plan, fold->reg, 0, 1) : NULL;
  return product ? (planned_fold){product->a, product->b, true} : (planned_fold){fold->reg, fold->reg, false};
}

// A register that lasts until the end of the tile, all elements of it.
static void keep_whole(group_plan *plan, uint16_t reg) {
  plan->registers[reg].stored = true;
  plan->registers[reg].whole = true;
}

void cj_find_lives(group_plan *plan) {
  const cj_group *group = plan->group;
  for (int i = 0; i < group->register_count; i++)
    plan->registers[i] = (planned_register){.slot = SLOT_UNSET, .defined = -1, .last_use = -1, .inner = -1};
  for (int i = 0; i < group->load_count; i++) {
    const cj_access *load = &group->loads[i];
    planned_register *reg = &plan->registers[load->reg];
    reg->type = load->slot < 0 ? CJ_I64 : cj_dtype_type((cj_dtype)load->dtype);
    reg->extent = (cj_extent)load->extent;
  }
  for (int i = 0; i < group->instruction_count; i++) {
    const cj_instruction *instruction = &group->instructions[i];
    planned_register *dst = &plan->registers[instruction->dst];
    dst->type = is_comparison(instruction->op) ? CJ_B8 : (cj_type)instruction->type;
    dst->extent = (cj_extent)instruction->extent;
    dst->defined = i;
    dst->last_use = i;
    dst->permanent = instruction->op == CJ_CONSTANT;
    const uint16_t operands[3] = {instruction->a, instruction->b, instruction->c};
    for (int j = 0; j < cj_operand_count(instruction->op); j++) {
      plan->registers[operands[j]].last_use = i;
      plan->registers[operands[j]].uses++;
    }
    if (instruction->op == CJ_REDUCE) plan->registers[instruction->a].whole = true;
  }
  for (int i = 0; i < group->instruction_count; i++) {
    find_product(plan, i);
    find_argument(plan, i);
  }
  // What is stored lives to the end of the tile.
  for (int i = 0; i < group->store_count; i++) plan->registers[group->stores[i].reg].stored = true;
  for (int i = 0; i < group->fold_count; i++) {
    plan->folds[i] = what_folds(plan, &group->folds[i]);
    keep_whole(plan, group->folds[i].reg);
    keep_whole(plan, plan->folds[i].a);
    keep_whole(plan, plan->folds[i].b);
    plan->registers[group->folds[i].reg].unmade = plan->folds[i].multiplies;
  }
}

// ---------------------------------------------------------------- single values and columns

// The load behind an operand that is the number of the column, more or less; NULL: none.
static const cj_access *column_number(const group_plan *plan, uint16_t reg) {
  const cj_group *group = plan->group;
  for (int i = 0; i < group->load_count; i++) {
    const cj_access *load = &group->loads[i];
    if (load->reg != reg) continue;
    const bool counts = load->slot < 0 && load->extent == CJ_FULL && load->strides[group->rank - 1] == 1;
    return counts && cj_outer_strides_are_zero(group, load) ? load : NULL;
  }
  return NULL;
}

static bool is_zero(const cj_group *group, uint16_t reg) {
  for (int i = 0; i < group->instruction_count; i++)
    if (group->instructions[i].dst == reg)
      return group->instructions[i].op == CJ_CONSTANT && group->instructions[i].immediate == 0;
  return false;
}

// A column's number equals a row's value in one column at most (a label's, in a cross-entropy), and what is
// selected by that differs from the rest there alone.
static bool is_single(const group_plan *plan, const cj_instruction *instruction) {
  const planned_register *registers = plan->registers, *dst = &registers[instruction->dst];
  if (plan->parts || plan->tile_rows > 1 || plan->tile_columns < plan->column_count) return false;
  if (dst->stored || dst->slot == -1) return false;
  if (instruction->op == CJ_EQUAL) return column_number(plan, instruction->a) && registers[instruction->b].uniform;
  return instruction->op == CJ_SELECT && registers[instruction->a].single && registers[instruction->c].uniform &&
         registers[instruction->c].constant;
}

// Whether a sum is made from the operands of the product under it.
static bool multiplies(const group_plan *plan, const planned_register *sum) {
  if (sum->inner < 0) return false;
  const cj_instruction *product = &plan->group->instructions[sum->inner];
  return !plan->registers[product->a].uniform && !plan->registers[product->b].uniform &&
         !plan->registers[product->dst].constant;
}

// What compares the numbers of columns to find one of them does not read them.
static void leave_numbers(planned_register *numbers) {
  numbers->uses--;
  numbers->unmade = numbers->uses == 0 && !numbers->stored && !numbers->whole;
}

// One value in, one value out.
static void find_uniform(group_plan *plan) {
  const cj_group *group = plan->group;
  for (int i = 0; i < group->instruction_count; i++) {
    const cj_instruction *instruction = &group->instructions[i];
    planned_register *dst = &plan->registers[instruction->dst];
    if (instruction->op == CJ_REDUCE) {
      dst->uniform = plan->tile_rows == 1 && !dst->stored;
      plan->registers[instruction->a].unmade = multiplies(plan, dst);
      continue;
    }
    const uint16_t operands[3] = {instruction->a, instruction->b, instruction->c};
    bool uniform = true, constant = true;
    for (int j = 0; j < cj_operand_count(instruction->op); j++) {
      uniform = uniform && plan->registers[operands[j]].uniform;
      constant = constant && plan->registers[operands[j]].constant;
    }
    if (instruction->op == CJ_BROADCAST && plan->tile_rows == 1) uniform = true;
    dst->uniform = uniform && !dst->stored && !dst->whole;
    dst->constant = constant && (dst->uniform || (dst->extent == CJ_FULL && dst->slot != -1));
    if (dst->inner >= 0) plan->registers[instruction->a].unmade = !dst->uniform && !constant;
    dst->single = !dst->uniform && is_single(plan, instruction);
    if (dst->single && instruction->op == CJ_EQUAL) leave_numbers(&plan->registers[instruction->a]);
    dst->rest = instruction->c;
    dst->permanent = dst->permanent || dst->constant || dst->single;
  }
}

// Whether a broadcast gives one value another name.
static bool is_name(const group_plan *plan, const cj_instruction *instruction) {
  return instruction->op == CJ_BROADCAST && plan->registers[instruction->a].uniform &&
         plan->registers[instruction->dst].uniform;
}

bool cj_is_step(const group_plan *plan, const cj_instruction *instruction) {
  const planned_register *dst = &plan->registers[instruction->dst];
  return instruction->op != CJ_CONSTANT && !dst->unmade && !is_name(plan, instruction);
}

// The instruction whose operands a step reads.
static const cj_instruction *reading(const group_plan *plan, const cj_instruction *instruction) {
  const int32_t inner = plan->registers[instruction->dst].inner;
  return inner >= 0 && plan->registers[instruction->a].unmade ? &plan->group->instructions[inner] : instruction;
}

// ---------------------------------------------------------------- slots

typedef struct {
  int32_t *free_slots;
  int32_t free_count, slot_count;
} slot_pool;

static int32_t take_slot(slot_pool *pool) {
  return pool->free_count > 0 ? pool->free_slots[--pool->free_count] : pool->slot_count++;
}

static void release_slot(slot_pool *pool, planned_register *reg) {
  if (reg->slot < 0 || reg->permanent || reg->stored) return;
  pool->free_slots[pool->free_count++] = reg->slot;
  reg->permanent = true;  // released once
}

// Single values, passed ones and row registers are small: each has a slot of its own.
static void assign_small_slots(group_plan *plan) {
  plan->row_slots = plan->uniform_slots = 0;
  for (int i = 0; i < plan->group->register_count; i++) {
    planned_register *reg = &plan->registers[i];
    const bool one = reg->uniform || reg->passed;
    if (reg->slot != SLOT_UNSET || !(one || reg->extent == CJ_ROW)) continue;
    reg->slot = one ? plan->uniform_slots++ : plan->row_slots++;
    reg->permanent = true;
  }
  for (int i = 0; i < plan->group->instruction_count; i++)
    if (is_name(plan, &plan->group->instructions[i]))
      plan->registers[plan->group->instructions[i].dst].slot = plan->registers[plan->group->instructions[i].a].slot;
}

// Slots are recycled after a register's last use; a result may take the slot of
// an operand that dies in its making if the elements are of one size.
void cj_assign_slots(group_plan *plan, int32_t *free_slots) {
  const cj_group *group = plan->group;
  slot_pool pool = {.free_slots = free_slots};
  find_uniform(plan);
  cj_find_chains(plan);
  assign_small_slots(plan);
  for (int i = 0; i < group->load_count; i++) {
    planned_register *reg = &plan->registers[group->loads[i].reg];
    if (reg->slot == SLOT_UNSET && !reg->unmade) reg->slot = take_slot(&pool);
  }
  for (int i = 0; i < group->instruction_count; i++) {
    planned_register *dst = &plan->registers[group->instructions[i].dst];
    if (dst->permanent && dst->slot == SLOT_UNSET) dst->slot = take_slot(&pool);
  }
  for (int i = 0; i < group->instruction_count; i++) {
    const cj_instruction *instruction = &group->instructions[i];
    planned_register *dst = &plan->registers[instruction->dst];
    if (dst->unmade || (dst->permanent && dst->extent == CJ_FULL && !dst->uniform && !dst->passed)) continue;
    const cj_instruction *reads = reading(plan, instruction);
    const uint16_t operands[3] = {reads->a, reads->b, reads->c};
    const int count = cj_operand_count(reads->op);
    for (int pass = 0; pass < 2; pass++) {
      for (int j = 0; j < count; j++) {
        planned_register *operand = &plan->registers[operands[j]];
        bool same_size = cj_type_bytes(operand->type) == cj_type_bytes(dst->type);
        if (operand->last_use == i && same_size == (pass == 0)) release_slot(&pool, operand);
      }
      if (pass == 0 && dst->slot == SLOT_UNSET) dst->slot = take_slot(&pool);
    }
    if (dst->last_use == i) release_slot(&pool, dst);
  }
  plan->slot_count = pool.slot_count;
}

// ---------------------------------------------------------------- steps

// Whether single float32 values make another by arithmetic that has the same bits in a vector.
static bool is_scalar(const group_plan *plan, const cj_instruction *instruction) {
  const uint8_t op = instruction->op;
  const bool simple = (op >= CJ_ADD && op <= CJ_MULTIPLY_ADD) || op == CJ_NEGATE || op == CJ_ABS || op == CJ_SQRT ||
                      op == CJ_RSQRT;
  return simple && instruction->type == CJ_F32 && plan->registers[instruction->dst].uniform;
}

static void find_narrow(group_plan *plan) {
  const cj_group *group = plan->group;
  for (int i = 0; i < group->instruction_count; i++) {
    const cj_instruction *instruction = &group->instructions[i];
    plan->registers[instruction->dst].narrow = is_scalar(plan, instruction);
    if (is_scalar(plan, instruction)) continue;
    plan->registers[instruction->a].narrow = false;
    plan->registers[instruction->b].narrow = false;
    plan->registers[instruction->c].narrow = false;
  }
}

static cj_tile_op find_op(const cj_level *level, const cj_instruction *instruction, const cj_instruction *reads,
                          bool streamed) {
  const uint8_t op = instruction->op;
  if (reads == instruction) return streamed ? level->streamed[op] : level->ops[op][instruction->type];
  if (reads->op == CJ_SUBTRACT) return streamed ? level->of_subtract_streamed[op] : level->of_subtract[op];
  return streamed ? level->of_multiply_add_streamed[op] : level->of_multiply_add[op];
}

void cj_plan_steps(group_plan *plan) {
  const cj_group *group = plan->group;
  const cj_level *level = plan->level;
  plan->step_count = 0;
  find_narrow(plan);
  for (int i = 0; i < group->instruction_count; i++) {
    const cj_instruction *instruction = &group->instructions[i];
    const planned_register *to = &plan->registers[instruction->dst];
    if (!cj_is_step(plan, instruction)) continue;
    planned_step *step = &plan->steps[plan->step_count++];
    const cj_instruction *reads = reading(plan, instruction);
    const bool products = instruction->op == CJ_REDUCE && reads != instruction;
    const int count = cj_operand_count(reads->op);
    *step = (planned_step){.opcode = instruction->op,
                           .aux = instruction->aux,
                           .constant = to->constant,
                           .multiplies = products,
                           .dst = instruction->dst,
                           .a = reads->a,
                           .b = count < 2 ? reads->a : reads->b,
                           .c = count < 3 ? reads->a : reads->c};
    if (instruction->op == CJ_CAST) step->convert = level->cast[instruction->aux][instruction->type];
    else if (instruction->op == CJ_ROUND) step->convert = level->round[instruction->aux];
    else step->op = find_op(level, instruction, reads, to->streamed);
    const uint16_t operands[3] = {step->a, step->b, step->c};
    step->spreads = instruction->op != CJ_REDUCE;
    int64_t widest = cj_type_bytes(to->type);
    for (int j = 0; j < 3; j++) {
      const bool uniform = plan->registers[operands[j]].uniform;
      widest = cj_max64(widest, cj_type_bytes(plan->registers[operands[j]].type));
      step->masks[j] = uniform ? 0 : -1;
      step->spreads = step->spreads && uniform;
    }
    step->scalar = is_scalar(plan, instruction);
    step->uniform_count = CJ_UNIFORM_BYTES / widest;
    const planned_register *longest = instruction->op == CJ_REDUCE ? &plan->registers[step->a] : to;
    step->single = to->single ||
                   (instruction->op == CJ_REDUCE && instruction->aux == CJ_SUM && !products && longest->single &&
                    is_zero(group, longest->rest));
    if (step->single && step->opcode == CJ_EQUAL) step->first = column_number(plan, step->a)->offset;
    step->passes = !step->single && !step->constant && !step->spreads && !longest->uniform &&
                   longest->extent == CJ_FULL;
  }
  cj_link_steps(plan);
}
