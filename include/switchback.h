/*
 * switchback: stackful coroutines with Python's protocol, and a scheduler of tasks. C99 and C++11.
 *
 * docs/C.md is the guide. What holds everywhere:
 *
 * - What can fail returns a status, and never crashes on NULL, on a handle that was destroyed, or on the wrong thread: it
 *   returns SWB_INVALID or SWB_WRONG_THREAD. A pointer that was never a handle cannot be told. Places for results (`uintptr_t *`)
 *   may be NULL; then the result is dropped.
 * - Nothing unwinds through your frames. A throw, a close and a cancellation are statuses that your call returns; you clean up and
 *   return. `if (status != SWB_OK) return status;` passes on what came.
 * - A function that you give to the library must return: no longjmp, no pthread_exit, no C++ exception out of it. (An exception
 *   that leaves it ends the process, with a message.)
 * - Values are `uintptr_t`: numbers, or pointers to what the two sides agree on. The library never follows them.
 *
 * Here are: coroutines; tasks, channels of words, mutexes, the suspension primitive, waiting for descriptors, and offloading.
 * switchback_inline.h has resume, send and yield inline.
 */
#ifndef SWITCHBACK_H
#define SWITCHBACK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWB_VERSION_MAJOR 0
#define SWB_VERSION_MINOR 1
#define SWB_VERSION_PATCH 0
#define SWB_VERSION (SWB_VERSION_MAJOR * 10000 + SWB_VERSION_MINOR * 100 + SWB_VERSION_PATCH)

/* The SWB_VERSION that the library was built with. */
uint32_t swb_version(void);

/* What calls return. Negative: it did not do what it says. A refusal has changed nothing. */
typedef enum swb_status
#ifdef __cplusplus
    : int32_t /* as in C: so a body may end with a number of its own */
#endif
{
    SWB_OK = 0,            /* done; of a yield: a value was sent */
    SWB_YIELDED = 1,       /* the coroutine has yielded a value, and is suspended */
    SWB_RETURNED = 2,      /* the coroutine has returned a value, and has finished */
    SWB_EXIT = -1,         /* to a body: clean up and return; to others: the body has left. Python's GeneratorExit */
    SWB_THROWN = -2,       /* an error was thrown in, or has ended the body: swb_thrown() has it */
    SWB_NOT_STARTED = -3,  /* refused: a value was sent to a coroutine that has not started */
    SWB_STARTED = -4,      /* refused: it has been started before */
    SWB_FINISHED = -5,     /* refused: it has finished */
    SWB_RUNNING = -6,      /* refused: it is running, or another one delegates to it */
    SWB_UNFINISHED = -7,   /* there is no result yet */
    SWB_ABANDONED = -8,    /* its thread is ending: it will never run again */
    SWB_IGNORED = -9,      /* it was to exit, and yielded instead */
    SWB_OUTSIDE = -10,     /* refused: this call is for the body itself, on its own stack */
    SWB_PANICKING = -11,   /* refused: a panic (of Rust code) unwinds the thread */
    SWB_INVALID = -12,     /* refused: NULL, a handle that was destroyed, an argument that cannot be */
    SWB_WRONG_THREAD = -13, /* refused: the coroutine belongs to another thread */
    SWB_NO_STACK = -14,    /* no stack to be had: swb_last_error() says which limit was hit */
    SWB_PANIC = -15,       /* a bug of the library: swb_last_error() has its words */
    SWB_CANCELLED = -16,   /* the calling task was cancelled */
    SWB_TIMED_OUT = -17,   /* the time is over */
    SWB_CLOSED = -18,      /* the channel is closed; nobody will send; nobody waits any more */
    SWB_NO_RUNTIME = -19,  /* refused: not inside of swb_run */
    SWB_NESTED = -20,      /* refused: swb_run inside of a task */
    SWB_NOT_LOCKED = -21,  /* refused: nobody has the mutex */
    SWB_ITSELF = -22,      /* refused: a task would wait for itself */
    SWB_NO_THREAD = -23,   /* a thread could not be started */
    SWB_BUSY = -24,        /* refused: it is in use */
    SWB_IO = -25           /* the system refuses: swb_last_error() has its words */
} swb_status;

/* A few words on a status. Static: never NULL, never to be freed. */
const char *swb_status_string(int32_t status);

/*
 * The text of the last failure of this thread that had more to say than its status (SWB_NO_STACK, SWB_PANIC, SWB_IO, SWB_INVALID of
 * options), or "". It is the thread's, good until such a failure comes again: read it at once. Never NULL.
 */
