/* The kernels of one element type: with R (the type), U (the unsigned integer of its width), TYPE (its name in those of
 * functions), EXPONENT_SHIFT, EXPONENT_MOST, EPS, SMALLEST, TINY, SQRT and FABS defined.
 *
 * Many matrices fill wide blocks of lanes, and the sizes that deserve a copy of their own have one. One pays for all
 * lanes of its block, so a few have narrow ones, in one copy for all sizes. */
#define NAME(x) JOINED(x, many, TYPE)
#define SIZES COPIES
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
#undef R
#undef U
#undef TYPE
#undef EXPONENT_SHIFT
#undef EXPONENT_MOST
#undef EPS
#undef SMALLEST
#undef TINY
#undef SQRT
#undef FABS
