// How operands of matrix products come from memory, included once for each dtype after level_matmul.h, with
//   SOURCE       its type in memory
//   STEP_LENGTH  elements of k in a step
//   STEP_QUAD    16 bytes of steps
//   ALONG(from), ALONG_QUAD(from)  steps that follow each other along k
//   ACROSS(from, stride), ACROSS_QUAD(from, stride)  the step of lines that lie side by side
//   ONE(from), TWO(from, stride)  a step of one element, of one or (STEP_LENGTH 2) two
//   PACK(x)      the names

enum { PACK(quad) = 16 / sizeof(STEP) };

INLINE STEP PACK(step)(const cj_gemm_lines *lines, int64_t line, int64_t step) {
  const SOURCE *from = (const SOURCE *)lines->data + line * lines->line_stride;
  from += step * STEP_LENGTH * lines->depth_stride;
  return (step + 1) * STEP_LENGTH <= lines->depth ? TWO(from, lines->depth_stride) : ONE(from);
}

// out[t] holds element t of each row; rows behind the last repeat it.
INLINE void PACK(transpose)(bool along, const SOURCE *from, int64_t stride, int64_t depth_stride, int64_t last,
                            STEP_VEC *out) {
  enum { QUADS = LEVEL_BYTES / 16, LENGTH = PACK(quad) };
  STEP_VEC rows[LENGTH];
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < LENGTH; i++) {
    STEP_QUAD quads[QUADS];
#pragma clang loop unroll(full)
    for (int64_t q = 0; q < QUADS; q++) {
      const SOURCE *row = from + cj_min64(q * LENGTH + i, last) * stride;
      quads[q] = along ? ALONG_QUAD(row) : ACROSS_QUAD(row, depth_stride);
    }
    rows[i] = JOIN_QUADS(STEP_VEC, quads);
  }
  NAME(gemm_transpose)(rows, out);
}

// ---------------------------------------------------------------- lines of A

INLINE void PACK(copy_line)(const SOURCE *from, int64_t steps, STEP *to) {
  for (int64_t p = 0; p < steps; p += COUNT) {
    const int64_t at = cj_min64(p, steps - COUNT);
    STORE(to + at, ALONG(from + at * STEP_LENGTH));
  }
}

// A vector's worth of steps, whose lines are neighbours, into lines.
INLINE void PACK(pack_steps)(const SOURCE *from, int64_t stride, int64_t count, char *packed, int64_t line_bytes) {
  enum { LENGTH = PACK(quad) };
  for (int64_t l = 0; l < count; l += LENGTH) {
    const int64_t line = cj_min64(l, count - LENGTH);
    STEP_VEC columns[LENGTH];
    PACK(transpose)(false, from + line, STEP_LENGTH * stride, stride, COUNT - 1, columns);
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < LENGTH; i++) STORE(packed + (line + i) * line_bytes, columns[i]);
  }
}

static void PACK(gemm_pack_a)(const cj_gemm_lines *lines, char *packed, int64_t line_bytes) {
  const SOURCE *source = (const SOURCE *)lines->data;
  const int64_t count = lines->lines, steps = lines->depth / STEP_LENGTH;  // whole ones
  int64_t done = 0;
  if (lines->depth_stride == 1 && steps >= COUNT) {
    for (int64_t line = 0; line < count; line++)
      PACK(copy_line)(source + line * lines->line_stride, steps, (STEP *)(packed + line * line_bytes));
    done = steps;
  } else if (lines->line_stride == 1 && steps >= COUNT && count >= PACK(quad)) {
    for (int64_t p = 0; p < steps; p += COUNT) {
      const int64_t step = cj_min64(p, steps - COUNT);
      PACK(pack_steps)(source + step * STEP_LENGTH * lines->depth_stride, lines->depth_stride, count,
                       packed + step * (int64_t)sizeof(STEP), line_bytes);
    }
    done = steps;
  }
  for (int64_t line = 0; line < count; line++)
    for (int64_t p = done; p * STEP_LENGTH < lines->depth; p++)
      ((STEP *)(packed + line * line_bytes))[p] = PACK(step)(lines, line, p);
}

// ---------------------------------------------------------------- panels of B