const char *swb_last_error(void);

/*
 * Called with a line of text when something goes wrong that nobody is told by a status: a task that does not end, for
 * instance. Any thread calls it. Without a hook, or with NULL for one, the first report of each kind is written to stderr. SWB_OK.
 */
typedef void (*swb_report_hook)(void *data, const char *text);
swb_status swb_set_report_hook(swb_report_hook hook, void *data);

/* ---- Coroutines ---------------------------------------------------------------------------------------------------------- */

/* A coroutine. It belongs to the thread that created it. */
typedef struct swb_co swb_co;

/* What is thrown: a code and a pointer, which the library does not look at. */
typedef struct swb_error {
    int32_t code;
    void *data;
} swb_error;

/*
 * A body. `self` is the coroutine, to yield by; hand it to the functions that are to yield. `*result` is 0.
 *
 * Return SWB_OK, with the result in `*result`; SWB_EXIT, to pass an exit on; SWB_THROWN, to end with the error that came in last, or
 * that swb_raise() has set. Any other status ends the coroutine with an error that has it for a code, and NULL for data. So what a
 * yield has returned may be returned as it is.
 */
typedef swb_status (*swb_body)(swb_co *self, void *data, uintptr_t *result);

/* How a coroutine differs from the default one. Begin with SWB_OPTIONS_INIT: later versions may have more fields. */
typedef struct swb_options {
    size_t size;       /* sizeof(swb_options) */
    size_t stack_size; /* the least size of its stack, in bytes; 0: 256 KiB, of which only what is touched takes memory */
    const char *name;  /* for reports and debuggers; copied; may be NULL */
    void *stack;       /* your own memory of stack_size bytes to run on, until the coroutine has ended: with a guard of yours, or
                          none. NULL: a stack of the library's, with a guard */
} swb_options;
#define SWB_OPTIONS_INIT { sizeof(swb_options), 0, NULL, NULL }

/*
 * Makes a coroutine. Nothing runs yet. `options` may be NULL. The handle is yours: swb_destroy() it. `data` is the body's argument; if
 * the coroutine is never started, the body never sees it. SWB_OK, SWB_INVALID, SWB_NO_STACK.
 */
swb_status swb_create(swb_co **co, swb_body body, void *data, const swb_options *options);

/*
 * Run the body up to its next yield or its end:
 *
 *   swb_start       from its beginning
 *   swb_resume      Python's next(): starts it, or has its yield return SWB_OK with 0
 *   swb_send        has its yield return SWB_OK with `value`
 *   swb_throw       has its yield return SWB_THROWN. One that has not started ends with the error
 *   swb_throw_exit  has its yield return SWB_EXIT, and takes any answer
 *
 * SWB_YIELDED, with the value in `*out`; SWB_RETURNED, with the result in `*out`; SWB_THROWN or SWB_EXIT, if the body has ended so.
 * Refusals: SWB_NOT_STARTED, SWB_STARTED, SWB_FINISHED, SWB_RUNNING, SWB_ABANDONED, SWB_INVALID, SWB_WRONG_THREAD. They cost nothing: what
 * was sent is still yours, and the coroutine is as it was.
 */
swb_status swb_start(swb_co *co, uintptr_t *out);
swb_status swb_resume(swb_co *co, uintptr_t *out);
swb_status swb_send(swb_co *co, uintptr_t value, uintptr_t *out);
swb_status swb_throw(swb_co *co, int32_t code, void *data, uintptr_t *out);
swb_status swb_throw_exit(swb_co *co, uintptr_t *out);

/*
 * Ends the coroutine: its yield returns SWB_EXIT. SWB_OK if the body passed that on, had not started, or had finished before;
 * SWB_RETURNED if it returned, with the result in `*out`; SWB_THROWN if it ended with an error; SWB_IGNORED if it yielded again: it
 * is suspended there, and the value is in `*out`. Refusals as above.
 */
swb_status swb_close(swb_co *co, uintptr_t *out);

/*
 * Closes the coroutine and frees the handle. NULL is SWB_INVALID. If the body ignores the exit, its stack is leaked with all that is
 * on it, which is reported, and this returns SWB_IGNORED; if it ends with an error, SWB_THROWN, and the error is lost: swb_close() first
 * if you want it; SWB_ABANDONED: leaked, too. The handle is gone in all of these. A coroutine that one which is leaked delegates to stays
 * SWB_RUNNING for ever. Refused, and the handle kept: SWB_RUNNING, SWB_WRONG_THREAD, SWB_INVALID.
 */
