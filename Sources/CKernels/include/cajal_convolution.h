// Convolution and its gradients: the three partial derivatives of T(x, w, y) = the sum of x w y.

#ifndef CAJAL_CONVOLUTION_H
#define CAJAL_CONVOLUTION_H

#include "cajal_kernels.h"

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// x [batch, extents, channels], w [window, channels / groups, filters], y [batch, results, filters], all contiguous:
//   y[n, o, f] = sum over t, c of x[n, o * strides + t * dilations - before, c] * w[t, c, f]
// with zeros around x. Filters and channels of a group follow each other. Fewer than three spatial axes are the
// last ones: 1 leads in extents, results, window, strides and dilations, 0 in `before`.
// float32, float64; float16, bfloat16 (accumulate in float32, round once). An extent may be 0; strides, dilations,
// groups may not.
enum { CJ_CONVOLUTION_AXES = 3 };
typedef struct __attribute__((swift_attr("@Sendable"))) {
  cj_dtype dtype;
  bool is_plain;  // sums of the products that the formula says: Winograd's are not asked for
  int64_t batch, channels, filters, groups;
  int64_t extents[CJ_CONVOLUTION_AXES], results[CJ_CONVOLUTION_AXES];
  int64_t window[CJ_CONVOLUTION_AXES], strides[CJ_CONVOLUTION_AXES], dilations[CJ_CONVOLUTION_AXES];
  int64_t before[CJ_CONVOLUTION_AXES];
  const void *_Nullable packed;  // w as cj_convolution_pack left it for what is called, or NULL
} cj_convolution_shape;

// y from x and w. `done` hears of rectangles of y, seen as [batch * results, filters]. workspace: as many bytes as
// cj_convolution_workspace says, 64-byte aligned; none where w is packed.
void cj_convolution(const cj_convolution_shape *shape, const void *x, const void *w, void *y,
                    void *_Nullable workspace, cj_block_done _Nullable done, void *_Nullable context);
int64_t cj_convolution_workspace(const cj_convolution_shape *shape);

// x's gradient from that of y: also the transposed convolution. Rectangles are of dx, [batch * extents, channels].
void cj_convolution_input_gradient(const cj_convolution_shape *shape, const void *dy, const void *w, void *dx,
                                   void *_Nullable workspace, cj_block_done _Nullable done, void *_Nullable context);
int64_t cj_convolution_input_gradient_workspace(const cj_convolution_shape *shape);

// How y, or x's gradient, is computed: this depends on the shape alone.
typedef enum {
  CJ_CONVOLUTION_NOTHING,    // there is nothing to add up
  CJ_CONVOLUTION_PRODUCT,    // of matrices
  CJ_CONVOLUTION_DEPTHWISE,  // channel by channel
  CJ_CONVOLUTION_WINOGRAD,
  CJ_CONVOLUTION_WINDOWS,    // a product whose left matrix is read where the source lies
} cj_convolution_way;
cj_convolution_way cj_convolution_way_of(const cj_convolution_shape *shape, bool is_gradient);
// Whether all rectangles that `done` hears of are whole rows.
bool cj_convolution_has_whole_rows(const cj_convolution_shape *shape, bool is_gradient);

// Bytes of w as the kernels read it, for a w that meets many calls; 0 where that saves little. A copy is good for every
// batch and extents that are computed in the same way, at the SIMD level that it was packed at; a gradient's for equal
// min(extents, strides) alone.
int64_t cj_convolution_packed_bytes(const cj_convolution_shape *shape, bool is_gradient);
// packed: 64-byte aligned.
void cj_convolution_pack(const cj_convolution_shape *shape, bool is_gradient, const void *w, void *packed);

// w's gradient from that of y.
void cj_convolution_weight_gradient(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                                    void *_Nullable workspace);
int64_t cj_convolution_weight_gradient_workspace(const cj_convolution_shape *shape);

// The greatest element that each window sees, channel by channel, and its position among x's spatial elements: the
// first of equals, and the first NaN. Each window sees an element. Of the shape neither filters nor groups are read.
void cj_max_pool(const cj_convolution_shape *shape, const void *x, void *values, int32_t *_Nullable positions);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
#endif
