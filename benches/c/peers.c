/* The peers: ucontext, Boost.Context, and switches in the manner of minicoro and of libco. None of them checks anything. */

#include "bench.h"
#include <ucontext.h>

/* What a switch hands over, for those that hand over nothing themselves; and how deep the next body yields. */
static uint64_t handed;
static int depth;
static void *memory;

static char *new_stack(void) {
    memory = malloc(STACK);
    MUST(memory != NULL);
    return (char *)memory + STACK;
}

static void free_stack(void) { free(memory); }

/* ---- ucontext ---- */

static ucontext_t outside, within;

#define YIELD(n) (handed = (n), MUST_SWAP(&within, &outside))
#define MUST_SWAP(from, to) (swapcontext(from, to) == 0 ? (void)0 : abort())
DEFINE_COUNT(ucontext_count, int, YIELD)
#undef YIELD

static void ucontext_body(void) { ucontext_count(0, depth); }

static void ucontext_start(int calls_down) {
    depth = calls_down;
    MUST(getcontext(&within) == 0);
    within.uc_stack.ss_sp = new_stack() - STACK;
    within.uc_stack.ss_size = STACK;
    within.uc_link = NULL;
    makecontext(&within, ucontext_body, 0);
}

static uint64_t ucontext_run(uint64_t times) {
    uint64_t sum = 0;
    while (times--) {
        MUST_SWAP(&outside, &within);
        sum += handed;
    }
    return sum;
}

const struct row ucontext_row = { "ucontext, swapcontext", ucontext_start, ucontext_run, free_stack };

/* ---- Boost.Context, by its functions of C ---- */

typedef struct transfer {
    void *from;
    void *data;
} transfer;
extern transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *top, size_t size, void (*body)(transfer));

static void *boost_inside;

#define YIELD(n) (*context = jump_fcontext(*context, (void *)(uintptr_t)(n)).from)
DEFINE_COUNT(boost_count, void **, YIELD)
#undef YIELD

static void boost_body(transfer arrival) {
    void *consumer = arrival.from;
    boost_count(&consumer, depth);
}

static void boost_start(int calls_down) {
    depth = calls_down;
    boost_inside = make_fcontext(new_stack(), STACK, boost_body);
}

static uint64_t boost_run(uint64_t times) {
    uint64_t sum = 0;
    void *inside = boost_inside;
    while (times--) {
        const transfer arrival = jump_fcontext(inside, NULL);
        inside = arrival.from;
        sum += (uintptr_t)arrival.data;
    }
    boost_inside = inside;
    return sum;
}

const struct row boost_row = { "Boost.Context, jump_fcontext", boost_start, boost_run, free_stack };

/* ---- in the manner of minicoro ---- */

struct context {
    void *resume_at, *stack_pointer, *rbx, *rbp, *r12, *r13, *r14, *r15;
};
extern void save_and_jump(struct context *from, const struct context *to);

static struct context minicoro_outside, minicoro_inside;

#define YIELD(n) (handed = (n), save_and_jump(&minicoro_inside, &minicoro_outside))
DEFINE_COUNT(minicoro_count, int, YIELD)
#undef YIELD

static void minicoro_body(void) { minicoro_count(0, depth); }

static void minicoro_start(int calls_down) {
    depth = calls_down;
    minicoro_inside.resume_at = (void *)(uintptr_t)minicoro_body;
    minicoro_inside.stack_pointer = new_stack() - 8;
}

static uint64_t minicoro_run(uint64_t times) {
    uint64_t sum = 0;
    while (times--) {
        save_and_jump(&minicoro_outside, &minicoro_inside);
        sum += handed;
    }
    return sum;
}

const struct row minicoro_row = { "as minicoro switches", minicoro_start, minicoro_run, free_stack };

/* ---- in the manner of libco ---- */

struct thread {
    void *stack_pointer, *kept[6];
};
extern void save_and_pop(struct thread *from, struct thread *to);

static struct thread libco_outside, libco_inside;
static _Thread_local struct thread *active;

static inline void libco_switch(struct thread *to) {
    struct thread *from = active;
    active = to;
    save_and_pop(from, to);
}

#define YIELD(n) (handed = (n), libco_switch(&libco_outside))
DEFINE_COUNT(libco_count, int, YIELD)

static void libco_body(void) { libco_count(0, depth); }

static void libco_start(int calls_down) {
    char *top = new_stack();
    depth = calls_down;
    active = &libco_outside;
    ((void **)(void *)top)[-2] = (void *)(uintptr_t)libco_body;
    libco_inside.stack_pointer = top - 16;
}

static uint64_t libco_run(uint64_t times) {
    uint64_t sum = 0;
    while (times--) {
        libco_switch(&libco_inside);
        sum += handed;
    }
    return sum;
}

const struct row libco_row = { "as libco switches", libco_start, libco_run, free_stack };