swb_status swb_destroy(swb_co *co);

/*
 * DANGEROUS. Frees the handle and the stack of a suspended coroutine without asking its body: what its frames own is leaked,
 * and everything that points to them dangles. For coroutines whose frames own nothing. Refusals as swb_destroy().
 * Where the library switches by corosensei (other CPUs, or its feature `fallback`), the stack is leaked.
 */
swb_status swb_destroy_discard(swb_co *co);

/* Where a coroutine is in its life. */
typedef enum swb_state_code {
    SWB_STATE_INVALID = 0, /* NULL, destroyed, or another thread's */
    SWB_STATE_CREATED = 1,
    SWB_STATE_SUSPENDED = 2,
    SWB_STATE_RUNNING = 3, /* it runs, or has resumed what runs, or another one delegates to it */
    SWB_STATE_FINISHED = 4 /* or abandoned */
} swb_state_code;
swb_state_code swb_state(swb_co *co);

/* How it has ended: SWB_RETURNED, with the result in `*value`; SWB_THROWN, SWB_EXIT; or SWB_UNFINISHED. */
swb_status swb_result(swb_co *co, uintptr_t *value);

/* The error that was thrown in last (to the body), or that it has ended with (to others); zeros if there was none. SWB_OK. */
swb_status swb_thrown(swb_co *co, swb_error *error);

/* The innermost coroutine on whose stack this is called, or NULL. It is borrowed. */
swb_co *swb_current(void);

/*
 * Suspends the body: hands `value` to whoever has resumed the coroutine. From its own stack only, at any depth: SWB_OUTSIDE elsewhere.
 * SWB_OK, with what was sent in `*sent`; SWB_THROWN, and swb_thrown() has the error; SWB_EXIT: clean up and return. A body that yields
 * after that has ignored the exit.
 */
swb_status swb_yield(swb_co *self, uintptr_t value, uintptr_t *sent);

/*
 * Delegates to another coroutine until it ends. Python's `yield from`: what is sent and thrown goes straight to `inner`, what it
 * yields straight to the consumer, at the same cost at any depth. SWB_OK, with what `inner` has returned in `*result`; SWB_THROWN, with
 * its error in swb_thrown(self); SWB_EXIT: `inner` was closed, and it is your turn; SWB_IGNORED: it ignored that. Or it was refused:
 * SWB_FINISHED, SWB_RUNNING, SWB_INVALID, SWB_WRONG_THREAD, SWB_OUTSIDE. `inner` stays yours to destroy.
 */
swb_status swb_yield_from(swb_co *self, swb_co *inner, uintptr_t *result);

/* Sets the error that the body ends with, and returns SWB_THROWN: `return swb_raise(self, 7, NULL);` */
swb_status swb_raise(swb_co *self, int32_t code, void *data);

/* ---- Tasks --------------------------------------------------------------------------------------------------------------- */

/*
 * Times are nanoseconds. A timeout of 0 does not wait for long, SWB_FOREVER is none. Calls that wait suspend the task and not its
 * thread; outside of tasks they block the thread, which cannot be cancelled. Where one would have to wait it returns SWB_CANCELLED
 * at once in a task that was cancelled, and so does each further call, until its function returns; except inside of swb_shield().
 * swb_task_yield(), swb_sleep(), swb_park() and those that wait for descriptors do so too where there is nothing to wait for.
 */
#define SWB_FOREVER UINT64_MAX

/* A task, a channel, a mutex, a resumer: handles that any thread may use. */
typedef struct swb_task swb_task;
typedef struct swb_channel swb_channel;
typedef struct swb_mutex swb_mutex;
typedef struct swb_resumer swb_resumer;

/* What a task runs. What it returns, and `*result`, which is 0 before, are handed to whoever joins it. */
typedef swb_status (*swb_task_function)(void *data, uintptr_t *result);

typedef struct swb_run_options {
    size_t size;            /* sizeof(swb_run_options) */
    size_t workers;         /* on how many threads, the calling one among them; 0: one for each CPU */
    size_t stack_size;      /* the least size of the stacks of tasks, in bytes; 0: 256 KiB */
    size_t main_stack_size; /* of the first task; 0: 2 MiB */
    uint64_t grace;         /* how long to wait for cancelled tasks at the end; 0: 5 s */
    int32_t virtual_clock;  /* not 0: time stands still while a task can run, and jumps when all wait. For tests */
    size_t offload_threads; /* how many threads swb_offload() may have; 0: 64 */
} swb_run_options;
#define SWB_RUN_OPTIONS_INIT { sizeof(swb_run_options), 0, 0, 0, 0, 0, 0 }

