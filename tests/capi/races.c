/* What other threads and signals do at the same time, and what Valgrind cannot follow. Linked with the library by tests/capi.rs. */

#define _DEFAULT_SOURCE 1
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <switchback.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { ROUNDS = 200, LOCKERS = 3, LOCKED = 2000 };

static pthread_barrier_t begin;

/* Whoever gets the mutex can give it back; whoever does not is told, and waits no longer. */
static void *locks(void *mutex) {
    int i;
    pthread_barrier_wait(&begin);
    for (i = 0; i < LOCKED; i++) {
        const swb_status status = swb_mutex_lock(mutex, SWB_FOREVER);
        if (status != SWB_OK) {
            CHECK(status, SWB_INVALID);
            return NULL;
        }
        CHECK(swb_mutex_unlock(mutex), SWB_OK);
    }
    return NULL;
}

static void a_mutex_is_destroyed_while_others_come(void) {
    pthread_t threads[LOCKERS];
    swb_mutex *mutex;
    int round, i;
    CHECK(pthread_barrier_init(&begin, NULL, LOCKERS + 1), 0);
    for (round = 0; round < ROUNDS; round++) {
        swb_status status;
        CHECK(swb_mutex_create(&mutex), SWB_OK);
        for (i = 0; i < LOCKERS; i++) CHECK(pthread_create(&threads[i], NULL, locks, mutex), 0);
        pthread_barrier_wait(&begin);
        do status = swb_mutex_destroy(mutex);
        while (status == SWB_BUSY);
        CHECK(status, SWB_OK);
        for (i = 0; i < LOCKERS; i++) CHECK(pthread_join(threads[i], NULL), 0);
        CHECK(swb_mutex_destroy(mutex), SWB_INVALID);
    }
    CHECK(pthread_barrier_destroy(&begin), 0);
}

