// What level_channels.h defined.

#undef SOURCE
#undef BITS
#undef LANE
#undef VEC
#undef WIDEN
#undef NARROW
#undef INDEX
#undef INDEX_VEC
#undef INDEX_BITS
#undef NAME
