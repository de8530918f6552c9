// Planning a tile program: which of its steps pass their results on in registers, as links of a chain.

#include "group.h"

enum { LEAST_LINKS = 3 };  // two save no more than going from one to the next costs

// Whether an instruction makes float32 elements of the tile from such elements, by little arithmetic. Functions
// need all vector registers for themselves.
static bool may_link(const group_plan *plan, const cj_instruction *instruction) {
  const planned_register *dst = &plan->registers[instruction->dst];
  const uint8_t op = instruction->op;
  const bool simple = (op >= CJ_ADD && op <= CJ_FLOOR_DIVIDE) || (op >= CJ_MAXIMUM && op <= CJ_RSQRT) ||
                      (op >= CJ_FLOOR && op <= CJ_ROUND_EVEN);
  return simple && instruction->type == CJ_F32 && dst->extent == CJ_FULL && !dst->uniform && !dst->constant;
}

// Bits of the operands that are the register.
static int which_read(uint8_t op, const uint16_t *operands, uint16_t reg) {
  int bits = 0;
  for (int j = 0; j < cj_operand_count(op); j++) bits |= (operands[j] == reg) << j;
  return bits;
}

// Whether the next instruction alone reads a register.
static bool may_pass(const planned_register *reg, uint16_t number, const cj_instruction *next) {
  const uint16_t operands[3] = {next->a, next->b, next->c};
  const int reads = __builtin_popcount((unsigned)which_read(next->op, operands, number));
  return reads > 0 && reg->uses == reads && !reg->stored && !reg->whole;
}

// The first step that tiles take, from an instruction on.
static int next_step(const group_plan *plan, int index) {
  const cj_group *group = plan->group;
  for (; index < group->instruction_count; index++) {
    const cj_instruction *instruction = &group->instructions[index];
    if (!plan->registers[instruction->dst].constant && cj_is_step(plan, instruction)) break;
  }
  return index;
}

void cj_find_chains(group_plan *plan) {
  const cj_instruction *instructions = plan->group->instructions;
  const int count = plan->group->instruction_count;
  for (int i = next_step(plan, 0), end; i < count; i = end) {
    int32_t length = 0;
    for (end = i; end < count && length < CJ_MOST_LINKS && may_link(plan, &instructions[end]);
         end = next_step(plan, end + 1))
      length++;
    for (int j = i, next; length >= LEAST_LINKS && (next = next_step(plan, j + 1)) < end; j = next) {
      planned_register *dst = &plan->registers[instructions[j].dst];
      dst->linked = true;
      dst->passed = may_pass(dst, instructions[j].dst, &instructions[next]);
    }
    if (length == 0) end = next_step(plan, i + 1);
  }
}

void cj_link_steps(group_plan *plan) {
  planned_step *first = NULL, *last = NULL;  // of the chain that goes on
  plan->link_count = 0;
  for (int i = 0; i < plan->step_count; i++) {
    planned_step *step = &plan->steps[i];
    const planned_register *dst = &plan->registers[step->dst];
    if (step->constant || !(first || dst->linked)) continue;
    const uint16_t operands[3] = {step->a, step->b, step->c};
    const int reads = first ? which_read(step->opcode, operands, last->dst) : 0;
    cj_link *link = &plan->links[plan->link_count++];
    *link = (cj_link){(uint16_t)CJ_LINK(step->opcode, reads), step->dst, {step->a, step->b, step->c}, 0, {0}};
    memcpy(link->masks, step->masks, sizeof link->masks);
    if (!dst->passed) link->after = dst->streamed ? CJ_LINK_STREAMS : CJ_LINK_STORES;
    if (first) step->passes = false;
    else first = step, step->links = plan->link_count - 1;
    last = step;
    if (dst->linked) continue;
    link->after |= CJ_LINK_ENDS;
    first->chained = (int32_t)(step - first) + 1;
    first = NULL;
  }
}
