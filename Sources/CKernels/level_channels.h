// What goes channel by channel, for each dtype.

typedef __attribute__((ext_vector_type(LEVEL_BYTES / 8))) int32_t ni;

#define SOURCE float
#define BITS vf
#define LANE float
#define VEC vf
#define WIDEN(bits) (bits)
#define NARROW(vector) (vector)
#define INDEX int32_t
#define INDEX_VEC vi
#define INDEX_BITS vi
#define NAME(x) x##_f32
#include "level_depthwise.h"
#include "level_pooling.h"
#include "level_channels_end.h"

#define SOURCE double
#define BITS nd
#define LANE double
#define VEC nd
#define WIDEN(bits) (bits)
#define NARROW(vector) (vector)
#define INDEX int64_t
#define INDEX_VEC nl
#define INDEX_BITS ni
#define NAME(x) x##_f64
#include "level_depthwise.h"
#include "level_pooling.h"
#include "level_channels_end.h"

#define SOURCE uint16_t
#define BITS vh
#define LANE float
#define VEC vf
#define WIDEN(bits) half_to_float(bits)
#define NARROW(vector) float_to_half(vector)
#define INDEX int32_t
#define INDEX_VEC vi
#define INDEX_BITS vi
#define NAME(x) x##_f16
#include "level_depthwise.h"
#include "level_pooling.h"
#include "level_channels_end.h"

#define SOURCE uint16_t
#define BITS vh
#define LANE float
#define VEC vf
#define WIDEN(bits) bfloat_to_float(bits)
#define NARROW(vector) float_to_bfloat(vector)
#define INDEX int32_t
#define INDEX_VEC vi
#define INDEX_BITS vi
#define NAME(x) x##_bf16
#include "level_depthwise.h"
#include "level_pooling.h"
#include "level_channels_end.h"
