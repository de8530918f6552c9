// Winograd's gradient of 3 x 3 weights.

#ifndef CAJAL_WINOGRAD_WEIGHTS_H
#define CAJAL_WINOGRAD_WEIGHTS_H

#include "include/cajal_convolution.h"

// 0 where the sum of products is as fast, or asked for.
int64_t cj_winograd_weights_workspace(const cj_convolution_shape *shape);
void cj_winograd_weights_run(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                             void *workspace);

#endif