/* The library's calls of poll() come here, in place of the system's: a signal comes by in each other one. */
int poll(struct pollfd *fds, nfds_t count, int milliseconds) {
    static int calls;
    struct timespec longest;
    if (calls++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    longest.tv_sec = milliseconds / 1000;
    longest.tv_nsec = milliseconds % 1000 * 1000000L;
    return (int)syscall(SYS_ppoll, fds, count, milliseconds < 0 ? NULL : &longest, NULL, (size_t)0);
}

/* A signal that comes while the system is asked makes no failure of it. */
static void signals_interrupt_nothing(void) {
    int fds[2], i;
    CHECK(pipe(fds), 0);
    for (i = 0; i < 5; i++) {
        CHECK(swb_wait_readable(fds[0], 0), SWB_TIMED_OUT);
        CHECK(swb_wait_readable(fds[0], 1000), SWB_TIMED_OUT);
        CHECK(swb_wait_writable(fds[1], SWB_FOREVER), SWB_OK);
    }
    CHECK(close(fds[0]) | close(fds[1]), 0);
    CHECK(swb_wait_readable(fds[0], 0), SWB_INVALID);
}

/* What runs at the very end of a thread is told that its coroutines never run again. */
static pthread_key_t last;
static swb_co *left;

static swb_status yields(swb_co *self, void *data, uintptr_t *result) {
    (void)data;
    (void)result;
    return swb_yield(self, 1, NULL);
}

static void at_the_end(void *data) {
    (void)data;
    CHECK(swb_resume(left, NULL), SWB_ABANDONED);
    CHECK(swb_state(left), SWB_STATE_FINISHED);
    CHECK(swb_close(left, NULL), SWB_ABANDONED);
    CHECK(swb_result(left, NULL), SWB_UNFINISHED);
    CHECK(swb_destroy(left), SWB_ABANDONED);
    CHECK(swb_destroy(left), SWB_INVALID);
    /* And new ones are not, until they are another thread's. */
    CHECK(swb_create(&left, yields, NULL, NULL), SWB_OK);
    CHECK(swb_resume(left, NULL), SWB_YIELDED);
}

static void *leaves_one(void *data) {
    CHECK(swb_create(&left, yields, NULL, NULL), SWB_OK);
    CHECK(swb_resume(left, NULL), SWB_YIELDED);
    CHECK(pthread_setspecific(last, &last), 0);
    return data;
}

/* On a thread that may have the place of the one that has ended. */
static void *resumes_it(void *data) {
    CHECK(swb_resume(left, NULL), SWB_WRONG_THREAD);
    CHECK(swb_destroy(left), SWB_WRONG_THREAD);
    return data;
}

static void a_thread_ends(void) {
    pthread_t thread;
    CHECK(pthread_key_create(&last, at_the_end), 0);
    CHECK(pthread_create(&thread, NULL, leaves_one, NULL), 0);
    CHECK(pthread_join(thread, NULL), 0);
    CHECK(pthread_create(&thread, NULL, resumes_it, NULL), 0);
    CHECK(pthread_join(thread, NULL), 0);
}

/* A task that does not leave is given up by its runtime, and whoever joins it is told. */
static swb_task *given_up;
static int is_begun;

static swb_status never_leaves(void *data, uintptr_t *result) {
    (void)data;
    (void)result;
    is_begun = 1;
    while (swb_park(SWB_FOREVER) != SWB_INVALID) continue;
    return SWB_OK;
}

static void *joins(void *data) {
    int32_t ended = 1;
    CHECK(swb_join(given_up, SWB_FOREVER, &ended, NULL), SWB_OK);
    CHECK(ended, SWB_CANCELLED);
    return data;
}

static swb_status leaves_one_behind(void *thread, uintptr_t *result) {
    (void)result;
    CHECK(swb_spawn(&given_up, never_leaves, NULL, NULL), SWB_OK);
    while (!is_begun) CHECK(swb_task_yield(), SWB_OK);
    CHECK(pthread_create(thread, NULL, joins, NULL), 0);
    return SWB_OK;
}

static void ignores(void *data, const char *text) {
    (void)data;
    (void)text;
}

static void a_task_is_given_up(void) {
    swb_run_options options = SWB_RUN_OPTIONS_INIT;
    pthread_t thread;
    options.workers = 1;
    options.grace = 1000000;
    CHECK(swb_set_report_hook(ignores, NULL), SWB_OK);
    CHECK(swb_run(leaves_one_behind, &thread, &options, NULL, NULL), SWB_OK);
    CHECK(pthread_join(thread, NULL), 0);
    CHECK(swb_set_report_hook(NULL, NULL), SWB_OK);
}

/* A stack in a frame of another coroutine: each knows who runs. */
static swb_status asks(swb_co *self, void *data, uintptr_t *result) {
    (void)data;
    CHECK(swb_current() == self, 1);
    CHECK(swb_yield(self, 1, result), SWB_OK);
    CHECK(swb_current() == self, 1);
    return SWB_OK;
}

static swb_status lends_its_frame(swb_co *self, void *data, uintptr_t *result) {
    char memory[64 * 1024];
    swb_options options = SWB_OPTIONS_INIT;
    swb_co *inner;
    (void)data;
    (void)result;
    options.stack = memory;
    options.stack_size = sizeof memory;
    CHECK(swb_create(&inner, asks, NULL, &options), SWB_OK);
    CHECK(swb_resume(inner, NULL), SWB_YIELDED);
    CHECK(swb_current() == self, 1);
    CHECK(swb_resume(inner, NULL), SWB_RETURNED);
    CHECK(swb_destroy(inner), SWB_OK);
    return SWB_OK;
}

static void a_stack_is_in_a_frame(void) {
    swb_co *co;
    CHECK(swb_create(&co, lends_its_frame, NULL, NULL), SWB_OK);
    CHECK(swb_resume(co, NULL), SWB_RETURNED);
    CHECK(swb_destroy(co), SWB_OK);
}

int main(void) {
    a_stack_is_in_a_frame();
    a_thread_ends();
    a_task_is_given_up();
    a_mutex_is_destroyed_while_others_come();
    signals_interrupt_nothing();
    puts("all is well");
    return 0;
}