// A vector's worth of lines along memory into columns of a panel.
INLINE void PACK(pack_columns)(const SOURCE *from, int64_t stride, int64_t last, int64_t steps, STEP *to) {
  enum { LENGTH = PACK(quad) };
  for (int64_t p = 0; p < steps; p += LENGTH) {
    const int64_t at = cj_min64(p, steps - LENGTH);
    STEP_VEC columns[LENGTH];
    PACK(transpose)(true, from + at * STEP_LENGTH, stride, 1, last, columns);
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < LENGTH; i++) STORE(to + (at + i) * WIDTH, columns[i]);
  }
}

// Steps whose whole width can be read, beyond the edge too.
INLINE int64_t PACK(readable_steps)(const cj_gemm_lines *lines, int64_t steps) {
  const int64_t row = (lines->readable - WIDTH) / lines->depth_stride;  // the last that can
  return lines->readable < WIDTH ? 0 : cj_min64(steps, (row + 1) / STEP_LENGTH);
}

static void PACK(gemm_pack_b)(const cj_gemm_lines *lines, char *packed_) {
  const SOURCE *source = (const SOURCE *)lines->data;
  const int64_t count = lines->lines, steps = lines->depth / STEP_LENGTH, stride = lines->depth_stride;
  STEP *packed = (STEP *)packed_;
  int64_t done = 0;
  if (lines->line_stride == 1) {
    done = PACK(readable_steps)(lines, steps);
    for (int64_t p = 0; p < done; p++)
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < WIDTH; j += COUNT)
        STORE(packed + p * WIDTH + j, ACROSS(source + p * STEP_LENGTH * stride + j, stride));
  } else if (steps >= PACK(quad)) {
    for (int64_t line = 0; line < count; line += COUNT) {
      const SOURCE *from = source + line * lines->line_stride;
      if (line + COUNT <= count) PACK(pack_columns)(from, lines->line_stride, COUNT - 1, steps, packed + line);
      else PACK(pack_columns)(from, lines->line_stride, count - 1 - line, steps, packed + line);
    }
    done = steps;
  }
  for (int64_t p = done; p * STEP_LENGTH < lines->depth; p++)
    for (int64_t j = 0; j < count; j++) packed[p * WIDTH + j] = PACK(step)(lines, j, p);
}

// ---------------------------------------------------------------- few rows

// `steps` steps of `height` rows and ROWS_VECTORS vectors of columns.
INLINE void PACK(rows_tile)(int64_t height, int64_t steps, const char *a, int64_t a_line, const SOURCE *b,
                            int64_t b_stride, char *sums_, int64_t sums_line, bool accumulate) {
  VEC sums[ROWS_HEIGHT][ROWS_VECTORS];
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++) {
#pragma clang loop unroll(full)
    for (int64_t j = 0; j < ROWS_VECTORS; j++)
      sums[i][j] = accumulate ? LOAD(VEC, sums_ + i * sums_line + j * sizeof(VEC)) : (VEC)(LANE)0;
  }
#pragma clang loop unroll_count(8)
  for (int64_t p = 0; p < steps; p++, a += sizeof(STEP), b += STEP_LENGTH * b_stride) {
    STEP_VEC right[ROWS_VECTORS];
#pragma clang loop unroll(full)
    for (int64_t j = 0; j < ROWS_VECTORS; j++) right[j] = ACROSS(b + j * COUNT, b_stride);
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < height; i++) {
      const STEP_VEC left = (STEP_VEC)LOAD(STEP, a + i * a_line);
#pragma clang loop unroll(full)
      for (int64_t j = 0; j < ROWS_VECTORS; j++) sums[i][j] = MULTIPLY_ADD(left, right[j], sums[i][j]);
    }
  }
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++) {
#pragma clang loop unroll(full)
    for (int64_t j = 0; j < ROWS_VECTORS; j++) STORE(sums_ + i * sums_line + j * sizeof(VEC), sums[i][j]);
  }
}

#define ROWS_TILE(height)                                                                                     \
  PACK(rows_tile)(height, steps, a, part->a_line, b, b_stride, sums + j * (int64_t)sizeof(LANE), part->sums_line, \
                  first > 0)

