// The transforms of Winograd's convolution F(4x4, 3x3) (Lavin & Gray, Fast Algorithms for Convolutional Neural
// Networks, 2016): Y = A' [(G g G') * (B' d B)] A.
//
// Its points are 0, +-a, +-b and infinity. Symmetric ones share their even and odd parts; how far they are from 1
// decides how errors grow (Barabasz et al., Error Analysis and Improving the Accuracy of Winograd Convolution for
// Deep Neural Networks, 2020): 11/16 and 3/2 were the best of what was tried, half the error of 1 and 2. Their
// squares have few bits.

#define WINOGRAD_A 0.6875f
#define WINOGRAD_B 1.5f

// d to M(x) / (x - p) for each point p, where M(x) = x (x^2 - a^2) (x^2 - b^2).
INLINE void winograd_source_line(const vf *d, vf *to) {
  const float a = WINOGRAD_A, b = WINOGRAD_B, aa = a * a, bb = b * b;
  const vf even_a = FMA_F((vf)-bb, d[2], d[4]), odd_a = FMA_F((vf)-bb, d[1], d[3]);
  const vf even_b = FMA_F((vf)-aa, d[2], d[4]), odd_b = FMA_F((vf)-aa, d[1], d[3]);
  to[0] = FMA_F((vf)(aa * bb), d[0], FMA_F((vf)-(aa + bb), d[2], d[4]));
  to[1] = FMA_F((vf)a, odd_a, even_a);
  to[2] = FMA_F((vf)-a, odd_a, even_a);
  to[3] = FMA_F((vf)b, odd_b, even_b);
  to[4] = FMA_F((vf)-b, odd_b, even_b);
  to[5] = FMA_F((vf)(aa * bb), d[1], FMA_F((vf)-(aa + bb), d[3], d[5]));
}

// g at each point p, divided by the product of p - q over the other points q.
INLINE void winograd_weights_line(const vf *g, vf *to) {
  const float a = WINOGRAD_A, b = WINOGRAD_B, aa = a * a, bb = b * b;
  const float at_a = 1 / (2 * aa * (aa - bb)), at_b = 1 / (2 * bb * (bb - aa));
  const vf even_a = FMA_F((vf)aa, g[2], g[0]), even_b = FMA_F((vf)bb, g[2], g[0]);
  to[0] = g[0] * (1 / (aa * bb));
  to[1] = FMA_F((vf)a, g[1], even_a) * at_a;
  to[2] = FMA_F((vf)-a, g[1], even_a) * at_a;
  to[3] = FMA_F((vf)b, g[1], even_b) * at_b;
  to[4] = FMA_F((vf)-b, g[1], even_b) * at_b;
  to[5] = g[2];
}

// The powers of the points, summed.
INLINE void winograd_result_line(const vf *m, vf *to) {
  const float a = WINOGRAD_A, b = WINOGRAD_B, aa = a * a, bb = b * b;
  const vf even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  to[0] = m[0] + even_a + even_b;
  to[1] = FMA_F((vf)a, odd_a, odd_b * b);
  to[2] = FMA_F((vf)aa, even_a, even_b * bb);
  to[3] = FMA_F((vf)(aa * a), odd_a, FMA_F((vf)(bb * b), odd_b, m[5]));
}

// The transpose of that: y at each point.
INLINE void winograd_spread_line(const vf *y, vf *to) {
  const float a = WINOGRAD_A, b = WINOGRAD_B, aa = a * a, bb = b * b;
  const vf even_a = FMA_F((vf)aa, y[2], y[0]), odd_a = FMA_F((vf)aa, y[3], y[1]);
  const vf even_b = FMA_F((vf)bb, y[2], y[0]), odd_b = FMA_F((vf)bb, y[3], y[1]);
  to[0] = y[0];
  to[1] = FMA_F((vf)a, odd_a, even_a);
  to[2] = FMA_F((vf)-a, odd_a, even_a);
  to[3] = FMA_F((vf)b, odd_b, even_b);
  to[4] = FMA_F((vf)-b, odd_b, even_b);
  to[5] = y[3];
}

// The transpose of that of weights.
INLINE void winograd_gather_line(const vf *m, vf *to) {
  const float a = WINOGRAD_A, b = WINOGRAD_B, aa = a * a, bb = b * b;
  const float at_a = 1 / (2 * aa * (aa - bb)), at_b = 1 / (2 * bb * (bb - aa));
  const vf even_a = (m[1] + m[2]) * at_a, odd_a = (m[1] - m[2]) * at_a;
  const vf even_b = (m[3] + m[4]) * at_b, odd_b = (m[3] - m[4]) * at_b;
  to[0] = FMA_F((vf)(1 / (aa * bb)), m[0], even_a + even_b);
  to[1] = FMA_F((vf)a, odd_a, odd_b * b);
  to[2] = FMA_F((vf)aa, even_a, FMA_F((vf)bb, even_b, m[5]));
}

// Columns first, then rows: `inputs` of each become `outputs`.
#define WINOGRAD_PLANES(name, line, inputs, outputs)                                                               \
  static void name(int64_t count, cj_winograd_planes from, cj_winograd_planes to) {                                \
    for (int64_t at = 0; at < count * (int64_t)sizeof(float); at += sizeof(vf)) {                                  \
      vf half[outputs][inputs];                                                                                    \
      for (int64_t j = 0; j < inputs; j++) {                                                                       \
        vf in[inputs], out[outputs];                                                                               \
        _Pragma("clang loop unroll(full)") for (int64_t i = 0; i < inputs; i++)                                    \
            in[i] = LOAD(vf, from.data + at + i * from.row + j * from.column);                                     \
        line(in, out);                                                                                             \
        _Pragma("clang loop unroll(full)") for (int64_t i = 0; i < outputs; i++) half[i][j] = out[i];              \
      }                                                                                                            \
      for (int64_t i = 0; i < outputs; i++) {                                                                      \
        vf out[outputs];                                                                                           \
        line(half[i], out);                                                                                        \
        _Pragma("clang loop unroll(full)") for (int64_t j = 0; j < outputs; j++)                                   \
            STORE(to.data + at + i * to.row + j * to.column, out[j]);                                              \
      }                                                                                                            \
    }                                                                                                              \
  }

WINOGRAD_PLANES(winograd_source, winograd_source_line, 6, 6)
WINOGRAD_PLANES(winograd_weights, winograd_weights_line, 3, 6)
WINOGRAD_PLANES(winograd_result, winograd_result_line, 6, 4)
WINOGRAD_PLANES(winograd_spread, winograd_spread_line, 4, 6)
WINOGRAD_PLANES(winograd_gather, winograd_gather_line, 6, 3)

static const cj_winograd_kernels winograd_kernels = {winograd_source, winograd_weights, winograd_result,
                                                     winograd_spread, winograd_gather};
