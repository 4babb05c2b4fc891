/* Undefines what block.h and one direction define, for the next inclusion. */
#undef W
#undef EACH_LANE
#undef EACH_LANE_OF
#undef LANES
#undef BLOCK
#undef SOME
#undef HOLD
#undef USED
#undef BLOCKS
#undef PRODUCTS
#undef DEFINE
#undef TURNED
#undef ANGLE
#undef KEPT
#undef AT
#undef UP