// Rows from `row` on, as many as a tile has, at `steps` steps from `first` on, over all columns.
INLINE void PACK(rows_steps)(const cj_gemm_rows *part, int64_t row, int64_t first, int64_t steps) {
  enum { columns = ROWS_VECTORS * COUNT };
  const int64_t depth = cj_min64(steps * STEP_LENGTH, part->depth - first * STEP_LENGTH);
  const int64_t rows = cj_min64(ROWS_HEIGHT, part->rows - row), tiles = cj_ceil_div(part->rows, ROWS_HEIGHT);
  const char *a = part->a + row * part->a_line + first * (int64_t)sizeof(STEP);
  char *sums = part->sums + row * part->sums_line;
  for (int64_t j = 0; j < part->columns; j += columns) {
    const int64_t at = first * STEP_LENGTH * part->b_stride + j;
    const SOURCE *b = (const SOURCE *)part->b + at;
    int64_t b_stride = part->b_stride;
    // The steps after these come into the second-level cache meanwhile.
    for (int64_t p = row / ROWS_HEIGHT; p < depth; p += tiles) __builtin_prefetch(b + (depth + p) * b_stride, 0, 2);
    SOURCE edge[ROWS_STEPS * STEP_LENGTH * columns];
    if (depth < steps * STEP_LENGTH || at + (depth - 1) * b_stride + columns > part->readable) {
      memset(edge, 0, (size_t)(steps * STEP_LENGTH * columns) * sizeof(SOURCE));
      for (int64_t p = 0; p < depth; p++)
        memcpy(edge + p * columns, b + p * b_stride, (size_t)cj_min64(columns, part->columns - j) * sizeof(SOURCE));
      b = edge;
      b_stride = columns;
    }
    if (rows == 1) ROWS_TILE(1);
    else if (rows == 2) ROWS_TILE(2);
    else if (rows == 3) ROWS_TILE(3);
    else ROWS_TILE(4);
  }
}

// From a step on, over all columns.
static __attribute__((noinline)) void PACK(rows_from)(const cj_gemm_rows *part, int64_t first) {
  const int64_t steps = cj_ceil_div(part->depth, STEP_LENGTH), whole = part->depth / STEP_LENGTH;
  int64_t p = first;
  for (; p + ROWS_STEPS <= whole; p += ROWS_STEPS)
    for (int64_t row = 0; row < part->rows; row += ROWS_HEIGHT) PACK(rows_steps)(part, row, p, ROWS_STEPS);
  for (int64_t row = 0; p < steps && row < part->rows; row += ROWS_HEIGHT) PACK(rows_steps)(part, row, p, steps - p);
}

// `height` rows from `row` on meet `steps` steps along memory: A stays in registers, sums come and go. Memory is as
// fast as that only where it is asked for the next steps meanwhile.
INLINE void PACK(rows_pass)(int64_t height, int64_t steps, bool fetches, const cj_gemm_rows *part, int64_t row,
                            int64_t first, int64_t columns) {
  enum { PIECE = 64 / sizeof(SOURCE) };
  const int64_t sums_line = part->sums_line, b_stride = part->b_stride, b_step = STEP_LENGTH * b_stride;
  const char *a = part->a + row * part->a_line + first * (int64_t)sizeof(STEP);
  char *sums_ = part->sums + row * sums_line;
  STEP_VEC left[ROWS_HEIGHT][ROW_STEPS];
#pragma clang loop unroll(full)
  for (int64_t i = 0; i < height; i++)
#pragma clang loop unroll(full)
    for (int64_t p = 0; p < steps; p++)
      left[i][p] = (STEP_VEC)LOAD(STEP, a + i * part->a_line + p * (int64_t)sizeof(STEP));
  const SOURCE *b = (const SOURCE *)part->b + first * b_step;
#pragma clang loop unroll_count(2)
  for (int64_t j = 0; j < columns; j += COUNT) {
    LANE *to = (LANE *)sums_ + j;
    if (fetches && j % PIECE == 0)
#pragma clang loop unroll(full)
      for (int64_t p = steps * STEP_LENGTH; p < 2 * steps * STEP_LENGTH; p++)
        __builtin_prefetch(b + p * b_stride + j, 0, 2);
    VEC sums[ROWS_HEIGHT];
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < height; i++) sums[i] = LOAD(VEC, (char *)to + i * sums_line);
#pragma clang loop unroll(full)
    for (int64_t p = 0; p < steps; p++) {
      const STEP_VEC right = ACROSS(b + p * b_step + j, b_stride);
#pragma clang loop unroll(full)
      for (int64_t i = 0; i < height; i++) sums[i] = MULTIPLY_ADD(left[i][p], right, sums[i]);
    }
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < height; i++) STORE((char *)to + i * sums_line, sums[i]);
  }
}

