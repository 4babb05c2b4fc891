/* The kernels of one element type: with R (the type of a number), PARTS (of how many an entry consists: two if it is
 * complex), TYPE (its name in those of functions), and what lanes.c says of R defined.
 *
 * Many matrices fill wide blocks of lanes, and real ones of the sizes that deserve a copy of their own have one: complex
 * entries have enough to do in each turn of a loop. One pays for all lanes of its block, so a few have narrow ones, in
 * one copy for all sizes. */
#define NAME(x) JOINED(x, many, TYPE)
#if PARTS == 1
#define SIZES COPIES
#else
#define SIZES ONE_COPY
#endif
#define LANE_BYTES WIDE_FORWARD
#include "forward.h"
#undef LANE_BYTES
#undef NAME
#define NAME(x) JOINED(x, back, TYPE)
#define LANE_BYTES WIDE_BACKWARD
#include "backward.h"
#undef LANE_BYTES
#undef NAME
#undef SIZES
#define SIZES ONE_COPY
#define LANE_BYTES NARROW
#define NAME(x) JOINED(x, few, TYPE)
#include "forward.h"
#undef NAME
#define NAME(x) JOINED(x, few_back, TYPE)
#include "backward.h"
#undef NAME
#undef LANE_BYTES
#undef SIZES
#undef PARTS
#undef TYPE
