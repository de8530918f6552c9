// What the machine can do: the rates that benchmarks take their floors from.

#ifndef CAJAL_PEAKS_H
#define CAJAL_PEAKS_H

#include <stdint.h>

typedef enum {
  CJ_PEAK_FMA_F32,   // float32 multiply-adds in registers
  CJ_PEAK_FMA_BF16,  // bfloat16 ones that add up in float32; float32's where the machine has none
  CJ_PEAK_READ,      // adding up an array
  CJ_PEAK_COPY,      // one array to another
  CJ_PEAK_TRIAD,     // a = b + s · c
} cj_peak;

// What `threads` threads do together in a second: floating-point operations (two
// a multiply-add), or bytes read and written of a working set of `bytes`, which
// is gone over again and again and so lies in a cache if it fits one. Takes about
// `seconds`; 0 if there is not so much memory.
double cj_measure_peak(cj_peak peak, int64_t bytes, int32_t threads, double seconds);

#endif
