/* Our rows: the library's calls, and, compiled with -DINLINE, the functions of switchback_inline.h. */

#include "bench.h"
#include <switchback.h>
#ifdef INLINE
#include <switchback_inline.h>
#define RESUME swb_resume_inline
#define YIELD_BY swb_yield_inline
#define ROW inline_row
#define NAME "switchback, inline"
#else
#define RESUME swb_resume
#define YIELD_BY swb_yield
#define ROW library_row
#define NAME "switchback, the library's call"
#endif

static swb_co *co;
static int depth;

/* The bodies never end by themselves: they are discarded. Whoever is asked to exit here is a bug. */
#define YIELD(n)                                                        \
    do {                                                                \
        uintptr_t sent;                                                 \
        if (YIELD_BY(context, (n), &sent) != SWB_OK) abort();           \
    } while (0)
DEFINE_COUNT(count, swb_co *, YIELD)

static swb_status body(swb_co *self, void *data, uintptr_t *result) {
    (void)data;
    (void)result;
    count(self, depth);
    return SWB_OK;
}

static void start(int calls_down) {
    depth = calls_down;
    MUST(swb_create(&co, body, NULL, NULL) == SWB_OK);
}

static uint64_t run(uint64_t times) {
    uint64_t sum = 0;
    while (times--) {
        uintptr_t value;
        MUST(RESUME(co, &value) == SWB_YIELDED);
        sum += value;
    }
    return sum;
}

static void stop(void) { MUST(swb_destroy_discard(co) == SWB_OK); }

const struct row ROW = { NAME, start, run, stop };
