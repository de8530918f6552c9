// What goes channel by channel, for each dtype.

#define SOURCE float
#define BITS vf
#define LANE float
#define VEC vf
#define WIDEN(bits) (bits)
#define NARROW(vector) (vector)
#define NAME(x) x##_f32
#include "level_depthwise.h"

#define SOURCE double
#define BITS nd
#define LANE double
#define VEC nd
#define WIDEN(bits) (bits)
#define NARROW(vector) (vector)
#define NAME(x) x##_f64
#include "level_depthwise.h"

#define SOURCE uint16_t
#define BITS vh
#define LANE float
#define VEC vf
#define WIDEN(bits) half_to_float(bits)
#define NARROW(vector) float_to_half(vector)
#define NAME(x) x##_f16
#include "level_depthwise.h"

#define SOURCE uint16_t
#define BITS vh
#define LANE float
#define VEC vf
#define WIDEN(bits) bfloat_to_float(bits)
#define NARROW(vector) float_to_bfloat(vector)
#define NAME(x) x##_bf16
#include "level_depthwise.h"
