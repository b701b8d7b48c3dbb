/* Misuse is a status and never a crash; and what the examples do not show. Linked with the library by tests/capi.rs. */

#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <switchback.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

static swb_status echo(swb_co *self, void *data, uintptr_t *result) {
    uintptr_t sent = 0;
    swb_status status;
    (void)data;
    CHECK(swb_current() == self, 1);
    CHECK(swb_state(self), SWB_STATE_RUNNING);
    CHECK(swb_resume(self, NULL), SWB_RUNNING);
    CHECK(swb_close(self, NULL), SWB_RUNNING);
    CHECK(swb_destroy(self), SWB_RUNNING);
    CHECK(swb_destroy_discard(self), SWB_RUNNING);
    CHECK(swb_yield_from(self, self, NULL), SWB_RUNNING);
    while ((status = swb_yield(self, sent, &sent)) == SWB_OK) *result = sent;
    return status;
}

static swb_status stubborn(swb_co *self, void *data, uintptr_t *result) {
    (void)data;
    (void)result;
    while (swb_yield(self, 5, NULL) != SWB_INVALID) continue;
    return SWB_OK;
}

static swb_status outer(swb_co *self, void *data, uintptr_t *result) {
    return swb_yield_from(self, data, result);
}

static swb_status through_other(swb_co *self, void *data, uintptr_t *result) {
    (void)self;
    (void)result;
    CHECK(swb_yield(data, 1, NULL), SWB_OUTSIDE);
    return (swb_status)77;
}

static void *elsewhere(void *co) {
    uintptr_t value;
    CHECK(swb_resume(co, &value), SWB_WRONG_THREAD);
    CHECK(swb_destroy(co), SWB_WRONG_THREAD);
    CHECK(swb_state(co), SWB_STATE_INVALID);
    CHECK(swb_yield(co, 1, NULL), SWB_OUTSIDE);
    return NULL;
}

/* Who runs, where stacks are the pool's and the program's own. */
static swb_status asks(swb_co *self, void *data, uintptr_t *result) {
    swb_status status;
    (void)data;
    CHECK(swb_current() == self, 1);
    status = swb_yield(self, 1, result);
    CHECK(swb_current() == self, 1);
    return status;
}

static swb_status has_two(swb_co *self, void *data, uintptr_t *result) {
    static char memory[64 * 1024];
    swb_options options = SWB_OPTIONS_INIT;
    swb_co *inner[2];
    int i;
    (void)data;
    (void)result;
    options.stack = memory;
    options.stack_size = sizeof memory;
    for (i = 0; i < 2; i++) {
        CHECK(swb_create(&inner[0], asks, NULL, &options), SWB_OK);
        CHECK(swb_create(&inner[1], asks, NULL, NULL), SWB_OK);
        CHECK(swb_resume(inner[0], NULL), SWB_YIELDED);
        CHECK(swb_current() == self, 1);
        CHECK(swb_yield_from(self, inner[1], NULL), SWB_OK);
        CHECK(swb_current() == self, 1);
        CHECK(swb_resume(inner[0], NULL), SWB_RETURNED);
        CHECK(swb_destroy(inner[0]), SWB_OK);
        CHECK(swb_destroy(inner[1]), SWB_OK);
    }
    return SWB_OK;
}

static swb_status is_none(void *data, uintptr_t *result) {
    (void)data;
    (void)result;
    CHECK(swb_current() == NULL, 1);
    return SWB_OK;
}

static void it_is_known_who_runs(void) {
    swb_run_options options = SWB_RUN_OPTIONS_INIT;
    swb_options large = SWB_OPTIONS_INIT;
    swb_co *co, *others[3];
    int i;
    CHECK(swb_create(&co, has_two, NULL, NULL), SWB_OK);
    for (i = 0; i < 3; i++) {
        CHECK(swb_create(&others[i], asks, NULL, NULL), SWB_OK);
        CHECK(swb_resume(others[i], NULL), SWB_YIELDED);
        CHECK(swb_current() == NULL, 1);
    }
    CHECK(swb_resume(co, NULL), SWB_YIELDED);
    CHECK(swb_resume(others[1], NULL), SWB_RETURNED);
    CHECK(swb_current() == NULL, 1);
    CHECK(swb_resume(co, NULL), SWB_YIELDED);
    CHECK(swb_resume(co, NULL), SWB_RETURNED);
    CHECK(swb_destroy(co), SWB_OK);
    for (i = 0; i < 3; i++) CHECK(swb_destroy(others[i]), SWB_OK);
    /* A task gets a stack that one of them has had, and what else that one had is another's. */
    large.stack_size = 1024 * 1024;
    CHECK(swb_create(&co, asks, NULL, &large), SWB_OK);
    options.main_stack_size = 256 * 1024;
    CHECK(swb_run(is_none, NULL, &options, NULL, NULL), SWB_OK);
    CHECK(swb_destroy(co), SWB_OK);
}

