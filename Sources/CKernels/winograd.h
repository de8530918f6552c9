// Winograd's convolution F(4x4, 3x3): what it asks of a SIMD level. float32, whole vectors: rows of what is written
// have room for CJ_WINOGRAD_OVERHANG bytes more.

#ifndef CAJAL_WINOGRAD_H
#define CAJAL_WINOGRAD_H

#include <stdint.h>

enum { CJ_WINOGRAD_TILE = 4, CJ_WINOGRAD_REACH = 6, CJ_WINOGRAD_MATRICES = 36, CJ_WINOGRAD_OVERHANG = 64 };

// Planes of values, `count` side by side: rows and columns of planes, or planes one behind the other. In bytes.
typedef struct {
  char *data;
  int64_t row, column;
} cj_winograd_planes;

typedef struct {
  // 6 x 6 of the source to as many of what is multiplied.
  void (*source)(int64_t count, cj_winograd_planes from, cj_winograd_planes to);
  // 3 x 3 weights to 6 x 6.
  void (*weights)(int64_t count, cj_winograd_planes from, cj_winograd_planes to);
  // 6 x 6 sums to 4 x 4 results.
  void (*result)(int64_t count, cj_winograd_planes from, cj_winograd_planes to);
  // The transposes of `result` and of `weights`: 4 x 4 gradients of results to 6 x 6, 6 x 6 sums to 3 x 3.
  void (*spread)(int64_t count, cj_winograd_planes from, cj_winograd_planes to);
  void (*gather)(int64_t count, cj_winograd_planes from, cj_winograd_planes to);
} cj_winograd_kernels;

#endif