INLINE void PACK(rows_passes)(bool fetches, const cj_gemm_rows *part, int64_t row, int64_t first, int64_t end,
                              int64_t columns) {
  for (int64_t p = first; p < end; p += PASS_STEPS) {
    switch (part->rows - row) {
      case 1: PACK(rows_pass)(1, PASS_STEPS, fetches, part, row, p, columns); break;
      case 2: PACK(rows_pass)(2, PASS_STEPS, fetches, part, row, p, columns); break;
      case 3: PACK(rows_pass)(3, PASS_STEPS, fetches, part, row, p, columns); break;
      default: PACK(rows_pass)(ROWS_HEIGHT, PASS_STEPS, fetches, part, row, p, columns);
    }
  }
}

// The steps and columns that fill vectors by passes, the others by tiles.
static void PACK(rows_along)(const cj_gemm_rows *part) {
  const int64_t unit = part->rows == 1 ? ROW_STEPS : PASS_STEPS, columns = part->columns / COUNT * COUNT;
  const int64_t whole = part->depth / STEP_LENGTH / unit * unit;
  for (int64_t row = 0; row < part->rows; row++)
    memset(part->sums + row * part->sums_line, 0, (size_t)columns * sizeof(LANE));
  for (int64_t first = 0; first < whole; first += ROWS_STEPS) {
    const int64_t end = cj_min64(first + ROWS_STEPS, whole);
    for (int64_t p = first; part->rows == 1 && p < end; p += ROW_STEPS)
      PACK(rows_pass)(1, ROW_STEPS, true, part, 0, p, columns);
    if (part->rows > 1) PACK(rows_passes)(true, part, 0, first, end, columns);
    for (int64_t row = ROWS_HEIGHT; row < part->rows; row += ROWS_HEIGHT)
      PACK(rows_passes)(false, part, row, first, end, columns);
  }
  cj_gemm_rows rest = *part;
  rest.columns = columns;
  PACK(rows_from)(&rest, whole);
  rest.columns = part->columns - columns;
  rest.b += columns * (int64_t)sizeof(SOURCE);
  rest.readable -= columns;
  rest.sums += columns * (int64_t)sizeof(LANE);
  PACK(rows_from)(&rest, 0);
}

static void PACK(gemm_multiply_rows)(const cj_gemm_rows *part) {
  // A tile's steps of B serve more rows than it has from the cache, unless they displace each other there.
  const bool collides = part->b_stride * (int64_t)sizeof(SOURCE) % 4096 == 0;
  const bool along = part->rows == 1 || (part->from_memory && (part->rows <= ROWS_HEIGHT || collides));
  if (along) PACK(rows_along)(part);
  else PACK(rows_from)(part, 0);
}

static const cj_gemm_kernels PACK(gemm_kernels) = {
    .width = WIDTH,
    .lanes = COUNT,
    .step = STEP_LENGTH,
    .step_bytes = sizeof(STEP),
    .reads_in_place = sizeof(SOURCE) * STEP_LENGTH == sizeof(STEP),
    .multiply = NAME(gemm_multiply),
    .multiply_rows = PACK(gemm_multiply_rows),
    .multiply_window = NAME(gemm_multiply_window),
    .multiply_dots = NAME(gemm_multiply_dots),
    .multiply_line = NAME(gemm_multiply_line),
    .multiply_positions = NAME(gemm_multiply_positions),
    .pack_a = PACK(gemm_pack_a),
    .pack_b = PACK(gemm_pack_b),
};

#undef ROWS_TILE
#undef SOURCE
#undef STEP_LENGTH
#undef STEP_QUAD
#undef ALONG
#undef ALONG_QUAD
#undef ACROSS
#undef ACROSS_QUAD
#undef ONE
#undef TWO
#undef PACK