typedef struct swb_task_options {
    size_t size;       /* sizeof(swb_task_options) */
    size_t stack_size; /* 0: the runtime's */
    const char *name;  /* copied; may be NULL */
    int32_t pinned;    /* not 0: run it on the calling task's thread */
} swb_task_options;
#define SWB_TASK_OPTIONS_INIT { sizeof(swb_task_options), 0, NULL, 0 }

/*
 * Runs `function` as a task, on the calling thread, and others beside it, until it returns. Then the tasks that are left are cancelled,
 * and this waits until they have ended, or the grace period is over. SWB_OK, with what `function` has returned in `*ended` and `*result`;
 * SWB_NESTED, SWB_NO_THREAD, SWB_NO_STACK, SWB_INVALID.
 */
swb_status swb_run(swb_task_function function, void *data, const swb_run_options *options, int32_t *ended,
                   uintptr_t *result);

/*
 * Starts a task; any worker may run it, and where it begins it stays. With a NULL for `task` nobody will join it; else the handle is
 * yours: join or detach it. SWB_OK, SWB_NO_RUNTIME, SWB_NO_STACK, SWB_INVALID.
 */
swb_status swb_spawn(swb_task **task, swb_task_function function, void *data, const swb_task_options *options);

/*
 * Waits for a task to end. SWB_OK, with what its function has returned in `*ended` (SWB_CANCELLED if it was cancelled before its
 * first instruction, or did not leave in the grace period of its runtime; SWB_NO_STACK if there was none for it) and `*result`: then the
 * handle is gone. SWB_TIMED_OUT, SWB_CANCELLED (the caller), SWB_ITSELF, SWB_INVALID: it is not.
 */
swb_status swb_join(swb_task *task, uint64_t timeout, int32_t *ended, uintptr_t *result);

/* Frees the handle. The task goes on. */
swb_status swb_detach(swb_task *task);

/* A handle of the calling task, to unpark or cancel it by: swb_detach() it. It cannot be joined. SWB_NO_RUNTIME outside of tasks. */
swb_status swb_current_task(swb_task **task);

/* Asks a task to leave: its calls that wait return SWB_CANCELLED from now on. */
swb_status swb_cancel(swb_task *task);

/* Whether the calling task was cancelled: SWB_OK or SWB_CANCELLED. For loops that compute. */
swb_status swb_check_cancelled(void);

/* Runs `function` where the cancellation of what is around it does not reach: for cleaning up that waits. */
swb_status swb_shield(swb_task_function function, void *data, int32_t *ended, uintptr_t *result);

/* Lets other tasks run that are ready. */
swb_status swb_task_yield(void);

/* Waits for that long. */
swb_status swb_sleep(uint64_t nanoseconds);

/* Waits until swb_unpark() is called, or has been since the last time. It may also return SWB_OK early, without a reason. */
swb_status swb_park(uint64_t timeout);
swb_status swb_unpark(swb_task *task);

/* The time of the task's clock, in nanoseconds since some time in the past. Not set back. */
uint64_t swb_now(void);

/* ---- Channels of words: any number of senders and receivers, tasks and threads --------------------------------------------- */

#define SWB_UNBOUNDED SIZE_MAX

/* Room for `capacity` words, at most 2^24; 0: each is handed over when the two meet; SWB_UNBOUNDED: sending never waits. */
swb_status swb_channel_create(swb_channel **channel, size_t capacity);

/* Sends, and waits for room. SWB_OK; SWB_TIMED_OUT, SWB_CANCELLED, SWB_CLOSED, SWB_INVALID: nothing was sent. */
swb_status swb_channel_send(swb_channel *channel, uintptr_t value, uint64_t timeout);

/* Receives. SWB_OK; SWB_CLOSED: it was closed, and is empty; SWB_TIMED_OUT, SWB_CANCELLED, SWB_INVALID. */
swb_status swb_channel_recv(swb_channel *channel, uintptr_t *value, uint64_t timeout);

/* No further call sends; one that waits for room still does. What is in it can be received. SWB_CLOSED if it was closed before. */
swb_status swb_channel_close(swb_channel *channel);

