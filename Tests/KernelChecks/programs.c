// Tile programs and reductions.

#include "checks.h"

#include <math.h>
#include <stdlib.h>

// `rows` x `columns` at `slot`, contiguous; a row's value where extent is CJ_ROW.
static cj_access dense(int32_t slot, cj_dtype dtype, uint16_t reg, cj_extent extent, int64_t columns) {
  cj_access access = {.slot = slot, .dtype = (uint8_t)dtype, .extent = (uint8_t)extent, .reg = reg};
  access.strides[0] = extent == CJ_ROW ? 1 : columns;
  access.strides[1] = extent == CJ_ROW ? 0 : 1;
  return access;
}

static void run(const cj_group *group, void *const *slots) {
  const int64_t bytes = cj_group_workspace(group);
  void *workspace = bytes > 0 ? cj_allocate(bytes) : NULL;
  cj_group_run(group, slots, workspace, NULL);
  if (workspace) cj_free(workspace, bytes);
}

// ---------------------------------------------------------------- one instruction

static double add(double a, double b) { return a + b; }
static double subtract(double a, double b) { return a - b; }
static double multiply(double a, double b) { return a * b; }
static double divide(double a, double b) { return a / b; }
static double maximum(double a, double b) { return a > b ? a : b; }
static double minimum(double a, double b) { return a < b ? a : b; }
static double negate(double a, double b) { return (void)b, -a; }
static double absolute(double a, double b) { return (void)b, fabs(a); }
static double root(double a, double b) { return (void)b, sqrt(a); }
static double down(double a, double b) { return (void)b, floor(a); }
static double up(double a, double b) { return (void)b, ceil(a); }
static double even(double a, double b) { return (void)b, nearbyint(a); }

// float64 holds enough to round each of these to the other dtypes as if it were exact.
static const struct {
  const char *name;
  cj_opcode op;
  double (*exact)(double, double);
} operations[] = {
    {"add", CJ_ADD, add},           {"subtract", CJ_SUBTRACT, subtract}, {"multiply", CJ_MULTIPLY, multiply},
    {"divide", CJ_DIVIDE, divide},  {"maximum", CJ_MAXIMUM, maximum},    {"minimum", CJ_MINIMUM, minimum},
    {"negate", CJ_NEGATE, negate},  {"abs", CJ_ABS, absolute},           {"sqrt", CJ_SQRT, root},
    {"floor", CJ_FLOOR, down},      {"ceil", CJ_CEIL, up},               {"round", CJ_ROUND_EVEN, even},
};

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

void check_elements(void) {
  enum { ROWS = 3, COLUMNS = 77, COUNT = ROWS * COLUMNS };
  static const cj_dtype dtypes[] = {CJ_FLOAT16, CJ_BFLOAT16, CJ_FLOAT32, CJ_FLOAT64};
  for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++) {
    const cj_dtype dtype = dtypes[t];
    double a[COUNT], b[COUNT], out[COUNT], expected[COUNT];  // room for any dtype
    for (int64_t i = 0; i < COUNT; i++) set(dtype, a, i, draw() * 8), set(dtype, b, i, draw() * 8);
    for (size_t o = 0; o < sizeof operations / sizeof *operations; o++) {
      const cj_access loads[] = {dense(0, dtype, 0, CJ_FULL, COLUMNS), dense(1, dtype, 1, CJ_FULL, COLUMNS)};
      const cj_access store = dense(2, dtype, 2, CJ_FULL, COLUMNS);
      const cj_instruction instruction = {
          .op = (uint8_t)operations[o].op, .type = (uint8_t)cj_dtype_type(dtype), .dst = 2, .a = 0, .b = 1};
      const cj_group group = {2, {ROWS, COLUMNS}, 2, 1, 1, 3, loads, &store, &instruction, 0, NULL};
      run(&group, (void *const[]){a, b, out});
      for (int64_t i = 0; i < COUNT; i++) {
        set(dtype, expected, i, operations[o].exact(get(dtype, a, i), get(dtype, b, i)));
        expect(same(get(dtype, out, i), get(dtype, expected, i)), "%s %s of %g and %g: %g, not %g", dtype_name(dtype),
               operations[o].name, get(dtype, a, i), get(dtype, b, i), get(dtype, out, i), get(dtype, expected, i));
      }
    }
  }
}

// ---------------------------------------------------------------- chains of instructions

static void expect_bits(int64_t count, const float *out, const float *expected) {
  for (int64_t i = 0; i < count; i++)
    expect(memcmp(&out[i], &expected[i], 4) == 0 || (isnan(out[i]) && isnan(expected[i])),
           "chain of %lld: %g, not %g at %lld", (long long)count, out[i], expected[i], (long long)i);
}

