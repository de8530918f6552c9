// What the machine can do at most: the rates that profiles take their shares of.

#ifndef CAJAL_PEAKS_H
#define CAJAL_PEAKS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
  CJ_MACHINE_FMA_F32 = 0,   // multiply-adds in registers
  CJ_MACHINE_FMA_F64 = 1,
  CJ_MACHINE_FMA_BF16 = 2,  // that add up in float32
  CJ_MACHINE_READ = 3,      // adding up an array
  CJ_MACHINE_COPY = 4,      // one array to another
  CJ_MACHINE_TRIAD = 5,     // a = b + s . c (McCalpin 1995)
} cj_machine_rate;

// What the pool's threads do together in a second: floating-point operations (two a multiply-add), or bytes
// read and written of a working set of `bytes`, which is gone over again and again and so lies in a cache if
// it fits one. Takes about `seconds`; 0 where there is not so much memory, or no such instruction.
double cj_machine_measure(cj_machine_rate rate, int64_t bytes, double seconds);
// Seconds from setting each of the pool's threads to work until all have met and the caller goes on.
double cj_machine_fork_join(double seconds);

#endif
