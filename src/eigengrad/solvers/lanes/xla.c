/* The kernels as custom calls of XLA on the CPU, by its stable binary interface for foreign functions, version 0.
 *
 * What is declared here is the part of that interface that a call on buffers needs: structures that carry their size,
 * and grow at their end alone as long as the major version stays. */
#include <stdint.h>
#include "lanes.h"

struct extension { size_t size; int type; struct extension *next; };
struct version { size_t size; struct extension *extensions; int major, minor; };
struct api { size_t size; struct extension *extensions; struct version version; const void *own; void *functions[]; };
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
enum { METADATA = 1, FLOAT32 = 11, COMPLEX64 = 15, COMPLEX128 = 18, MAJOR = 0 };
enum { ERROR_DESTROY = 2, THREADPOOL_SCHEDULE = 11, THREADPOOL_THREADS = 12 };
struct error_query { size_t size; struct extension *extensions; void *error; };
struct threads_query { size_t size; struct extension *extensions; void *context; int64_t *threads; };
struct task { size_t size; struct extension *extensions; void *context; void (*function)(void *); void *data; };

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

/* ---- threads ------------------------------------------------------------------------------------------------------ */

#ifdef __GNUC__
#include <sched.h>
#include <stdlib.h>

/* Asks XLA; an error is an answer too. */
static int ask(const struct api *api, int which, void *query)
{
    void *error = ((void *(*)(void *))api->functions[which])(query);
    if (!error) return 1;
    struct error_query destroy = {sizeof destroy, 0, error};
    ((void (*)(struct error_query *))api->functions[ERROR_DESTROY])(&destroy);
    return 0;
}

/* A function that XLA's threads are invited to run with the one that called. XLA may start them late, or never at the
 * same time: who comes when all is done finds the door closed, and the last one out frees the memory. */
struct crowd {
    void (*function)(void *);
    void *data;
    unsigned inside, owners; /* `inside` has CLOSED added to it when the work is done */
};
#define CLOSED (1u << 31)

static void leave(struct crowd *crowd)
{
    if (__atomic_sub_fetch(&crowd->owners, 1, __ATOMIC_ACQ_REL) == 0) free(crowd);
}

static void come(void *data)
{
    struct crowd *crowd = data;
    if (!(__atomic_fetch_add(&crowd->inside, 1, __ATOMIC_ACQ_REL) & CLOSED)) crowd->function(crowd->data);
    __atomic_fetch_sub(&crowd->inside, 1, __ATOMIC_ACQ_REL);
    leave(crowd);
}

static _Thread_local struct call *served;

static void on_threads_of_xla(void (*function)(void *), void *data, unsigned threads, unsigned flags)
{
    const struct call *call = served;
    struct crowd *crowd = malloc(sizeof *crowd);
    (void)flags;
    if (crowd) {
        *crowd = (struct crowd){function, data, 0, threads};
        for (unsigned k = 1; k < threads; k++) {
            struct task task = {sizeof task, 0, call->context, come, crowd};
            if (!ask(call->api, THREADPOOL_SCHEDULE, &task)) leave(crowd);
        }
    }
    function(data);
    if (!crowd) return;
    __atomic_fetch_or(&crowd->inside, CLOSED, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&crowd->inside, __ATOMIC_ACQUIRE) != CLOSED) sched_yield();
    leave(crowd);
}

static struct lanes_team team(struct call *call)
{
    struct lanes_team team = {0, 1};
    int64_t threads = 1;
    struct threads_query query = {sizeof query, 0, call->context, &threads};
    if (call->api->size < offsetof(struct api, functions) + (THREADPOOL_THREADS + 1) * sizeof(void *)) return team;
    if (!ask(call->api, THREADPOOL_THREADS, &query) || threads < 2) return team;
    served = call;
    team.run = on_threads_of_xla;
    team.threads = threads > 1024 ? 1024 : (unsigned)threads;
    return team;
}
#else
static struct lanes_team team(struct call *call)
{
    struct lanes_team team = {0, 1};
    (void)call;
    return team;
}
#endif

static int bits(const struct buffer *x)
{
    int single = x->type == FLOAT32 || x->type == COMPLEX64;
    return (x->type == COMPLEX64 || x->type == COMPLEX128 ? -1 : 1) * (single ? 32 : 64);
}

#define ORDER(w) ((int)(w)->shape[(w)->rank - 1])

/* A -> w, V; the option is how A is read, times 4, and what becomes of equal eigenvalues. What is not solved is NaN. */
void *lanes_xla_forward(struct call *call)
{
    if (asked(call)) return 0;
    struct buffer *A = call->arguments.all[0], *w = call->results.all[0], *V = call->results.all[1];
    struct lanes_team threads = team(call);
    lanes_forward(bits(A), ORDER(w), batch(w), option(call) >> 2, option(call) & 3, A->data, w->data, V->data, &threads);
    return 0;
}

/* w, V, gw, gV -> gA; the option is how A was read, times 4, and whether to judge. A gradient that is refused is NaN. */
void *lanes_xla_backward(struct call *call)
{
    if (asked(call)) return 0;
    struct buffer **x = call->arguments.all, *gA = call->results.all[0];
    struct lanes_team threads = team(call);
    lanes_backward(bits(gA), ORDER(x[0]), batch(x[0]), option(call) >> 2, option(call) & 3, x[0]->data, x[1]->data,
                   x[2]->data, x[3]->data, gA->data, &threads);
    return 0;
}