/* Closes it, drops what is in it, and frees the handle. Who waits in it gets SWB_CLOSED. */
swb_status swb_channel_destroy(swb_channel *channel);

/* ---- Mutexes: given to those that wait in the order in which they came ----------------------------------------------------- */

swb_status swb_mutex_create(swb_mutex **mutex);

/* SWB_OK; SWB_TIMED_OUT, SWB_CANCELLED, SWB_INVALID: it is not locked. */
swb_status swb_mutex_lock(swb_mutex *mutex, uint64_t timeout);

/* Gives it to the next. It is not asked who has locked it: a task may, and another one unlock. SWB_NOT_LOCKED: nobody has it. */
swb_status swb_mutex_unlock(swb_mutex *mutex);

/* Frees it. SWB_BUSY if somebody has it. Whoever comes to lock it meanwhile gets SWB_INVALID. */
swb_status swb_mutex_destroy(swb_mutex *mutex);

/* ---- The suspension primitive: a callback becomes a call that waits -------------------------------------------------------- */

/* Leaves the resumer where whoever has the answer finds it, on any thread. It must not wait. */
typedef void (*swb_register)(swb_resumer *resumer, void *data);

/*
 * Calls `register_resumer`, then suspends the task until the resumer is used. SWB_OK, with what was sent in `*value`; SWB_THROWN, with the error
 * in `*error`; SWB_CLOSED: the resumer was dropped; SWB_TIMED_OUT, SWB_CANCELLED.
 */
swb_status swb_suspend(swb_register register_resumer, void *data, uint64_t timeout, uintptr_t *value, swb_error *error);

/*
 * Each uses the resumer up: use exactly one of them, once. SWB_OK; SWB_CLOSED: the task does not wait any more, and what you have sent is
 * still yours; SWB_INVALID: it was used before.
 */
swb_status swb_resumer_send(swb_resumer *resumer, uintptr_t value);
swb_status swb_resumer_throw(swb_resumer *resumer, int32_t code, void *data);
swb_status swb_resumer_drop(swb_resumer *resumer);

/* ---- Descriptors, on Unix -------------------------------------------------------------------------------------------------- */

#ifndef _WIN32
/*
 * Wait until a call of the system on `fd` would not wait: read(), recv(), accept(), or write(), send(), and the end of connect(). Any
 * number of tasks and threads may wait for one descriptor, and it may be closed meanwhile. It should not block (O_NONBLOCK),
 * as another task may be first: so try, and wait if that says EAGAIN.
 *
 * SWB_OK: try, also where it has failed or the other side is gone; SWB_TIMED_OUT, SWB_CANCELLED; SWB_INVALID: it is not open; SWB_IO: there
 * is no descriptor left to watch it by, for instance.
 */
swb_status swb_wait_readable(int fd, uint64_t timeout);
swb_status swb_wait_writable(int fd, uint64_t timeout);
#endif

/* ---- Work that blocks its thread ------------------------------------------------------------------------------------------- */

/* What is to be run beside the workers. It is in no task: calls of this library are there those of a thread. */
typedef uintptr_t (*swb_blocking)(void *data);

/*
 * Called once if the call of swb_offload() was cut short, when nobody uses `data` any more, on whatever thread. `has_run` is 0 if the
 * function never began; else `value` is what it has returned. It must not wait.
 */
typedef void (*swb_abandoned)(void *data, int32_t has_run, uintptr_t value);

/*
 * Runs `function` on a thread of the runtime's beside the workers, and suspends the task meanwhile: for what would hold up the worker
 * and its tasks, as files, getaddrinfo(), or a library that blocks. There are 64 such threads at most (swb_run_options), started when
 * they are needed. Outside of tasks it runs in place, and neither a timeout nor a cancellation ends it.
 *
 * With NULL for `abandoned` nothing cuts this short, so `data` may be on your stack, and `timeout` must be SWB_FOREVER: SWB_OK, with what
 * the function has returned in `*result`.
 *
 * Else it is cut short by SWB_TIMED_OUT and SWB_CANCELLED. Then `data` is no longer yours: the function may be running, as no thread can
 * be stopped, or never run; `abandoned` gets it, even before this returns. With SWB_OK it is not called. SWB_INVALID: nothing is.
 */
swb_status swb_offload(swb_blocking function, void *data, swb_abandoned abandoned, uint64_t timeout, uintptr_t *result);

#ifdef __cplusplus
}
#endif

#endif /* SWITCHBACK_H */
