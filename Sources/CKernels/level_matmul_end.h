// What level_matmul.h and its includer defined.

#undef COUNT
#undef HEIGHT
#undef VECTORS
#undef WIDTH
#undef LANE
#undef VEC
#undef STEP
#undef STEP_VEC
#undef MULTIPLY_ADD
#undef NAME
