/* What the rows of the bench have in common. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A way to switch. `start` makes a coroutine that yields 0, 1, 2, …, by a function that is that many calls down; `run` resumes it
   so often and returns the sum of what came; `stop` gives everything back. */
struct row {
    const char *name;
    void (*start)(int calls_down);
    uint64_t (*run)(uint64_t times);
    void (*stop)(void);
};

extern const struct row library_row, inline_row, ucontext_row, boost_row, minicoro_row, libco_row;

enum { STACK = 64 * 1024 };

#define MUST(is)                                                       \
    do {                                                               \
        if (!(is)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #is);   \
            exit(1);                                                   \
        }                                                              \
    } while (0)

/* Nothing moves across it, and no call before it is a tail call. */
#define BARRIER() __asm__ __volatile__("" ::: "memory")

/*
 * Defines the function `Count`, which yields numbers without end, in its own frame or below four more. YIELD(number) is a statement;
 * what it needs is in `context`.
 */
#define DEFINE_COUNT(Count, Context, YIELD)                                         \
    static __attribute__((noinline)) void Count##_4(Context context, uint64_t n) {  \
        (void)context;                                                              \
        YIELD(n);                                                                   \
        BARRIER();                                                                  \
    }                                                                               \
    static __attribute__((noinline)) void Count##_3(Context context, uint64_t n) {  \
        Count##_4(context, n);                                                      \
        BARRIER();                                                                  \
    }                                                                               \
    static __attribute__((noinline)) void Count##_2(Context context, uint64_t n) {  \
        Count##_3(context, n);                                                      \
        BARRIER();                                                                  \
    }                                                                               \
    static __attribute__((noinline)) void Count##_1(Context context, uint64_t n) {  \
        Count##_2(context, n);                                                      \
        BARRIER();                                                                  \
    }                                                                               \
    static void Count(Context context, int calls_down) {                            \
        uint64_t n;                                                                 \
        if (calls_down == 0)                                                        \
            for (n = 0;; n++) YIELD(n);                                             \
        else                                                                        \
            for (n = 0;; n++) Count##_1(context, n);                                \
    }

#endif
