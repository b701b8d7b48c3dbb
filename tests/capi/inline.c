/* The functions of switchback_inline.h: what a switch in the midst of a function must leave alone, and that they are the library's in
   all but speed. C99 and C++11. Compiled in many ways by tests/capi.rs. */

#define _POSIX_C_SOURCE 200112L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchback_inline.h>

#include "check.h"

enum { ROUNDS = 1000 };

/* What the compiler cannot see through. */
static volatile uintptr_t unknown = 1;

/* More values than there are registers, whole and with a fraction, alive across a switch. */
#define SWITCH_AMONG_VALUES(Switch)                                                                        \
    do {                                                                                                   \
        const uintptr_t u = unknown, a = u, b = u + 1, c = u + 2, d = u + 3, e = u + 4, f = u + 5, g = u + 6, \
                        h = u + 7, i = u + 8, j = u + 9, k = u + 10, l = u + 11, m = u + 12, n = u + 13;       \
        const double v = (double)u, o = v * 1.5, p = v * 2.5, q = v * 3.5, r = v * 4.5, s = v * 5.5, t = v * 6.5, \
                     w = v * 7.5, x = v * 8.5, y = v * 9.5, z = v * 10.5;                                  \
        const long double extended = (long double)v / 3;                                                   \
        const float narrow = (float)v / 7;                                                                 \
        Switch;                                                                                            \
        CHECK(a == u && b == u + 1 && c == u + 2 && d == u + 3 && e == u + 4 && f == u + 5 && g == u + 6, 1); \
        CHECK(h == u + 7 && i == u + 8 && j == u + 9 && k == u + 10 && l == u + 11 && m == u + 12 && n == u + 13, 1); \
        CHECK(o == v * 1.5 && p == v * 2.5 && q == v * 3.5 && r == v * 4.5 && s == v * 5.5 && t == v * 6.5, 1); \
        CHECK(w == v * 7.5 && x == v * 8.5 && y == v * 9.5 && z == v * 10.5, 1);                           \
        CHECK(extended == (long double)v / 3 && narrow == (float)v / 7, 1);                                \
    } while (0)

static swb_status values(swb_co *self, void *data, uintptr_t *result) {
    uintptr_t round;
    (void)data;
    for (round = 0; round < ROUNDS; round++) {
        uintptr_t sent = 0;
        unknown = round * 3;
        SWITCH_AMONG_VALUES(CHECK(swb_yield_inline(self, round, &sent), SWB_OK));
        CHECK(sent, round + 7);
    }
    *result = 99;
    return SWB_OK;
}

static void values_survive(void) {
    swb_co *co;
    uintptr_t round, out = 5;
    CHECK(swb_create(&co, values, NULL, NULL), SWB_OK);
    CHECK(swb_send_inline(co, 1, &out), SWB_NOT_STARTED);
    CHECK(out, 5);
    CHECK(swb_resume_inline(co, &out), SWB_YIELDED);
    for (round = 0; round < ROUNDS - 1; round++) {
        CHECK(out, round);
        unknown = round * 5;
        SWITCH_AMONG_VALUES(CHECK(swb_send_inline(co, round + 7, &out), SWB_YIELDED));
    }
    CHECK(swb_state(co), SWB_STATE_SUSPENDED);
    CHECK(swb_send_inline(co, round + 7, &out), SWB_RETURNED);
    CHECK(out, 99);
    CHECK(swb_resume_inline(co, &out), SWB_FINISHED);
    CHECK(swb_send_inline(co, 1, NULL), SWB_FINISHED);
    CHECK(swb_destroy(co), SWB_OK);
    CHECK(swb_resume_inline(co, &out), SWB_INVALID);
}

/* Functions of which the switch is all: every call in them is the last one, and what they keep might be in a red zone. */
static __attribute__((noinline)) swb_status yield_last(swb_co *self, uintptr_t value, uintptr_t *sent) {
    return swb_yield_inline(self, value, sent);
}

