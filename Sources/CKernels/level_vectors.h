// Vector types of a SIMD level. LEVEL_BYTES is the register's width. A name is
// a letter for the lane and n (native: one register), w (as many lanes as a
// register has floats, so that float32 functions may compute in float64) or m
// (mathematical functions: long chains of dependent instructions, so that four
// registers side by side keep the machine busier than one; no more of them than
// an operand of one value has).

enum {
  LANES = LEVEL_BYTES / 4,
  WIDE_LANES = LEVEL_BYTES / 8,
  MATH_LANES = (LEVEL_BYTES * 4 < CJ_UNIFORM_BYTES ? LEVEL_BYTES * 4 : CJ_UNIFORM_BYTES) / 4,
};

#define VECTOR(type, lanes) __attribute__((ext_vector_type(lanes))) type
typedef VECTOR(float, LEVEL_BYTES / 4) vf;
typedef VECTOR(int32_t, LEVEL_BYTES / 4) vi;
typedef VECTOR(uint32_t, LEVEL_BYTES / 4) vu;
typedef VECTOR(double, LEVEL_BYTES / 4) wd;
typedef VECTOR(int64_t, LEVEL_BYTES / 4) wl;
typedef VECTOR(uint64_t, LEVEL_BYTES / 4) wul;
typedef VECTOR(uint16_t, LEVEL_BYTES / 4) vh;
typedef VECTOR(int8_t, LEVEL_BYTES / 4) vb;
typedef VECTOR(float, MATH_LANES) mf;
typedef VECTOR(int32_t, MATH_LANES) mi;
typedef VECTOR(uint32_t, MATH_LANES) mu;
typedef VECTOR(uint64_t, MATH_LANES) mul;
typedef VECTOR(double, MATH_LANES) md;
typedef VECTOR(double, LEVEL_BYTES / 8) nd;
typedef VECTOR(int64_t, LEVEL_BYTES / 8) nl;
typedef VECTOR(uint64_t, LEVEL_BYTES / 8) nul;
typedef VECTOR(int8_t, LEVEL_BYTES / 8) nb;
typedef VECTOR(uint8_t, LEVEL_BYTES) vc;
#undef VECTOR

#define INLINE static inline __attribute__((always_inline))

// Bits of one vector type read as another of the same size.
#define AS(type, vector) __builtin_bit_cast(type, vector)
#define CONVERT(vector, type) __builtin_convertvector(vector, type)

#if LEVEL_HAS_FMA
#define FMA_F(a, b, c) __builtin_elementwise_fma(a, b, c)
#define FMA_EXACT_F(a, b, c) FMA_F(a, b, c)
#else
#define FMA_F(a, b, c) ((a) * (b) + (c))
// Where the product must not be rounded: float32 by way of float64, which holds it.
#define FMA_EXACT_F(a, b, c) CONVERT(CONVERT(a, md) * CONVERT(b, md) + CONVERT(c, md), mf)
#endif

// A vector whose first `count` lanes come from memory; the others are zero.
#define LOAD(type, pointer) \
  ({                        \
    type loaded_;           \
    __builtin_memcpy(&loaded_, pointer, sizeof loaded_); \
    loaded_;                \
  })
#define LOAD_SOME(type, pointer, bytes) \
  ({                                    \
    type loaded_ = (type)0;             \
    memcpy(&loaded_, pointer, (size_t)(bytes)); \
    loaded_;                            \
  })
#define STORE(pointer, vector)                           \
  ({                                                     \
    __typeof__(vector) stored_ = vector;                 \
    __builtin_memcpy(pointer, &stored_, sizeof stored_); \
  })
#define STORE_SOME(pointer, vector, bytes)       \
  ({                                             \
    __typeof__(vector) stored_ = vector;         \
    memcpy(pointer, &stored_, (size_t)(bytes));  \
  })

// ---------------------------------------------------------------- 16-bit floats

#if LEVEL_HAS_HALF
typedef __attribute__((ext_vector_type(LEVEL_BYTES / 4))) _Float16 vhalf;
INLINE vf half_to_float(vh bits) { return CONVERT(AS(vhalf, bits), vf); }
INLINE vh float_to_half(vf value) { return AS(vh, CONVERT(value, vhalf)); }
#else
INLINE vf half_to_float(vh bits) {
  vu wide = CONVERT(bits, vu);
  vu magnitude = wide & 0x7fff;
  vu normal = (magnitude << 13) + (112u << 23);  // 112: the difference of the exponents' biases
  vu special = (magnitude << 13) | 0x7f800000u;
  vu small = AS(vu, CONVERT(AS(vi, magnitude), vf) * 0x1p-24f);
  vu result = magnitude >= 0x7c00 ? special : normal;
  result = magnitude < 0x0400 ? small : result;
  result |= magnitude > 0x7c00 ? (vu)0x00400000u : (vu)0;  // quiet, as hardware makes it
  return AS(vf, result | (wide & 0x8000) << 16);
}

INLINE vh float_to_half(vf value) {
  vu bits = AS(vu, value);
  vu magnitude = bits & 0x7fffffffu;
  vu normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  // Adding 1/2 leaves the multiples of 2^-24, float16's denormals, in the last bits.
  vu small = AS(vu, AS(vf, magnitude) + 0.5f) - 0x3f000000u;
  vu result = magnitude < 0x38800000u ? small : normal;
  result = magnitude >= 0x47800000u ? (vu)0x7c00 : result;
  result = magnitude > 0x7f800000u ? (0x7e00 | (magnitude >> 13 & 0x3ff)) : result;
  return CONVERT(result | (bits >> 16 & 0x8000), vh);
}
#endif

INLINE vf bfloat_to_float(vh bits) { return AS(vf, CONVERT(bits, vu) << 16); }

INLINE vh float_to_bfloat(vf value) {
  vu bits = AS(vu, value);
  vu rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  vu quiet = bits >> 16 | 0x40;
  return CONVERT((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded, vh);
}