static void coroutines(void) {
    swb_options options = SWB_OPTIONS_INIT;
    swb_co *co, *stale, *delegator;
    uintptr_t value = 9;
    swb_error error;
    pthread_t thread;

    CHECK(swb_version(), SWB_VERSION);
    CHECK(swb_create(NULL, echo, NULL, NULL), SWB_INVALID);
    CHECK(swb_create(&co, NULL, NULL, NULL), SWB_INVALID);
    CHECK(swb_resume(NULL, &value), SWB_INVALID);
    CHECK(swb_yield(NULL, 1, &value), SWB_INVALID);
    CHECK(swb_destroy(NULL), SWB_INVALID);
    CHECK(swb_state(NULL), SWB_STATE_INVALID);
    CHECK(swb_current() == NULL, 1);
    options.size = 0;
    CHECK(swb_create(&co, echo, NULL, &options), SWB_INVALID);
    options.size = SIZE_MAX;
    CHECK(swb_create(&co, echo, NULL, &options), SWB_INVALID);
    options.size = sizeof options;
    options.stack_size = SIZE_MAX;
    CHECK(swb_create(&co, echo, NULL, &options), SWB_NO_STACK);
    CHECK(swb_last_error()[0] != 0, 1);
    options.stack = &value;
    CHECK(swb_create(&co, echo, NULL, &options), SWB_INVALID);
    options.stack_size = 8;
    CHECK(swb_create(&co, echo, NULL, &options), SWB_NO_STACK);

    CHECK(swb_create(&co, echo, NULL, NULL), SWB_OK);
    CHECK(swb_state(co), SWB_STATE_CREATED);
    CHECK(swb_send(co, 1, &value), SWB_NOT_STARTED);
    CHECK(swb_result(co, &value), SWB_UNFINISHED);
    CHECK(swb_start(co, &value), SWB_YIELDED);
    CHECK(swb_start(co, &value), SWB_STARTED);
    CHECK(swb_send(co, UINTPTR_MAX, &value), SWB_YIELDED);
    CHECK(value == UINTPTR_MAX, 1);
    CHECK(swb_yield(co, 1, &value), SWB_OUTSIDE);
    CHECK(swb_raise(co, 1, NULL), SWB_OUTSIDE);
    CHECK(pthread_create(&thread, NULL, elsewhere, co), 0);
    CHECK(pthread_join(thread, NULL), 0);
    CHECK(swb_throw(co, 3, &value, NULL), SWB_THROWN);
    CHECK(swb_thrown(co, &error), SWB_OK);
    CHECK(error.code == 3 && error.data == &value, 1);
    CHECK(swb_result(co, NULL), SWB_THROWN);
    CHECK(swb_resume(co, NULL), SWB_FINISHED);
    CHECK(swb_throw(co, 1, NULL, NULL), SWB_FINISHED);
    CHECK(swb_close(co, NULL), SWB_OK);
    stale = co;
    CHECK(swb_destroy(co), SWB_OK);
    CHECK(swb_destroy(stale), SWB_INVALID);
    /* The same memory, and another handle. */
    CHECK(swb_create(&co, through_other, co, NULL), SWB_OK);
    CHECK(co == stale, 0);
    CHECK(swb_resume(stale, NULL), SWB_INVALID);
    CHECK(swb_destroy(co), SWB_OK);

    /* A yield by another coroutine's handle, and a status of one's own. */
    CHECK(swb_create(&delegator, echo, NULL, NULL), SWB_OK);
    CHECK(swb_start(delegator, NULL), SWB_YIELDED);
    CHECK(swb_create(&co, through_other, delegator, NULL), SWB_OK);
    CHECK(swb_resume(co, NULL), SWB_THROWN);
    CHECK(swb_thrown(co, &error), SWB_OK);
    CHECK(error.code, 77);
    CHECK(swb_destroy(co), SWB_OK);
    CHECK(swb_destroy(delegator), SWB_OK);

    /* One that ignores its exit is leaked. */
    CHECK(swb_create(&co, stubborn, NULL, NULL), SWB_OK);
    CHECK(swb_resume(co, NULL), SWB_YIELDED);
    CHECK(swb_throw_exit(co, NULL), SWB_YIELDED);
    CHECK(swb_close(co, &value), SWB_IGNORED);
    CHECK(value, 5);
    CHECK(swb_destroy(co), SWB_IGNORED);
    CHECK(swb_destroy(co), SWB_INVALID);

    /* A delegate is not its delegator's to resume, and is given back when that is discarded. */
    CHECK(swb_create(&co, echo, NULL, NULL), SWB_OK);
    CHECK(swb_create(&delegator, outer, co, NULL), SWB_OK);
    CHECK(swb_resume(delegator, NULL), SWB_YIELDED);
    CHECK(swb_resume(co, NULL), SWB_RUNNING);
    CHECK(swb_destroy(co), SWB_RUNNING);
    CHECK(swb_send(delegator, 6, &value), SWB_YIELDED);
    CHECK(value, 6);
    CHECK(swb_destroy_discard(delegator), SWB_OK);
    CHECK(swb_send(co, 7, &value), SWB_YIELDED);
    CHECK(value, 7);
    CHECK(swb_destroy(co), SWB_EXIT - SWB_EXIT);
}

