// Convolutions of one filter for each channel.

#ifndef CAJAL_DEPTHWISE_H
#define CAJAL_DEPTHWISE_H

#include "include/cajal_convolution.h"
#include "internal.h"

// One channel to one filter, whose kernels these are; those of one channel alone are products as any other.
static inline bool cj_is_depthwise(const cj_convolution_shape *shape) {
  return shape->groups > 1 && shape->groups == shape->channels && shape->groups == shape->filters;
}

// y from x, or (is_gradient) dx from dy.
void cj_depthwise(const cj_convolution_shape *shape, bool is_gradient, const void *source, const void *w,
                  void *result, cj_block_done done, void *context);
void cj_depthwise_weight_gradient(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                                  void *workspace);
int64_t cj_depthwise_weight_gradient_workspace(const cj_convolution_shape *shape);

// out = the sum of `chunks` arrays of `count` sums of the compute type, rounded; what the first hold is lost.
void cj_add_chunks(const cj_level *level, cj_dtype dtype, int64_t chunks, int64_t count, void *sums, void *out);

#endif
