// The greatest of some places, channel by channel. Included once for each dtype, beside level_depthwise.h, with
//   SOURCE, BITS, LANE, VEC, WIDEN, NARROW, NAME  as there
//   INDEX, INDEX_VEC  an integer as wide as LANE, and a vector of it
//   INDEX_BITS        as many int32

// The first of equals, and of NaN.
INLINE void NAME(max_tile)(int64_t vectors, int64_t channels, int64_t c, int64_t count, const cj_place *places,
                           SOURCE *values, int32_t *positions) {
  enum { LANES_OF = sizeof(VEC) / sizeof(LANE) };
  VEC best[4];
  INDEX_VEC at[4];
#pragma clang loop unroll(full)
  for (int64_t v = 0; v < vectors; v++) {
    best[v] = NAME(channels_at)((const SOURCE *)places->source + c + v * LANES_OF, channels);
    at[v] = (INDEX_VEC)(INDEX)places->position;
  }
  for (int64_t p = 1; p < count; p++) {
    const INDEX_VEC position = (INDEX_VEC)(INDEX)places[p].position;
#pragma clang loop unroll(full)
    for (int64_t v = 0; v < vectors; v++) {
      const VEC value = NAME(channels_at)((const SOURCE *)places[p].source + c + v * LANES_OF, channels);
      const INDEX_VEC wins = ~(value <= best[v]) & (best[v] == best[v]);
      best[v] = wins ? value : best[v];
      at[v] = wins ? position : at[v];
    }
  }
#pragma clang loop unroll(full)
  for (int64_t v = 0; v < vectors; v++) {
    SOURCE *to = values + c + v * LANES_OF;
    STORE_SOME(to, NARROW(best[v]), channels * (int64_t)sizeof(SOURCE));
    if (positions) STORE_SOME(positions + c + v * LANES_OF, CONVERT(at[v], INDEX_BITS), channels * 4);
  }
}

static void NAME(max_of_places)(int64_t channels, int64_t count, const cj_place *places, void *values,
                                int32_t *positions) {
  enum { LANES_OF = sizeof(VEC) / sizeof(LANE) };
  int64_t c = 0;
  for (; c + 4 * LANES_OF <= channels; c += 4 * LANES_OF)
    NAME(max_tile)(4, LANES_OF, c, count, places, values, positions);
  for (; c + LANES_OF <= channels; c += LANES_OF)
    NAME(max_tile)(1, LANES_OF, c, count, places, values, positions);
  if (c < channels) NAME(max_tile)(1, channels - c, c, count, places, values, positions);
}
