// Planning a tile program: which of its steps pass their results on in registers, as links of a chain.

#include "group.h"

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

// What the next instruction alone reads.
static bool may_pass(const planned_register *reg, uint16_t number, const cj_instruction *next) {
  const uint16_t operands[3] = {next->a, next->b, next->c};
  const int reads = __builtin_popcount((unsigned)which_read(next->op, operands, number));
  return reads > 0 && reg->uses == reads && !reg->stored && !reg->whole;
}

void cj_find_chains(group_plan *plan) {
  const cj_group *group = plan->group;
  planned_register *last = NULL, *passed = NULL;  // what the step before made, if it may be a link, and got
  int32_t links = 0, number = 0;
  for (int i = 0; i <= group->instruction_count; i++) {
    const cj_instruction *instruction = i < group->instruction_count ? &group->instructions[i] : NULL;
    planned_register *dst = instruction ? &plan->registers[instruction->dst] : NULL;
    if (dst) dst->passed = false;
    if (dst && (dst->constant || !cj_is_step(plan, instruction))) continue;
    const bool may = dst && may_link(plan, instruction);
    if (may && last && may_pass(last, (uint16_t)number, instruction)) {
      last->passed = true;
      passed = last;
      links++;
    } else {
      if (links == 2) passed->passed = false;  // two save no more than going from one to the next costs
      links = 1;
    }
    last = may ? dst : NULL;
    if (dst) number = instruction->dst;
  }
}

static void add_link(group_plan *plan, int code, const planned_step *step) {
  cj_link *link = &plan->links[plan->link_count++];
  *link = (cj_link){(uint16_t)code, step->dst, {step->a, step->b, step->c}, {0}};
  memcpy(link->masks, step->masks, sizeof link->masks);
}

void cj_link_steps(group_plan *plan) {
  planned_step *first = NULL, *last = NULL;  // of the chain that goes on
  plan->link_count = 0;
  for (int i = 0; i < plan->step_count; i++) {
    planned_step *step = &plan->steps[i];
    const planned_register *dst = &plan->registers[step->dst];
    if (step->constant || !(first || dst->passed)) continue;
    const uint16_t operands[3] = {step->a, step->b, step->c};
    if (!first) step->links = plan->link_count;
    else step->passes = false;
    add_link(plan, CJ_LINK(step->opcode, first ? which_read(step->opcode, operands, last->dst) : 0), step);
    if (!first) first = step;
    last = step;
    if (dst->passed) continue;
    add_link(plan, dst->streamed ? CJ_LINK_STREAM : CJ_LINK_STORE, step);
    first->chained = (int32_t)(step - first) + 1;
    first = NULL;
  }
}
