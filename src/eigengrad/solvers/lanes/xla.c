/* The kernels as custom calls of XLA on the CPU, by its stable binary interface for foreign functions, version 0.
 *
 * What is declared here is the part of that interface that a call on buffers needs: structures that carry their size,
 * and grow at their end alone as long as the major version stays. */
#include <stdint.h>
#include "lanes.h"

struct extension { size_t size; int type; struct extension *next; };
struct version { size_t size; struct extension *extensions; int major, minor; };
struct api { size_t size; struct extension *extensions; struct version version; };
struct metadata { size_t size; struct version version; uint32_t traits; };
struct metadata_query { struct extension base; struct metadata *metadata; };
struct buffer { size_t size; struct extension *extensions; int type; void *data; int64_t rank, *shape; };
struct scalar { int type; void *value; };
struct buffers { size_t size; struct extension *extensions; int64_t count; int *types; struct buffer **all; };
struct attributes { size_t size; struct extension *extensions; int64_t count; int *types; void *names; void **all; };
struct call {
    size_t size;
    struct extension *extensions;
    const struct api *api;
    void *context;
    int stage;
    struct buffers arguments, results;
    struct attributes attributes;
};
enum { METADATA = 1, FLOAT32 = 11, MAJOR = 0 };

/* XLA asks before the first call which version a handler was made for: any minor version of this major one. */
static int asked(struct call *call)
{
    struct extension *first = call->extensions;
    if (!first || first->type != METADATA) return 0;
    struct metadata *metadata = ((struct metadata_query *)first)->metadata;
    metadata->version.major = MAJOR;
    metadata->version.minor = call->api->version.minor;
    metadata->traits = 0;
    return 1;
}

static int option(struct call *call) { return *(int32_t *)((struct scalar *)call->attributes.all[0])->value; }

static ptrdiff_t batch(const struct buffer *w)
{
    ptrdiff_t count = 1;
    for (int64_t k = 0; k < w->rank - 1; k++) count *= w->shape[k];
    return count;
}

static const struct lanes_team ALONE;
#define BITS(x) ((x)->type == FLOAT32 ? 32 : 64)
#define ORDER(w) ((int)(w)->shape[(w)->rank - 1])

/* A, Hermitian -> w, V; the option is what becomes of equal eigenvalues. A matrix that is not solved is NaN. */
void *lanes_xla_forward(struct call *call)
{
    if (asked(call)) return 0;
    struct buffer *A = call->arguments.all[0], *w = call->results.all[0], *V = call->results.all[1];
    lanes_forward(BITS(A), ORDER(w), batch(w), LANES_LOWER, option(call), A->data, w->data, V->data, &ALONE);
    return 0;
}

/* w, V, gw, gV -> gA, Hermitian; the option is whether to judge. A gradient that is refused is NaN. */
void *lanes_xla_backward(struct call *call)
{
    if (asked(call)) return 0;
    struct buffer **x = call->arguments.all, *gA = call->results.all[0];
    lanes_backward(BITS(gA), ORDER(x[0]), batch(x[0]), LANES_SYMMETRIC, option(call), x[0]->data, x[1]->data,
                   x[2]->data, x[3]->data, gA->data, &ALONE);
    return 0;
}