enum { MANY = 100000, ALIVE = 1000 };

static void many(void) {
    static swb_co *alive[ALIVE];
    size_t i;
    for (i = 0; i < MANY; i++) {
        swb_co **co = &alive[i % ALIVE];
        uintptr_t value;
        if (*co != NULL) {
            CHECK(swb_send(*co, i, &value), SWB_YIELDED);
            CHECK(value, i);
            CHECK(swb_destroy(*co), SWB_OK);
        }
        CHECK(swb_create(co, echo, NULL, NULL), SWB_OK);
        CHECK(swb_resume(*co, NULL), SWB_YIELDED);
    }
    for (i = 0; i < ALIVE; i++) CHECK(swb_destroy(alive[i]), SWB_OK);
}

static swb_channel *channel;
static swb_mutex *mutex;

static swb_status producer(void *data, uintptr_t *result) {
    uintptr_t i;
    (void)data;
    for (i = 1; i <= 100; i++) {
        swb_status status = swb_channel_send(channel, i, SWB_FOREVER);
        if (status != SWB_OK) return status;
    }
    *result = 100;
    return swb_channel_close(channel);
}

static swb_status sleeper(void *data, uintptr_t *result) {
    (void)data;
    (void)result;
    return swb_sleep(UINT64_C(3600000000000));
}

static swb_status reader(void *fd, uintptr_t *result) {
    char byte = 0;
    const swb_status status = swb_wait_readable(*(int *)fd, SWB_FOREVER);
    if (status != SWB_OK) return status;
    CHECK(read(*(int *)fd, &byte, 1), 1);
    *result = (uintptr_t)byte;
    return SWB_OK;
}

static swb_status writer(void *fd, uintptr_t *result) {
    (void)result;
    return swb_wait_writable(*(int *)fd, SWB_FOREVER);
}

static void fill(int fd) {
    static const char bytes[4096];
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, bytes, sizeof bytes) > 0) continue;
}

