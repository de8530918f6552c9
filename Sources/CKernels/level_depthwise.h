// Sums along positions, channel by channel: what depthwise convolutions are made of. Included once for each dtype, with
//   SOURCE, BITS      its type in memory and as many of them as
//   LANE, VEC         the compute type and a vector of it has
//   WIDEN(bits), NARROW(vector)
//   NAME(x)

#define COUNT ((int64_t)(sizeof(VEC) / sizeof(LANE)))
enum { NAME(DEPTHWISE_POSITIONS) = 4, NAME(DEPTHWISE_VECTORS) = 2 };

INLINE VEC NAME(channels_at)(const SOURCE *from, int64_t channels) {
  if (channels == COUNT) return WIDEN(LOAD(BITS, from));
  return WIDEN(LOAD_SOME(BITS, from, channels * (int64_t)sizeof(SOURCE)));
}

// `channels` of the last vector, at channel c of some positions.
INLINE void NAME(taps_tile)(int64_t positions, int64_t vectors, int64_t channels, const cj_taps *taps, int64_t first,
                            int64_t c) {
  VEC sums[NAME(DEPTHWISE_POSITIONS)][NAME(DEPTHWISE_VECTORS)];
#pragma clang loop unroll(full)
  for (int64_t p = 0; p < positions; p++)
#pragma clang loop unroll(full)
    for (int64_t v = 0; v < vectors; v++) sums[p][v] = (VEC)(LANE)0;
  for (int64_t t = 0; t < taps->count; t++) {
    const SOURCE *source = (const SOURCE *)taps->taps[t].source + first * taps->source_step + c;
    const SOURCE *weights = (const SOURCE *)taps->taps[t].weights + c;
#pragma clang loop unroll(full)
    for (int64_t v = 0; v < vectors; v++) {
      const VEC weight = NAME(channels_at)(weights + v * COUNT, channels);
#pragma clang loop unroll(full)
      for (int64_t p = 0; p < positions; p++)
        sums[p][v] = FMA_F(NAME(channels_at)(source + p * taps->source_step + v * COUNT, channels), weight, sums[p][v]);
    }
  }
#pragma clang loop unroll(full)
  for (int64_t p = 0; p < positions; p++)
#pragma clang loop unroll(full)
    for (int64_t v = 0; v < vectors; v++) {
      SOURCE *to = (SOURCE *)taps->result + (first + p) * taps->result_step + c + v * COUNT;
      if (channels == COUNT) STORE(to, NARROW(sums[p][v]));
      else STORE_SOME(to, NARROW(sums[p][v]), channels * (int64_t)sizeof(SOURCE));
    }
}

INLINE void NAME(taps_channels)(int64_t positions, const cj_taps *taps, int64_t first) {
  const int64_t channels = taps->channels;
  int64_t c = 0;
  for (; c + 2 * COUNT <= channels; c += 2 * COUNT) NAME(taps_tile)(positions, 2, COUNT, taps, first, c);
  for (; c + COUNT <= channels; c += COUNT) NAME(taps_tile)(positions, 1, COUNT, taps, first, c);
  if (c == channels) return;
  // The last whole vector once more, as far as it has to go.
  if (channels >= COUNT) NAME(taps_tile)(positions, 1, COUNT, taps, first, channels - COUNT);
  else NAME(taps_tile)(positions, 1, channels, taps, first, 0);
}

static void NAME(sum_taps)(const cj_taps *taps) {
  int64_t p = 0;
  for (; p + NAME(DEPTHWISE_POSITIONS) <= taps->positions; p += NAME(DEPTHWISE_POSITIONS))
    NAME(taps_channels)(NAME(DEPTHWISE_POSITIONS), taps, p);
  for (; p < taps->positions; p++) NAME(taps_channels)(1, taps, p);
}

// `vectors` vectors of channels, the last of `channels`.
INLINE void NAME(products_tile)(int64_t vectors, int64_t channels, int64_t positions, const SOURCE *x, int64_t x_step,
                                const SOURCE *y, int64_t y_step, LANE *sums) {
  VEC totals[4];
#pragma clang loop unroll(full)
  for (int64_t v = 0; v < vectors; v++)
    totals[v] = LOAD_SOME(VEC, sums + v * COUNT, channels * (int64_t)sizeof(LANE));
  for (int64_t p = 0; p < positions; p++, x += x_step, y += y_step)
#pragma clang loop unroll(full)
    for (int64_t v = 0; v < vectors; v++)
      totals[v] = FMA_F(NAME(channels_at)(x + v * COUNT, channels), NAME(channels_at)(y + v * COUNT, channels),
                        totals[v]);
#pragma clang loop unroll(full)
  for (int64_t v = 0; v < vectors; v++) STORE_SOME(sums + v * COUNT, totals[v], channels * (int64_t)sizeof(LANE));
}

// sums[c] += x[p, c] y[p, c] for all positions p.
static void NAME(add_channel_products)(int64_t positions, int64_t channels, const void *x_, int64_t x_step,
                                       const void *y_, int64_t y_step, void *sums_) {
  const SOURCE *x = x_, *y = y_;
  LANE *sums = sums_;
  int64_t c = 0;
  for (; c + 4 * COUNT <= channels; c += 4 * COUNT)
    NAME(products_tile)(4, COUNT, positions, x + c, x_step, y + c, y_step, sums + c);
  for (; c + COUNT <= channels; c += COUNT)
    NAME(products_tile)(1, COUNT, positions, x + c, x_step, y + c, y_step, sums + c);
  if (c < channels) NAME(products_tile)(1, channels - c, positions, x + c, x_step, y + c, y_step, sums + c);
}

#undef COUNT
