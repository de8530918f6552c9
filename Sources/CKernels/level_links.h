// Float32 instructions once more, as links of a chain: a block of results stays in registers from one to the
// next, where steps of the interpreter write a tile that the next one reads again. By the same expressions, and
// so with the same bits.

#undef TILE1
#undef TILE2
#undef TILE3
#define TILE1(name, DT, DV, AT, AV, expression) INLINE mf name(mf a) { return expression; }
#define TILE2(name, DT, DV, AT, AV, expression) INLINE mf name(mf a, mf b) { return expression; }
#define TILE3(name, T, V, AT, AV, expression) INLINE mf name(mf a, mf b, mf c) { return expression; }

FLOAT_TILES(linked, float, mf, mf)

#define LINKS                                                                                               \
  LINKS2(CJ_ADD, add) LINKS2(CJ_SUBTRACT, subtract) LINKS2(CJ_MULTIPLY, multiply) LINKS2(CJ_DIVIDE, divide) \
  LINKS3(CJ_MULTIPLY_ADD, multiply_add) LINKS2(CJ_FLOOR_DIVIDE, floor_divide)                               \
  LINKS2(CJ_MAXIMUM, maximum) LINKS2(CJ_MINIMUM, minimum)                                                   \
  LINKS1(CJ_NEGATE, negate) LINKS1(CJ_ABS, abs) LINKS1(CJ_SIGN, sign) LINKS1(CJ_SQRT, sqrt)                 \
  LINKS1(CJ_RSQRT, rsqrt) LINKS1(CJ_FLOOR, floor) LINKS1(CJ_CEIL, ceil) LINKS1(CJ_ROUND_EVEN, round_even)

// A block is two vectors of these: v and w.
#define OPERAND(which, half) \
  LOAD(mf, link->operands[which] + ((at + half * MATH_LANES) & link->masks[which]))
#define LINKS1(op, name)                              \
  LINK(op, 0, name, (OPERAND(0, 0)), (OPERAND(0, 1))) \
  LINK(op, 1, name, (v), (w))
#define LINKS2(op, name)                                        \
  LINK(op, 0, name, (OPERAND(0, 0), OPERAND(1, 0)), (OPERAND(0, 1), OPERAND(1, 1))) \
  LINK(op, 1, name, (v, OPERAND(1, 0)), (w, OPERAND(1, 1)))     \
  LINK(op, 2, name, (OPERAND(0, 0), v), (OPERAND(0, 1), w))     \
  LINK(op, 3, name, (v, v), (w, w))
#define LINKS3(op, name)                                                              \
  LINK(op, 0, name, (OPERAND(0, 0), OPERAND(1, 0), OPERAND(2, 0)), (OPERAND(0, 1), OPERAND(1, 1), OPERAND(2, 1))) \
  LINK(op, 1, name, (v, OPERAND(1, 0), OPERAND(2, 0)), (w, OPERAND(1, 1), OPERAND(2, 1))) \
  LINK(op, 2, name, (OPERAND(0, 0), v, OPERAND(2, 0)), (OPERAND(0, 1), w, OPERAND(2, 1))) \
  LINK(op, 3, name, (v, v, OPERAND(2, 0)), (w, w, OPERAND(2, 1)))                     \
  LINK(op, 4, name, (OPERAND(0, 0), OPERAND(1, 0), v), (OPERAND(0, 1), OPERAND(1, 1), w)) \
  LINK(op, 5, name, (v, OPERAND(1, 0), v), (w, OPERAND(1, 1), w))                     \
  LINK(op, 6, name, (OPERAND(0, 0), v, v), (OPERAND(0, 1), w, w))                     \
  LINK(op, 7, name, (v, v, v), (w, w, w))

// A link with its labels and registers found: that is the same in all blocks of a tile.
typedef struct {
  const void *code;
  float *dst;
  const float *operands[3];
  int64_t masks[3];
  int64_t after;
} found_link;

static void run_chain(const cj_chain *chain, void *const *registers) {
#define LINK(op, passed, name, first, second) [CJ_LINK(op, passed)] = &&name##_##passed,
  static const void *const labels[] = {LINKS};
#undef LINK
  found_link found[CJ_MOST_LINKS];
  for (int i = 0; i == 0 || !(found[i - 1].after & CJ_LINK_ENDS); i++) {
    const cj_link *from = &chain->links[i];
    found[i] = (found_link){labels[from->code], registers[from->dst], {0}, {0}, from->after};
    for (int j = 0; j < 3; j++) {
      found[i].operands[j] = registers[from->operands[j]];
      found[i].masks[j] = from->masks[j];
    }
  }
  mf v = (mf)0, w = (mf)0;
  const found_link *link = found;
  int64_t at = 0;
  goto *link->code;
#define LINK(op, passed, name, first, second) \
  name##_##passed:                            \
  v = name##_linked first;                    \
  w = name##_linked second;                   \
  if (link->after) goto after;                \
  link++;                                     \
  goto *link->code;
  LINKS
#undef LINK
after:
  if (link->after & CJ_LINK_STREAMS) {
    PUT(link->dst + at, v);
    PUT(link->dst + at + MATH_LANES, w);
  } else {
    STORE(link->dst + at, v);
    STORE(link->dst + at + MATH_LANES, w);
  }
  if (link->after & CJ_LINK_ENDS) {
    at += 2 * MATH_LANES;
    if (at >= chain->count) return;
    link = found;
  } else {
    link++;
  }
  goto *link->code;
}
