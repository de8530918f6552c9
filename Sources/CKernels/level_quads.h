// Parts of a vector, 16 bytes each: what transposes in registers are made of, as shuffles are cheapest
// within these parts.

typedef __attribute__((ext_vector_type(4))) float qf;
typedef __attribute__((ext_vector_type(4))) uint32_t qu;
typedef __attribute__((ext_vector_type(4))) uint16_t qh;
typedef __attribute__((ext_vector_type(2))) double qd;

#define SHUFFLE_32(type, a, b, ...) AS(type, __builtin_shufflevector(AS(vf, a), AS(vf, b), __VA_ARGS__))
#define SHUFFLE_64(type, a, b, ...) AS(type, __builtin_shufflevector(AS(nd, a), AS(nd, b), __VA_ARGS__))
#define JOIN_TWO(a, b) __builtin_shufflevector(AS(qd, a), AS(qd, b), 0, 1, 2, 3)

#if LEVEL_BYTES == 16
#define JOIN_QUADS(type, quads) AS(type, quads[0])
#define ZIP_32_LOW(type, a, b) SHUFFLE_32(type, a, b, 0, 4, 1, 5)
#define ZIP_32_HIGH(type, a, b) SHUFFLE_32(type, a, b, 2, 6, 3, 7)
#define ZIP_64_LOW(type, a, b) SHUFFLE_64(type, a, b, 0, 2)
#define ZIP_64_HIGH(type, a, b) SHUFFLE_64(type, a, b, 1, 3)
#elif LEVEL_BYTES == 32
#define JOIN_QUADS(type, quads) AS(type, JOIN_TWO(quads[0], quads[1]))
#define ZIP_32_LOW(type, a, b) SHUFFLE_32(type, a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define ZIP_32_HIGH(type, a, b) SHUFFLE_32(type, a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define ZIP_64_LOW(type, a, b) SHUFFLE_64(type, a, b, 0, 4, 2, 6)
#define ZIP_64_HIGH(type, a, b) SHUFFLE_64(type, a, b, 1, 5, 3, 7)
#else
#define JOIN_QUADS(type, quads)                                                                    \
  AS(type, __builtin_shufflevector(JOIN_TWO(quads[0], quads[1]), JOIN_TWO(quads[2], quads[3]), 0, 1, 2, 3, 4, \
                                   5, 6, 7))
#define ZIP_32_LOW(type, a, b) \
  SHUFFLE_32(type, a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define ZIP_32_HIGH(type, a, b) \
  SHUFFLE_32(type, a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define ZIP_64_LOW(type, a, b) SHUFFLE_64(type, a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define ZIP_64_HIGH(type, a, b) SHUFFLE_64(type, a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#endif

#if LEVEL_HAS_HALF
typedef __attribute__((ext_vector_type(4))) _Float16 qhalf;
INLINE qf quad_half_to_float(qh bits) { return CONVERT(AS(qhalf, bits), qf); }
#else
INLINE qf quad_half_to_float(qh bits) { return half_to_float(bits); }
#endif
INLINE qf quad_bfloat_to_float(qh bits) { return AS(qf, CONVERT(bits, qu) << 16); }