static __attribute__((noinline)) swb_status resume_last(swb_co *co, uintptr_t *out) { return swb_resume_inline(co, out); }

static __attribute__((noinline)) uintptr_t yield_beside_an_array(swb_co *self, uintptr_t seed) {
    volatile uintptr_t array[8];
    uintptr_t sum = 0, i;
    for (i = 0; i < 8; i++) array[i] = seed + i;
    (void)swb_yield_inline(self, seed, NULL);
    for (i = 0; i < 8; i++) sum += array[i] - seed;
    return sum;
}

static __attribute__((noinline)) uintptr_t resume_beside_an_array(swb_co *co, uintptr_t seed) {
    volatile uintptr_t array[8];
    uintptr_t sum = 0, i;
    for (i = 0; i < 8; i++) array[i] = seed + i;
    (void)swb_resume_inline(co, NULL);
    for (i = 0; i < 8; i++) sum += array[i] - seed;
    return sum;
}

/* Recursion, so that each frame is parked above others, with an array whose length nobody knows before. */
static __attribute__((noinline)) uintptr_t deep(swb_co *self, uintptr_t depth) {
    char *text = (char *)__builtin_alloca(16 + depth * 8 + unknown % 8);
    uintptr_t sum;
    memset(text, (int)depth, 16);
    if (depth == 0) return 0;
    CHECK(swb_yield_inline(self, depth, NULL), SWB_OK);
    sum = deep(self, depth - 1);
    CHECK(swb_yield_inline(self, depth, NULL), SWB_OK);
    return sum + (uintptr_t)text[15];
}

static swb_status shapes(swb_co *self, void *data, uintptr_t *result) {
    uintptr_t i, sent;
    (void)data;
    for (i = 0; i < ROUNDS; i++) {
        CHECK(yield_last(self, i, &sent), SWB_OK);
        CHECK(yield_beside_an_array(self, i), 28);
    }
    *result = deep(self, 60);
    return SWB_OK;
}

static void shapes_survive(void) {
    swb_co *co;
    uintptr_t i, out;
    CHECK(swb_create(&co, shapes, NULL, NULL), SWB_OK);
    for (i = 0; i < ROUNDS; i++) {
        CHECK(resume_last(co, &out), SWB_YIELDED);
        CHECK(out, i);
        CHECK(resume_beside_an_array(co, i), 28);
    }
    for (i = 0; i < 120; i++) CHECK(resume_last(co, &out), SWB_YIELDED);
    CHECK(resume_last(co, &out), SWB_RETURNED);
    CHECK(out, 60 * 61 / 2);
    CHECK(resume_last(co, &out), SWB_FINISHED);
    CHECK(swb_destroy(co), SWB_OK);
    CHECK(resume_last(co, &out), SWB_INVALID);
    CHECK(yield_last(co, 1, &out), SWB_INVALID);
    CHECK(resume_last(NULL, &out), SWB_INVALID);
    CHECK(yield_last(NULL, 1, &out), SWB_INVALID);
}

/* One side by the library, one inline, and all that may come to a yield. */
static swb_status all_that_comes(swb_co *self, void *data, uintptr_t *result) {
    uintptr_t sent = 0;
    swb_error error;
    int i;
    for (i = 0; i < 10; i++) {
        CHECK(swb_yield(self, 1, &sent), SWB_OK);
        CHECK(swb_yield_inline(self, 2, &sent), SWB_OK);
        CHECK(swb_current() == self, 1);
        CHECK(swb_resume_inline(self, NULL), SWB_RUNNING);
        CHECK(swb_destroy(self), SWB_RUNNING);
        CHECK(swb_destroy_discard(self), SWB_RUNNING);
        CHECK(swb_close(self, NULL), SWB_RUNNING);
    }
    sent = 3;
    CHECK(swb_yield_inline(self, 3, &sent), SWB_THROWN);
    CHECK(sent, 3);
    CHECK(swb_thrown(self, &error), SWB_OK);
    CHECK(error.code, 77);
    CHECK(error.data == data, 1);
    CHECK(swb_yield_inline(self, 4, &sent), SWB_EXIT);
    *result = 5;
    return SWB_OK;
}

