// Short pieces of memory, a stride apart, to short pieces of compute values: what products gather. Included once for
// each dtype, with
//   SOURCE, LANE     its type in memory and its compute type
//   QUAD             16 bytes of the latter
//   LOAD_QUAD(from)  as many elements, converted
//   LOAD_ONE(from)
//   NAME(x)

INLINE void NAME(pieces_of)(int64_t count, int64_t length, const SOURCE *from, int64_t step, char *to,
                            int64_t to_step) {
  enum { QUAD_LENGTH = 16 / sizeof(LANE) };
  for (int64_t i = 0; i < count; i++, from += step, to += to_step) {
    if (length >= QUAD_LENGTH) {
      for (int64_t j = 0; j < length; j += QUAD_LENGTH) {
        const int64_t at = cj_min64(j, length - QUAD_LENGTH);
        STORE(to + at * (int64_t)sizeof(LANE), LOAD_QUAD(from + at));
      }
    } else {
      for (int64_t j = 0; j < length; j++) ((LANE *)to)[j] = LOAD_ONE(from + j);
    }
  }
}

static void NAME(copy_pieces)(int64_t count, int64_t length, const void *from, int64_t step, void *to,
                              int64_t to_step) {
  if (length == 12) NAME(pieces_of)(count, 12, from, step, to, to_step);  // a weight gradient's panel
  else NAME(pieces_of)(count, length, from, step, to, to_step);
}

#undef SOURCE
#undef LANE
#undef LOAD_QUAD
#undef LOAD_ONE
#undef NAME
