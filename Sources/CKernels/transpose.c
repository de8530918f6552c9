// Transposes of blocks, in registers: 16 bytes of each of 16 / size rows are
// zipped until they are columns. Plain 128-bit vectors, which every level has.

#include "internal.h"

typedef uint8_t v1 __attribute__((ext_vector_type(16)));
typedef uint16_t v2 __attribute__((ext_vector_type(8)));
typedef uint32_t v4 __attribute__((ext_vector_type(4)));
typedef uint64_t v8 __attribute__((ext_vector_type(2)));

#define ZIP_1(a, b, low) \
  (low ? __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23) \
       : __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))
#define ZIP_2(a, b, low)                                          \
  (low ? __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)  \
       : __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15))
#define ZIP_4(a, b, low) \
  (low ? __builtin_shufflevector(a, b, 0, 4, 1, 5) : __builtin_shufflevector(a, b, 2, 6, 3, 7))
#define ZIP_8(a, b, low) \
  (low ? __builtin_shufflevector(a, b, 0, 2) : __builtin_shufflevector(a, b, 1, 3))

// SIDE rows of SIDE elements. A pass puts row i + SIDE / 2 between the elements
// of row i; log2(SIDE) passes transpose.
#define TRANSPOSE_SQUARE(name, V, SIDE, PASSES, ZIP)                                        \
  static inline void name(const char *src, int64_t src_row, char *dst, int64_t dst_row) {   \
    V rows[SIDE], zipped[SIDE];                                                             \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < SIDE; i++)                       \
        __builtin_memcpy(&rows[i], src + i * src_row, 16);                                  \
    _Pragma("clang loop unroll(full)") for (int pass = 0; pass < PASSES; pass++) {          \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < SIDE / 2; i++) {               \
        zipped[2 * i] = ZIP(rows[i], rows[i + SIDE / 2], true);                             \
        zipped[2 * i + 1] = ZIP(rows[i], rows[i + SIDE / 2], false);                        \
      }                                                                                     \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < SIDE; i++) rows[i] = zipped[i]; \
    }                                                                                       \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < SIDE; i++)                       \
        __builtin_memcpy(dst + i * dst_row, &rows[i], 16);                                  \
  }

TRANSPOSE_SQUARE(square_1, v1, 16, 4, ZIP_1)
TRANSPOSE_SQUARE(square_2, v2, 8, 3, ZIP_2)
TRANSPOSE_SQUARE(square_4, v4, 4, 2, ZIP_4)
TRANSPOSE_SQUARE(square_8, v8, 2, 1, ZIP_8)

// A line of the destination at a time (64 bytes: LINE squares side by side), so
// that each is written whole even if the rows collide in the cache. The last
// squares of a block whose sides are no multiples overlap those before.
#define TRANSPOSE(T, SIDE, square)                                                          \
  {                                                                                         \
    enum { LINE = 4 * SIDE };                                                               \
    if (rows < SIDE || columns < SIDE) {                                                    \
      for (int64_t r = 0; r < rows; r++)                                                    \
        for (int64_t c = 0; c < columns; c++)                                               \
          *(T *)(dst + r * dst_row + c * (int64_t)sizeof(T)) =                              \
              *(const T *)(src + c * src_row + r * (int64_t)sizeof(T));                     \
      break;                                                                                \
    }                                                                                       \
    for (int64_t left = 0; left < columns; left += LINE) {                                  \
      const int64_t right = cj_min64(columns, left + LINE);                                 \
      for (int64_t down = 0; down < rows; down += SIDE) {                                   \
        const int64_t r = cj_min64(down, rows - SIDE);                                      \
        for (int64_t along = left; along < right; along += SIDE) {                          \
          const int64_t c = cj_min64(along, columns - SIDE);                                \
          square(src + c * src_row + r * (int64_t)sizeof(T), src_row,                       \
                 dst + r * dst_row + c * (int64_t)sizeof(T), dst_row);                      \
        }                                                                                   \
      }                                                                                     \
    }                                                                                       \
    break;                                                                                  \
  }

void cj_transpose_block(int32_t bytes, int64_t rows, int64_t columns, const char *src,
                        int64_t src_row, char *dst, int64_t dst_row) {
  switch (bytes) {
    case 1: TRANSPOSE(uint8_t, 16, square_1)
    case 2: TRANSPOSE(uint16_t, 8, square_2)
    case 4: TRANSPOSE(uint32_t, 4, square_4)
    default: TRANSPOSE(uint64_t, 2, square_8)
  }
}
