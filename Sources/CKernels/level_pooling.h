// The greatest of some places, channel by channel. Included once for each dtype, beside level_depthwise.h, with
//   SOURCE, BITS, LANE, VEC, WIDEN, NARROW, NAME  as there
//   INDEX, INDEX_VEC  an integer as wide as LANE, and a vector of it
//   INDEX_BITS        as many int32

// The first of equals, and of NaN, at one window's channels from c on.
INLINE void NAME(max_tile)(int64_t vectors, int64_t channels, int64_t c, int64_t window, const cj_places *all) {
  enum { LANES_OF = sizeof(VEC) / sizeof(LANE) };
  const int64_t from = window * all->source_step + c, result = window * all->channels + c;
  const INDEX shift = (INDEX)(window * all->position_step);
  VEC best[4];
  INDEX_VEC at[4];
#pragma clang loop unroll(full)
  for (int64_t v = 0; v < vectors; v++) {
    best[v] = NAME(channels_at)((const SOURCE *)all->places->source + from + v * LANES_OF, channels);
    at[v] = (INDEX_VEC)(INDEX)(all->places->position + shift);
  }
  for (int64_t p = 1; p < all->count; p++) {
    const INDEX_VEC position = (INDEX_VEC)(INDEX)(all->places[p].position + shift);
#pragma clang loop unroll(full)
    for (int64_t v = 0; v < vectors; v++) {
      const VEC value = NAME(channels_at)((const SOURCE *)all->places[p].source + from + v * LANES_OF, channels);
      const INDEX_VEC wins = ~(value <= best[v]) & (best[v] == best[v]);
      best[v] = wins ? value : best[v];
      at[v] = wins ? position : at[v];
    }
  }
#pragma clang loop unroll(full)
  for (int64_t v = 0; v < vectors; v++) {
    SOURCE *to = (SOURCE *)all->values + result + v * LANES_OF;
    STORE_SOME(to, NARROW(best[v]), channels * (int64_t)sizeof(SOURCE));
    if (!all->positions) continue;
    STORE_SOME(all->positions + result + v * LANES_OF, CONVERT(at[v], INDEX_BITS), channels * (int64_t)sizeof(int32_t));
  }
}

static void NAME(max_of_places)(const cj_places *all) {
  enum { LANES_OF = sizeof(VEC) / sizeof(LANE) };
  for (int64_t window = 0; window < all->windows; window++) {
    int64_t c = 0;
    for (; c + 4 * LANES_OF <= all->channels; c += 4 * LANES_OF) NAME(max_tile)(4, LANES_OF, c, window, all);
    for (; c + LANES_OF <= all->channels; c += LANES_OF) NAME(max_tile)(1, LANES_OF, c, window, all);
    if (c == all->channels) continue;
    // What is beyond the channels belongs to the next window, which comes later.
    const bool has_room = (all->windows - window) * all->channels - c >= LANES_OF;
    if (has_room) NAME(max_tile)(1, LANES_OF, c, window, all);
    else NAME(max_tile)(1, all->channels - c, c, window, all);
  }
}