// Most instructions read what the one before has made, beside the inputs, a constant and what others made; two are
// stored, one perhaps over an input: the group must have the bits that each instruction has by itself.
static void check_chain(int64_t count) {
  enum { A, B, CONSTANT, FIRST, LENGTH = 12, REGISTERS = FIRST + LENGTH };
  static const uint8_t ops[] = {CJ_ADD,     CJ_SUBTRACT, CJ_MULTIPLY, CJ_DIVIDE, CJ_MULTIPLY_ADD, CJ_FLOOR_DIVIDE,
                                CJ_MAXIMUM, CJ_MINIMUM,  CJ_NEGATE,   CJ_ABS,    CJ_SIGN,         CJ_SQRT,
                                CJ_RSQRT,   CJ_FLOOR,    CJ_CEIL,     CJ_ROUND_EVEN, CJ_TANH, CJ_EXP, CJ_SIGMOID};
  float *values[REGISTERS], *out = cj_allocate(count * 4), *a = cj_allocate(count * 4), *b = cj_allocate(count * 4);
  for (int i = 0; i < REGISTERS; i++) values[i] = cj_allocate(count * 4);
  for (int64_t i = 0; i < count; i++)
    values[A][i] = (float)(draw() * 4), values[B][i] = (float)draw() * 4, values[CONSTANT][i] = 1.5f;
  cj_instruction program[LENGTH + 1] = {
      {.op = CJ_CONSTANT, .type = CJ_F32, .dst = CONSTANT, .immediate = 0x3fc00000}};  // 1.5
  for (uint16_t i = 0; i < LENGTH; i++) {
    const uint16_t dst = FIRST + i, last = i > 0 ? dst - 1 : A;
    uint16_t operands[3];
    for (int j = 0; j < 3; j++) operands[j] = draw_below(2) == 0 ? last : (uint16_t)draw_below(dst);
    if (draw_below(8) > 0) operands[draw_below(3)] = last;
    program[i + 1] = (cj_instruction){.op = ops[draw_below((int64_t)sizeof ops)], .type = CJ_F32, .dst = dst,
                                      .a = operands[0], .b = operands[1], .c = operands[2]};
    const cj_access one[] = {dense(0, CJ_FLOAT32, 0, CJ_FULL, 0), dense(1, CJ_FLOAT32, 1, CJ_FULL, 0),
                             dense(2, CJ_FLOAT32, 2, CJ_FULL, 0), dense(3, CJ_FLOAT32, 3, CJ_FULL, 0)};
    const cj_instruction alone = {.op = program[i + 1].op, .type = CJ_F32, .dst = 3, .a = 0, .b = 1, .c = 2};
    const cj_group each = {2, {1, count}, 3, 1, 1, 4, one, one + 3, &alone, 0, NULL};
    run(&each, (void *const[]){values[operands[0]], values[operands[1]], values[operands[2]], values[dst]});
  }
  const cj_access loads[] = {dense(0, CJ_FLOAT32, A, CJ_FULL, 0), dense(1, CJ_FLOAT32, B, CJ_FULL, 0)};
  const uint16_t kept = FIRST + (uint16_t)draw_below(LENGTH - 1);
  const int32_t slot = (int32_t)draw_below(2);
  const cj_access stores[] = {dense(slot, CJ_FLOAT32, kept, CJ_FULL, 0),
                              dense(2, CJ_FLOAT32, REGISTERS - 1, CJ_FULL, 0)};
  const cj_group group = {2, {1, count}, 2, 2, LENGTH + 1, REGISTERS, loads, stores, program, 0, NULL};
  memcpy(a, values[A], (size_t)count * 4);
  memcpy(b, values[B], (size_t)count * 4);
  run(&group, (void *const[]){a, b, out});
  expect_bits(count, slot == 0 ? a : b, values[kept]);
  expect_bits(count, out, values[REGISTERS - 1]);
  for (int i = 0; i < REGISTERS; i++) cj_free(values[i], count * 4);
  cj_free(out, count * 4);
  cj_free(a, count * 4);
  cj_free(b, count * 4);
}

void check_chains(void) {
  for (int64_t i = 0; i < 2000; i++) check_chain(1 + draw_below(300));
  for (int64_t i = 0; i < 20; i++) check_chain(4000 + draw_below(30000));
  check_chain(5 << 20);  // past the caches
}

// ---------------------------------------------------------------- groups by rows

