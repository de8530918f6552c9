// What a group keeps between runs: how it was planned. A plan depends on the group, on the level, and on how the
// operands lie to one another in memory, which steps of a training loop repeat; planning a small group takes longer
// than running it.

#include "group.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_PAIRS = 60,   // of a store and a load, two bits each
  MOST_STORES = 8,
  MOST_ENTRIES = 4,  // a first step has new memory for its results where later ones write over their operands
};

// How operands lie to one another.
typedef struct {
  uint64_t bits[2];
} relations;

typedef struct {
  const cj_level *level;
  relations relations;
  bool has_partials;
  group_plan *plan;
} entry;

struct cj_group_memo {
  _Atomic(cj_access_bytes *) extents;  // loads, then stores
  _Atomic(entry *) entries[MOST_ENTRIES];
};

cj_group_memo *cj_group_memo_make(void) { return calloc(1, sizeof(cj_group_memo)); }

void cj_group_memo_free(cj_group_memo *memo) {
  if (!memo) return;
  for (int i = 0; i < MOST_ENTRIES; i++) {
    entry *entry = atomic_load_explicit(&memo->entries[i], memory_order_acquire);
    if (entry) free(entry->plan);
    free(entry);
  }
  free(atomic_load_explicit(&memo->extents, memory_order_acquire));
  free(memo);
}

// Everything that planning asks of addresses: whether a store and a load overlap, and begin with the same
// element; whether a store begins with a line. False where that is too much to remember.
static bool find_relations(const cj_group *group, const cj_access_bytes *extents, void *const *slots,
                           relations *result) {
  if (group->store_count * group->load_count > MOST_PAIRS || group->store_count > MOST_STORES) return false;
  uint64_t bits[2] = {0, 0};
  int bit = 0;
  for (int i = 0; i < group->store_count; i++) {
    const char *store = slots[group->stores[i].slot];
    const cj_access_bytes written = extents[group->load_count + i];
    bits[1] |= (uint64_t)((uintptr_t)(store + written.first) % CJ_LINE_BYTES == 0) << (56 + i);
    for (int j = 0; j < group->load_count; j++, bit += 2) {
      if (group->loads[j].slot < 0) continue;
      const char *load = slots[group->loads[j].slot];
      const cj_access_bytes read = extents[j];
      const bool overlap = load + read.low < store + written.high && store + written.low < load + read.high;
      const bool same = load + read.first == store + written.first;
      bits[bit / 64] |= (uint64_t)(overlap | same << 1) << bit % 64;
    }
  }
  *result = (relations){{bits[0], bits[1]}};
  return true;
}

// Of the group that `memo` belongs to; NULL without memory.
static const cj_access_bytes *find_extents(cj_group_memo *memo, const cj_group *group) {
  cj_access_bytes *extents = atomic_load_explicit(&memo->extents, memory_order_acquire);
  if (extents) return extents;
  extents = malloc((size_t)(group->load_count + group->store_count + 1) * sizeof *extents);
  if (!extents) return NULL;
  for (int i = 0; i < group->load_count; i++) extents[i] = cj_find_access_bytes(group, &group->loads[i]);
  for (int i = 0; i < group->store_count; i++)
    extents[group->load_count + i] = cj_find_access_bytes(group, &group->stores[i]);
  cj_access_bytes *other = NULL;
  if (atomic_compare_exchange_strong(&memo->extents, &other, extents)) return extents;
  free(extents);
  return other;
}

// A copy of a plan for this run, in the calling thread's scratch.
static group_plan *renew(const entry *entry, const cj_group *group, void *const *slots, void *workspace) {
  group_plan *plan = cj_group_plan_room(group, entry->plan->parts);
  memcpy(plan, entry->plan, cj_plan_bytes(group));
  plan->group = group;
  plan->slots = slots;
  plan->partials = workspace;
  cj_lay_out_plan(plan);
  for (int i = 0; i < group->load_count; i++)
    if (group->loads[i].slot >= 0) plan->loads[i].base = slots[group->loads[i].slot];
  for (int i = 0; i < group->store_count; i++) plan->stores[i].base = slots[group->stores[i].slot];
  return plan;
}

// Keeps a copy of `plan` in place `index`, if nobody has kept another there.
static void keep(cj_group_memo *memo, int index, const group_plan *plan, relations relations) {
  const size_t bytes = cj_plan_bytes(plan->group);
  entry *fresh = malloc(sizeof *fresh), *other = NULL;
  group_plan *copy = malloc(bytes);
  if (fresh && copy) {
    memcpy(copy, plan, bytes);
    *fresh = (entry){plan->level, relations, plan->partials != NULL, copy};
    if (atomic_compare_exchange_strong(&memo->entries[index], &other, fresh)) return;
  }
  free(copy);
  free(fresh);
}

group_plan *cj_group_plan_known(const cj_group *group, void *const *slots, void *workspace, bool parts,
                                cj_group_memo *memo) {
  const cj_access_bytes *extents = memo ? find_extents(memo, group) : NULL;
  relations now;
  if (!extents || !find_relations(group, extents, slots, &now)) return cj_group_plan(group, slots, workspace, parts);
  int index = 0;
  for (; index < MOST_ENTRIES; index++) {
    const entry *entry = atomic_load_explicit(&memo->entries[index], memory_order_acquire);
    if (!entry) break;
    if (entry->level == cj_current_level() && entry->has_partials == (workspace != NULL) &&
        entry->plan->parts == parts && memcmp(&now, &entry->relations, sizeof now) == 0)
      return renew(entry, group, slots, workspace);
  }
  group_plan *plan = cj_group_plan(group, slots, workspace, parts);
  if (index < MOST_ENTRIES) keep(memo, index, plan, now);
  return plan;
}
