// Matrix products in every transposition and dtype.

#include "checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// A B that is packed once gives the same bits, whatever the layout.
static void check_packed(cj_product p, const void *a, const void *b, const void *c) {
  const int64_t packed_bytes = cj_packed_b_bytes(&p);
  if (packed_bytes == 0) return;
  void *packed = aligned_alloc(64, (size_t)((packed_bytes + 63) / 64 * 64));
  const size_t bytes = (size_t)(p.batch * p.m * p.n * cj_dtype_bytes(p.dtype));
  void *again = malloc(bytes);
  cj_pack_b(&p, b, packed);
  p.packed_b = packed;
  cj_matmul(&p, a, b, again, NULL, NULL);
  expect(memcmp(c, again, bytes) == 0, "%s %lldx%lldx%lld: other bits with B packed once", dtype_name(p.dtype),
         (long long)p.m, (long long)p.n, (long long)p.k);
  free(packed), free(again);
}

static void check_product(cj_product p) {
  const bool integers = p.dtype == CJ_INT32 || p.dtype == CJ_INT64;
  const int64_t a_count = p.batch * p.a_batch, b_count = p.batch * p.b_batch, count = p.batch * p.m * p.n;
  void *a = malloc((size_t)(a_count * 8)), *b = malloc((size_t)(b_count * 8)), *c = malloc((size_t)(count * 8));
  for (int64_t i = 0; i < a_count; i++) set(p.dtype, a, i, integers ? (double)(draw_below(2000) - 1000) : draw());
  for (int64_t i = 0; i < b_count; i++) set(p.dtype, b, i, integers ? (double)(draw_below(2000) - 1000) : draw());
  cj_matmul(&p, a, b, c, NULL, NULL);
  const double relative = integers ? 0 : p.dtype == CJ_FLOAT64 ? 1e-14 : 1e-6;
  const double rounding = p.dtype == CJ_FLOAT16 ? 0x1p-11 : p.dtype == CJ_BFLOAT16 ? 0x1p-8 : 0;
  for (int64_t at = 0; at < count; at += 1 + draw_below(8)) {
    const int64_t z = at / (p.m * p.n), i = at / p.n % p.m, j = at % p.n;
    double exact = 0, size = 0;
    for (int64_t l = 0; l < p.k; l++) {
      const double left = get(p.dtype, a, z * p.a_batch + (p.a_transposed ? l * p.lda + i : i * p.lda + l));
      const double right = get(p.dtype, b, z * p.b_batch + (p.b_transposed ? j * p.ldb + l : l * p.ldb + j));
      exact += left * right;
      size += fabs(left * right);
    }
    const double error = fabs(get(p.dtype, c, at) - exact);
    expect(error <= relative * size + rounding * fabs(exact) + (rounding > 0 ? 1e-7 : 0),
           "%s %lldx%lldx%lld of %lld, %s %s: off by %g", dtype_name(p.dtype), (long long)p.m, (long long)p.n,
           (long long)p.k, (long long)p.batch, p.a_transposed ? "A^T" : "A", p.b_transposed ? "B^T" : "B", error);
  }
  check_packed(p, a, b, c);
  free(a), free(b), free(c);
}

// Few rows of A and a B that comes from memory go another way, by which no bit may differ.
static void check_few_rows(cj_dtype dtype, int64_t k, int64_t n) {
  enum { MANY = 64 };
  cj_product p = {.dtype = dtype, .batch = 1, .m = MANY, .n = n, .k = k, .lda = k, .ldb = n};
  const size_t bytes = (size_t)cj_dtype_bytes(dtype);
  void *a = malloc((size_t)(MANY * k) * bytes), *b = malloc((size_t)(k * n) * bytes);
  char *many = malloc((size_t)(MANY * n) * bytes), *few = malloc((size_t)(8 * n) * bytes);
  for (int64_t i = 0; i < MANY * k; i++) set(dtype, a, i, draw());
  for (int64_t i = 0; i < k * n; i++) set(dtype, b, i, draw());
  cj_matmul(&p, a, b, many, NULL, NULL);
  for (p.m = 1; p.m <= 8; p.m++) {
    cj_matmul(&p, a, b, few, NULL, NULL);
    for (int64_t i = 0; i < p.m; i++)
      expect(memcmp(few + (size_t)(i * n) * bytes, many + (size_t)(i * n) * bytes, (size_t)n * bytes) == 0,
             "%s %lldx%lldx%lld: row %lld is not that of a product of %d rows", dtype_name(dtype), (long long)p.m,
             (long long)k, (long long)n, (long long)i, MANY);
  }
  free(a), free(b), free(many), free(few);
}

void check_products(void) {
  static const cj_dtype floats[] = {CJ_FLOAT16, CJ_BFLOAT16, CJ_FLOAT32, CJ_FLOAT64};
  for (size_t t = 0; t < sizeof floats / sizeof *floats; t++) {
    check_few_rows(floats[t], 1044, 4096);  // whose rows displace each other in the cache
    check_few_rows(floats[t], 1043, 4109);
  }
  static const int64_t shapes[][4] = {{1, 1, 1, 1},     {1, 5, 7, 3},      {1, 1, 130, 97},  {1, 1, 5, 300},
                                      {1, 64, 64, 64},  {3, 33, 17, 31},   {1, 130, 70, 90}, {1, 33, 300, 700},
                                      {1, 200, 1, 40},  {1, 40, 321, 13}};
  static const cj_dtype dtypes[] = {CJ_INT32, CJ_INT64, CJ_FLOAT16, CJ_BFLOAT16, CJ_FLOAT32, CJ_FLOAT64};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (size_t t = 0; t < sizeof dtypes / sizeof *dtypes; t++)
      for (int transposed = 0; transposed < 4; transposed++) {
        cj_product p = {.dtype = dtypes[t], .batch = shapes[s][0], .m = shapes[s][1], .n = shapes[s][2],
                        .k = shapes[s][3], .a_transposed = transposed & 1, .b_transposed = transposed >> 1};
        const int64_t padding = draw_below(4);
        p.lda = (p.a_transposed ? p.m : p.k) + padding;
        p.ldb = (p.b_transposed ? p.k : p.n) + padding;
        p.a_batch = p.lda * (p.a_transposed ? p.k : p.m);
        p.b_batch = p.ldb * (p.b_transposed ? p.n : p.k);
        check_product(p);
      }
}