static void all_that_comes_is_told(void) {
    swb_co *co;
    uintptr_t out;
    int i;
    CHECK(swb_create(&co, all_that_comes, &out, NULL), SWB_OK);
    CHECK(swb_yield_inline(co, 1, NULL), SWB_OUTSIDE);
    for (i = 0; i < 10; i++) {
        CHECK(swb_resume_inline(co, &out), SWB_YIELDED);
        CHECK(out, 1);
        CHECK((i % 2 ? swb_resume : swb_resume_inline)(co, &out), SWB_YIELDED);
        CHECK(out, 2);
        CHECK(swb_current() == NULL, 1);
    }
    CHECK(swb_yield_inline(co, 1, NULL), SWB_OUTSIDE);
    CHECK(swb_resume_inline(co, &out), SWB_YIELDED);
    CHECK(swb_throw(co, 77, &out, &out), SWB_YIELDED);
    CHECK(out, 4);
    CHECK(swb_close(co, &out), SWB_RETURNED);
    CHECK(out, 5);
    CHECK(swb_destroy(co), SWB_OK);
}

/* Ends: by an error, by an exit, and by a status of its own. */
static swb_status ends(swb_co *self, void *data, uintptr_t *result) {
    (void)result;
    CHECK(swb_yield_inline(self, 1, NULL), SWB_OK);
    return *(swb_status *)data == SWB_THROWN ? swb_raise(self, 12, data) : *(swb_status *)data;
}

static void ends_are_told(void) {
    static const int STATUSES[] = { SWB_THROWN, SWB_EXIT, SWB_OK };
    static const int WANTED[] = { SWB_THROWN, SWB_EXIT, SWB_RETURNED };
    int i;
    for (i = 0; i < 3; i++) {
        swb_status status = (swb_status)STATUSES[i];
        swb_error error;
        swb_co *co;
        CHECK(swb_create(&co, ends, &status, NULL), SWB_OK);
        CHECK(swb_resume_inline(co, NULL), SWB_YIELDED);
        CHECK(swb_resume_inline(co, NULL), WANTED[i]);
        CHECK(swb_result(co, NULL), WANTED[i]);
        CHECK(swb_thrown(co, &error), SWB_OK);
        CHECK(error.code, STATUSES[i] == SWB_THROWN ? 12 : 0);
        CHECK(swb_resume_inline(co, NULL), SWB_FINISHED);
        CHECK(swb_destroy(co), SWB_OK);
    }
}

/* Coroutines that resume others, that delegate, and that yield through one further out. */
static swb_status counts(swb_co *self, void *data, uintptr_t *result) {
    uintptr_t i;
    (void)data;
    for (i = 1; i <= 3; i++) CHECK(swb_yield_inline(self, i, result), SWB_OK);
    *result = 40;
    return SWB_OK;
}

static swb_status nests(swb_co *self, void *data, uintptr_t *result) {
    swb_co *inner;
    uintptr_t value, sum = 0;
    CHECK(swb_create(&inner, counts, NULL, NULL), SWB_OK);
    if (data == NULL) {
        while (swb_resume_inline(inner, &value) == SWB_YIELDED) {
            CHECK(swb_current() == self, 1);
            CHECK(swb_yield_inline(self, 10 * value, NULL), SWB_OK);
            sum += value;
        }
        *result = sum + value;
    } else {
        CHECK(swb_yield_from(self, inner, result), SWB_OK);
    }
    CHECK(swb_destroy(inner), SWB_OK);
    return SWB_OK;
}

