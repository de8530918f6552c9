// The weights' gradient of a small window.

#ifndef CAJAL_WEIGHTS_LINES_H
#define CAJAL_WEIGHTS_LINES_H

#include "include/cajal_convolution.h"

// 0: not for this shape.
int64_t cj_weights_lines_workspace(const cj_convolution_shape *shape);
void cj_weights_lines_run(const cj_convolution_shape *shape, const void *x, const void *dy, void *dw,
                          void *workspace);

#endif
