// Checks of the kernels from C alone, beside plain loops in float64: what can be built for a machine that is
// only emulated, and what takes too long from Swift. `run` builds and runs them.

#ifndef CAJAL_KERNEL_CHECKS_H
#define CAJAL_KERNEL_CHECKS_H

#include "internal.h"

// Counts a failure and says it, printf's way, unless `holds`.
void expect(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Draws that repeat from run to run.
uint64_t draw_bits(void);
double draw(void);  // -1 ..< 1
int64_t draw_below(int64_t bound);

// Element i of an array of the dtype as float64, and back (rounded as cj_float_to_half and its like do).
double get(cj_dtype dtype, const void *values, int64_t i);
void set(cj_dtype dtype, void *values, int64_t i, double value);
const char *dtype_name(cj_dtype dtype);

// At the level in use.
void check_elements(void);
void check_chains(void);
void check_rows(void);
void check_reductions(void);
void check_products(void);
void check_convolutions(void);
void check_weight_gradients(void);
void check_pooling(void);
// At every level of the machine: every step-th float32 through every function of one operand, or
// the one of that name.
void check_functions(uint64_t step, const char *only);

#endif