static void nested_ones_keep_apart(void) {
    static char delegates;
    swb_co *co;
    uintptr_t out, i;
    CHECK(swb_create(&co, nests, NULL, NULL), SWB_OK);
    for (i = 1; i <= 3; i++) {
        CHECK(swb_resume_inline(co, &out), SWB_YIELDED);
        CHECK(out, 10 * i);
    }
    CHECK(swb_resume_inline(co, &out), SWB_RETURNED);
    CHECK(out, 46);
    CHECK(swb_destroy(co), SWB_OK);
    CHECK(swb_create(&co, nests, &delegates, NULL), SWB_OK);
    for (i = 1; i <= 3; i++) {
        CHECK(swb_resume_inline(co, &out), SWB_YIELDED);
        CHECK(out, i);
    }
    CHECK(swb_resume_inline(co, &out), SWB_RETURNED);
    CHECK(out, 40);
    CHECK(swb_destroy(co), SWB_OK);
}

/* The same memory, and another handle. */
static swb_status by_a_stale_handle(swb_co *self, void *stale, uintptr_t *result) {
    (void)result;
    CHECK(self == stale, 0);
    CHECK(swb_yield_inline((swb_co *)stale, 1, NULL), SWB_INVALID);
    return swb_yield_inline(self, 2, NULL);
}

static void stale_handles_are_refused(void) {
    swb_co *co, *stale;
    CHECK(swb_create(&stale, counts, NULL, NULL), SWB_OK);
    CHECK(swb_destroy(stale), SWB_OK);
    CHECK(swb_create(&co, by_a_stale_handle, stale, NULL), SWB_OK);
    CHECK(((uintptr_t)co ^ (uintptr_t)stale) < 64, 1);
    CHECK(swb_resume_inline(co, NULL), SWB_YIELDED);
    CHECK(swb_resume_inline(stale, NULL), SWB_INVALID);
    CHECK(swb_send_inline(stale, 1, NULL), SWB_INVALID);
    CHECK(swb_resume_inline(co, NULL), SWB_RETURNED);
    CHECK(swb_destroy(co), SWB_OK);
}

/* Threads: a coroutine is refused elsewhere, also after its own thread's end, when another thread has its place in memory. */
static pthread_key_t at_the_very_end;
static swb_co *left_behind[2];

static void leave_one(void *co) {
    CHECK(swb_create((swb_co **)co, counts, NULL, NULL), SWB_OK);
    CHECK(swb_resume_inline(*(swb_co **)co, NULL), SWB_YIELDED);
}

static void *leaves_two(void *data) {
    (void)data;
    leave_one(&left_behind[0]);
    /* When its key is destroyed, the thread has forgotten which coroutines it has. */
    CHECK(pthread_setspecific(at_the_very_end, &left_behind[1]), 0);
    return &left_behind[0];
}

static void *is_refused(void *co) {
    CHECK(swb_resume_inline((swb_co *)co, NULL), SWB_WRONG_THREAD);
    CHECK(swb_send_inline((swb_co *)co, 1, NULL), SWB_WRONG_THREAD);
    CHECK(swb_yield_inline((swb_co *)co, 1, NULL), SWB_OUTSIDE);
    return NULL;
}

static void *in_thread(void *(*function)(void *), void *data) {
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, function, data), 0);
    CHECK(pthread_join(thread, &result), 0);
    return result;
}

static void threads_are_told_apart(void) {
    swb_co *co;
    CHECK(swb_create(&co, counts, NULL, NULL), SWB_OK);
    CHECK(swb_resume_inline(co, NULL), SWB_YIELDED);
    in_thread(is_refused, co);
    CHECK(swb_destroy_discard(co), SWB_OK);
    CHECK(pthread_key_create(&at_the_very_end, leave_one), 0);
    CHECK(in_thread(leaves_two, NULL) != NULL, 1);
    in_thread(is_refused, left_behind[0]);
    in_thread(is_refused, left_behind[1]);
}

int main(void) {
    values_survive();
    shapes_survive();
    all_that_comes_is_told();
    ends_are_told();
    nested_ones_keep_apart();
    stale_handles_are_refused();
    threads_are_told_apart();
    printf("all is well\n");
    return 0;
}