// Softmax of each row, and the sum of each column of it.
static void check_softmax(int64_t rows, int64_t columns) {
  enum { X, LARGEST, LARGEST_EVERYWHERE, SHIFTED, EXP, TOTAL, TOTAL_EVERYWHERE, Y, REGISTERS };
  const int64_t count = rows * columns;
  float *x = malloc((size_t)count * 4), *y = malloc((size_t)count * 4), *sums = malloc((size_t)columns * 4);
  for (int64_t i = 0; i < count; i++) x[i] = (float)(draw() * 10);
  const cj_access load = dense(0, CJ_FLOAT32, X, CJ_FULL, columns), store = dense(1, CJ_FLOAT32, Y, CJ_FULL, columns);
  const cj_instruction instructions[] = {
      {.op = CJ_REDUCE, .aux = CJ_MAX, .extent = CJ_ROW, .dst = LARGEST, .a = X},
      {.op = CJ_BROADCAST, .dst = LARGEST_EVERYWHERE, .a = LARGEST},
      {.op = CJ_SUBTRACT, .dst = SHIFTED, .a = X, .b = LARGEST_EVERYWHERE},
      {.op = CJ_EXP, .dst = EXP, .a = SHIFTED},
      {.op = CJ_REDUCE, .aux = CJ_SUM, .extent = CJ_ROW, .dst = TOTAL, .a = EXP},
      {.op = CJ_BROADCAST, .dst = TOTAL_EVERYWHERE, .a = TOTAL},
      {.op = CJ_DIVIDE, .dst = Y, .a = EXP, .b = TOTAL_EVERYWHERE},
  };
  const cj_fold fold = {.slot = 2, .reg = Y, .op = CJ_SUM, .dtype = CJ_FLOAT32};
  const cj_group group = {2,     {rows, columns}, 1, 1, sizeof instructions / sizeof *instructions, REGISTERS, &load,
                          &store, instructions,    1, &fold};
  run(&group, (void *const[]){x, y, sums});

  double *column_sums = calloc((size_t)columns, sizeof *column_sums);
  for (int64_t r = 0; r < rows; r++) {
    double total = 0;
    for (int64_t c = 0; c < columns; c++) total += exp(x[r * columns + c]);
    for (int64_t c = 0; c < columns; c++) {
      const double exact = exp(x[r * columns + c]) / total;
      column_sums[c] += exact;
      expect(fabs(y[r * columns + c] - exact) <= 2e-6 * exact, "softmax %lldx%lld", (long long)rows,
             (long long)columns);
    }
  }
  for (int64_t c = 0; c < columns; c++)
    expect(fabs(sums[c] - column_sums[c]) <= 4e-6 * column_sums[c], "sums of softmax %lldx%lld", (long long)rows,
           (long long)columns);
  free(x), free(y), free(sums), free(column_sums);
}

void check_rows(void) {
  static const int64_t shapes[][2] = {{1, 5}, {7, 2}, {40, 31}, {33, 32}, {300, 10}, {5, 1024}, {3, 1500}, {200, 130}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) check_softmax(shapes[s][0], shapes[s][1]);
}

// ---------------------------------------------------------------- reductions

static double reduced(cj_reduction op, double a, double b) {
  return op == CJ_SUM ? a + b : op == CJ_PRODUCT ? a * b : op == CJ_MAX ? maximum(a, b) : minimum(a, b);
}

static void check_reduction(cj_reduction op, cj_dtype dtype, int64_t outer, int64_t n, int64_t inner) {
  const bool integers = dtype == CJ_INT32 || dtype == CJ_INT64;
  const cj_dtype out_dtype = integers && op <= CJ_PRODUCT ? CJ_INT64 : dtype;
  const double rounding = dtype == CJ_FLOAT16 ? 0x1p-11 : dtype == CJ_BFLOAT16 ? 0x1p-8 : 0;
  void *in = malloc((size_t)(outer * n * inner * 8)), *out = malloc((size_t)(outer * inner * 8));
  for (int64_t i = 0; i < outer * n * inner; i++)
    set(dtype, in, i, integers ? (double)(draw_below(7) - 3) : op == CJ_PRODUCT ? 1 + draw() / 50 : draw());
  const int64_t bytes = cj_reduce_workspace(op, dtype, outer, n, inner);
  void *workspace = bytes > 0 ? cj_allocate(bytes) : NULL;
  cj_reduce(op, dtype, outer, n, inner, in, out, workspace);
  if (workspace) cj_free(workspace, bytes);
  for (int64_t o = 0; o < outer * inner; o++) {
    const int64_t first = o / inner * n * inner + o % inner;
    double exact = get(dtype, in, first), size = fabs(exact);
    for (int64_t i = 1; i < n; i++) {
      const double value = get(dtype, in, first + i * inner);
      exact = reduced(op, exact, value);
      size = op == CJ_PRODUCT ? fabs(exact) * (double)n : size + fabs(value);
    }
    const double error = fabs(get(out_dtype, out, o) - exact);
    const double allowed = op > CJ_PRODUCT || integers ? 0 : (dtype == CJ_FLOAT64 ? 1e-14 : 1e-6) * size;
    expect(error <= allowed + rounding * fabs(exact), "%s reduction %d of [%lld, %lld, %lld]: off by %g",
           dtype_name(dtype), op, (long long)outer, (long long)n, (long long)inner, error);
  }
  free(in), free(out);
}

void check_reductions(void) {
  static const int64_t shapes[][3] = {{1, 1, 1},  {3, 5, 1},  {7, 32, 1},   {2, 1000, 1}, {1, 9000, 1},
                                      {1, 5, 3},  {4, 40, 33}, {1, 700, 17}, {2, 65, 200}};
  static const cj_dtype dtypes[] = {CJ_INT32, CJ_INT64, CJ_FLOAT16, CJ_BFLOAT16, CJ_FLOAT32, CJ_FLOAT64};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++)
      for (cj_reduction op = CJ_SUM; op <= CJ_MIN; op++) {
        if (op == CJ_PRODUCT && dtypes[t] <= CJ_INT64) continue;  // wraps, which float64 does not
        check_reduction(op, dtypes[t], shapes[s][0], shapes[s][1], shapes[s][2]);
      }
}