/* In a task, and on a thread that runs none. */
static void descriptors(void) {
    const int file = open("/dev/null", O_RDWR);
    char buffer[4096];
    int fds[2], i;
    CHECK(swb_wait_readable(-1, SWB_FOREVER), SWB_INVALID);
    CHECK(swb_wait_writable(12345, SWB_FOREVER), SWB_INVALID);
    CHECK(swb_wait_readable(file, SWB_FOREVER), SWB_OK);
    CHECK(close(file), 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK(swb_wait_readable(fds[0], 0), SWB_TIMED_OUT);
    CHECK(swb_wait_readable(fds[0], 1000), SWB_TIMED_OUT);
    for (i = 0; i < 10; i++) CHECK(swb_wait_writable(fds[0], SWB_FOREVER), SWB_OK);
    CHECK(write(fds[1], "x", 1), 1);
    CHECK(swb_wait_readable(fds[0], SWB_FOREVER), SWB_OK);
    CHECK(read(fds[0], buffer, 1), 1);
    fill(fds[0]);
    CHECK(swb_wait_writable(fds[0], 1000), SWB_TIMED_OUT);
    /* The other side is gone: a call would tell. */
    CHECK(close(fds[1]), 0);
    CHECK(swb_wait_writable(fds[0], SWB_FOREVER), SWB_OK);
    CHECK(swb_wait_readable(fds[0], SWB_FOREVER), SWB_OK);
    CHECK(close(fds[0]), 0);
    CHECK(swb_wait_readable(fds[0], 0), SWB_INVALID);
}

/* Two tasks at one descriptor, and one that is closed while a task waits for it. */
static void descriptors_of_tasks(void) {
    swb_task *reads, *writes;
    char buffer[4096];
    int32_t ended = 1;
    uintptr_t value;
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fill(fds[0]);
    CHECK(swb_spawn(&reads, reader, &fds[0], NULL), SWB_OK);
    CHECK(swb_spawn(&writes, writer, &fds[0], NULL), SWB_OK);
    CHECK(swb_join(reads, 1000000, NULL, NULL), SWB_TIMED_OUT);
    CHECK(swb_join(writes, 0, NULL, NULL), SWB_TIMED_OUT);
    CHECK(write(fds[1], "y", 1), 1);
    CHECK(swb_join(reads, SWB_FOREVER, &ended, &value), SWB_OK);
    CHECK(ended, SWB_OK);
    CHECK(value, 'y');
    CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    while (read(fds[1], buffer, sizeof buffer) > 0) continue;
    CHECK(swb_join(writes, SWB_FOREVER, &ended, NULL), SWB_OK);
    CHECK(ended, SWB_OK);

    CHECK(swb_spawn(&reads, reader, &fds[0], NULL), SWB_OK);
    CHECK(swb_join(reads, 1000000, NULL, NULL), SWB_TIMED_OUT);
    CHECK(close(fds[0]), 0);
    CHECK(swb_cancel(reads), SWB_OK);
    CHECK(swb_join(reads, SWB_FOREVER, &ended, NULL), SWB_OK);
    CHECK(ended, SWB_CANCELLED);
    CHECK(close(fds[1]), 0);
}

static swb_status sets(void *flag, uintptr_t *result) {
    (void)result;
    *(int *)flag = 1;
    return SWB_OK;
}

/* On one worker: who waits for what is always ready lets the others run, and so does who asks again and again. */
static swb_status is_polite(void *data, uintptr_t *result) {
    int fds[2], flag = 0, i;
    swb_task *task;
    (void)data;
    (void)result;
    CHECK(pipe(fds), 0);
    CHECK(swb_spawn(&task, sets, &flag, NULL), SWB_OK);
    for (i = 0; i < 1000 && flag == 0; i++) CHECK(swb_wait_writable(fds[1], SWB_FOREVER), SWB_OK);
    CHECK(flag, 1);
    CHECK(swb_detach(task), SWB_OK);
    flag = 0;
    CHECK(swb_spawn(NULL, sets, &flag, NULL), SWB_OK);
    for (i = 0; i < 1000 && flag == 0; i++) CHECK(swb_wait_readable(fds[0], 0), SWB_TIMED_OUT);
    CHECK(flag, 1);
    CHECK(close(fds[0]), 0);
    CHECK(close(fds[1]), 0);
    return SWB_OK;
}

static void *answer(void *resumer) {
    CHECK(swb_resumer_send(resumer, 42), SWB_OK);
    CHECK(swb_resumer_send(resumer, 42), SWB_INVALID);
    return NULL;
}

static void ask(swb_resumer *resumer, void *thread) {
    CHECK(pthread_create(thread, NULL, answer, resumer), 0);
}

static void keep(swb_resumer *resumer, void *place) { *(swb_resumer **)place = resumer; }

/* What an offloaded function shares with the task that has it run. */
typedef struct work {
    int gate[2];         /* it returns when something is to be read here; -1: at once */
    pthread_t thread;    /* where it has run */
    uintptr_t value;     /* what it returns */
    int begun[2];        /* it writes here when it begins; -1: not */
    int abandoned[2];    /* how it was given up is written here */
} work;

static uintptr_t works(void *data) {
    work *const self = data;
    char byte = 1;
    self->thread = pthread_self();
    CHECK(swb_spawn(NULL, sleeper, NULL, NULL), SWB_NO_RUNTIME);
    CHECK(swb_current() == NULL, 1);
    if (self->begun[1] >= 0) CHECK(write(self->begun[1], &byte, 1), 1);
    if (self->gate[0] >= 0) CHECK(read(self->gate[0], &byte, 1), 1);
    return self->value;
}

static void is_abandoned(void *data, int32_t has_run, uintptr_t value) {
    work *const self = data;
    const char byte = (char)(has_run ? value : 100);
    CHECK(write(self->abandoned[1], &byte, 1), 1);
}

static swb_status offloads(void *data, uintptr_t *result) {
    return swb_offload(works, data, is_abandoned, SWB_FOREVER, result);
}

/* In a task, with one thread for what is offloaded. */
static swb_status offloading(void *data, uintptr_t *result) {
    work at_once = { { -1, -1 }, 0, 3, { -1, -1 }, { -1, -1 } }, late = at_once, never = at_once;
    swb_task *task;
    uintptr_t value = 0;
    int32_t ended = 1;
    char byte = 0;
    (void)data;
    (void)result;
    at_once.thread = pthread_self();
    CHECK(swb_offload(NULL, NULL, NULL, SWB_FOREVER, NULL), SWB_INVALID);
    CHECK(swb_offload(works, &at_once, NULL, 1000, NULL), SWB_INVALID);
    CHECK(swb_offload(works, &at_once, NULL, SWB_FOREVER, &value), SWB_OK);
    CHECK(value, 3);
    CHECK(pthread_equal(at_once.thread, pthread_self()), 0);
    CHECK(swb_offload(works, &at_once, is_abandoned, SWB_FOREVER, NULL), SWB_OK);

    /* One that has begun is left behind; one that waits for its thread never begins. */
    late.value = 7;
    CHECK(pipe(late.gate), 0);
    CHECK(pipe(late.begun), 0);
    CHECK(pipe(late.abandoned), 0);
    CHECK(pipe(never.abandoned), 0);
    CHECK(swb_spawn(&task, offloads, &late, NULL), SWB_OK);
    CHECK(swb_wait_readable(late.begun[0], SWB_FOREVER), SWB_OK);
    CHECK(swb_offload(works, &never, is_abandoned, 1000, &value), SWB_TIMED_OUT);
    CHECK(read(never.abandoned[0], &byte, 1), 1);
    CHECK(byte, 100);
    CHECK(swb_cancel(task), SWB_OK);
    CHECK(swb_join(task, SWB_FOREVER, &ended, NULL), SWB_OK);
    CHECK(ended, SWB_CANCELLED);
    CHECK(swb_wait_readable(late.abandoned[0], 0), SWB_TIMED_OUT);
    CHECK(write(late.gate[1], &byte, 1), 1);
    CHECK(swb_wait_readable(late.abandoned[0], SWB_FOREVER), SWB_OK);
    CHECK(read(late.abandoned[0], &byte, 1), 1);
    CHECK(byte, 7);
    for (int end = 0; end < 2; end++) {
        CHECK(close(late.gate[end]) | close(late.begun[end]), 0);
        CHECK(close(late.abandoned[end]) | close(never.abandoned[end]), 0);
    }
    return SWB_OK;
}

static void offloading_outside(void) {
    work at_once = { { -1, -1 }, 0, 5, { -1, -1 }, { -1, -1 } };
    uintptr_t value = 0;
    CHECK(swb_offload(works, &at_once, is_abandoned, 0, &value), SWB_OK);
    CHECK(value, 5);
    CHECK(pthread_equal(at_once.thread, pthread_self()) != 0, 1);
}

static swb_status first(void *data, uintptr_t *result) {
    swb_task *task, *itself;
    uintptr_t value, sum = 0;
    int32_t ended = 1;
    pthread_t thread;
    swb_resumer *resumer;
    swb_error error;
    (void)data;
    CHECK(swb_run(first, NULL, NULL, NULL, NULL), SWB_NESTED);
    CHECK(swb_channel_create(&channel, 4), SWB_OK);
    CHECK(swb_channel_recv(channel, &value, 1000), SWB_TIMED_OUT);
    CHECK(swb_spawn(&task, producer, NULL, NULL), SWB_OK);
    while (swb_channel_recv(channel, &value, SWB_FOREVER) == SWB_OK) sum += value;
    CHECK(sum, 5050);
    CHECK(swb_join(task, SWB_FOREVER, &ended, &value), SWB_OK);
    CHECK(ended, SWB_OK);
    CHECK(value, 100);
    CHECK(swb_join(task, SWB_FOREVER, NULL, NULL), SWB_INVALID);
    CHECK(swb_channel_send(channel, 1, 0), SWB_CLOSED);
    CHECK(swb_channel_destroy(channel), SWB_OK);
    CHECK(swb_channel_destroy(channel), SWB_INVALID);
    CHECK(swb_channel_create(&channel, SIZE_MAX - 1), SWB_INVALID);

    CHECK(swb_spawn(&task, sleeper, NULL, NULL), SWB_OK);
    CHECK(swb_join(task, 1000, NULL, NULL), SWB_TIMED_OUT);
    CHECK(swb_cancel(task), SWB_OK);
    CHECK(swb_join(task, SWB_FOREVER, &ended, NULL), SWB_OK);
    CHECK(ended, SWB_CANCELLED);

    CHECK(swb_mutex_create(&mutex), SWB_OK);
    CHECK(swb_mutex_unlock(mutex), SWB_NOT_LOCKED);
    CHECK(swb_mutex_lock(mutex, 0), SWB_OK);
    CHECK(swb_mutex_lock(mutex, 1000), SWB_TIMED_OUT);
    CHECK(swb_mutex_destroy(mutex), SWB_BUSY);
    CHECK(swb_mutex_unlock(mutex), SWB_OK);
    CHECK(swb_mutex_destroy(mutex), SWB_OK);

    CHECK(swb_current_task(&itself), SWB_OK);
    CHECK(swb_unpark(itself), SWB_OK);
    CHECK(swb_park(SWB_FOREVER), SWB_OK);
    CHECK(swb_detach(itself), SWB_OK);
    CHECK(swb_unpark(itself), SWB_INVALID);

    CHECK(swb_suspend(ask, &thread, SWB_FOREVER, &value, &error), SWB_OK);
    CHECK(value, 42);
    CHECK(pthread_join(thread, NULL), 0);
    CHECK(swb_suspend(keep, &resumer, 1000, &value, &error), SWB_TIMED_OUT);
    CHECK(swb_resumer_throw(resumer, 1, NULL), SWB_CLOSED);

    descriptors();
    descriptors_of_tasks();
    *result = 1;
    return SWB_OK;
}

static void tasks(void) {
    swb_run_options options = SWB_RUN_OPTIONS_INIT;
    int32_t ended = 1;
    uintptr_t value = 0;
    CHECK(swb_spawn(NULL, first, NULL, NULL), SWB_NO_RUNTIME);
    CHECK(swb_join(NULL, 0, NULL, NULL), SWB_INVALID);
    CHECK(swb_run(NULL, NULL, NULL, NULL, NULL), SWB_INVALID);
    options.workers = SIZE_MAX;
    CHECK(swb_run(first, NULL, &options, NULL, NULL), SWB_INVALID);
    options.workers = 2;
    CHECK(swb_run(first, NULL, &options, &ended, &value), SWB_OK);
    CHECK(ended, SWB_OK);
    CHECK(value, 1);
    options.workers = 1;
    CHECK(swb_run(is_polite, NULL, &options, &ended, NULL), SWB_OK);
    CHECK(ended, SWB_OK);
    options.offload_threads = 1;
    CHECK(swb_run(offloading, NULL, &options, &ended, NULL), SWB_OK);
    CHECK(ended, SWB_OK);
}

/* In a virtual time, which is exact also when nobody has asked for the time before. */
static swb_status sleeps(void *data, uintptr_t *result) {
    const uint64_t before = swb_now();
    (void)data;
    CHECK(swb_sleep(1000000000), SWB_OK);
    *result = (uintptr_t)(swb_now() - before);
    return SWB_OK;
}

static void times(void) {
    swb_run_options options = SWB_RUN_OPTIONS_INIT;
    uintptr_t slept = 0;
    options.virtual_clock = 1;
    CHECK(swb_run(sleeps, NULL, &options, NULL, &slept), SWB_OK);
    CHECK(slept, 1000000000);
}

static void counts(void *count, const char *text) {
    CHECK(text[0] != 0, 1);
    ++*(int *)count;
}

static void reports(void) {
    int count = 0, i;
    swb_co *co;
    CHECK(swb_set_report_hook(counts, &count), SWB_OK);
    for (i = 0; i < 2; i++) {
        CHECK(swb_create(&co, stubborn, NULL, NULL), SWB_OK);
        CHECK(swb_resume(co, NULL), SWB_YIELDED);
        CHECK(swb_destroy(co), SWB_IGNORED);
        CHECK(count, 1);
        CHECK(swb_set_report_hook(NULL, NULL), SWB_OK);
    }
}

int main(void) {
    times();
    reports();
    coroutines();
    it_is_known_who_runs();
    many();
    descriptors();
    offloading_outside();
    tasks();
    puts("all is well");
    return 0;
}
