/* The dialogues of a talk on Python's generators, in C: dialogues.py is the same in Python, dialogues.txt what both print. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <switchback.h>

/* The error that the averager answers. */
enum { RESET = 1, VALUE_ERROR = 2 };

/* Ends the program unless a call has done what it was to do. */
static void expect(swb_status is, swb_status wanted) {
    if (is != wanted) {
        fprintf(stderr, "%s, and not: %s\n", swb_status_string(is), swb_status_string(wanted));
        exit(1);
    }
}

static swb_co *make(swb_body body, void *data) {
    swb_co *co = NULL;
    expect(swb_create(&co, body, data, NULL), SWB_OK);
    return co;
}

static swb_status squares(swb_co *self, void *data, uintptr_t *result) {
    uintptr_t i, n = *(uintptr_t *)data;
    (void)result;
    for (i = 1; i <= n; i++) {
        swb_status status = swb_yield(self, i * i, NULL);
        if (status != SWB_OK) return status;
    }
    return SWB_OK;
}

/* Is sent numbers plus one; 0 ends it. */
static swb_status averager(swb_co *self, void *data, uintptr_t *result) {
    uintptr_t total = 0, count = 0, sent;
    (void)data;
    for (;;) {
        swb_error error;
        swb_status status = swb_yield(self, count ? total / count : 0, &sent);
        if (status == SWB_THROWN && swb_thrown(self, &error) == SWB_OK && error.code == RESET) {
            puts("reset");
            total = count = 0;
        } else if (status != SWB_OK) {
            return status;
        } else if (sent == 0) {
            *result = count;
            return SWB_OK;
        } else {
            total += sent - 1;
            count += 1;
        }
    }
}

static swb_status lines(swb_co *self, void *data, uintptr_t *result) {
    const char *name = data;
    swb_status status;
    (void)result;
    printf("%s is open\n", name);
    do status = swb_yield(self, 1, NULL);
    while (status == SWB_OK);
    if (status == SWB_EXIT) puts("asked to leave");
    printf("%s is closed\n", name);
    return status; /* passes on what has come: an exit, or an error */
}

struct range {
    const char *name;
    uintptr_t start, end;
};

/* A function that has `self` is called, and yields from its caller's coroutine. */
static swb_status internal(swb_co *self, const struct range *range, uintptr_t *result) {
    uintptr_t i, sent;
    for (i = range->start; i < range->end; i++) {
        swb_status status = swb_yield(self, i, &sent);
        if (status != SWB_OK) return status;
        printf("%s got %" PRIuPTR "\n", range->name, sent);
    }
    *result = range->end;
    return SWB_OK;
}

static swb_status second(swb_co *self, void *data, uintptr_t *result) {
    return internal(self, data, result);
}

static swb_status general(swb_co *self, void *data, uintptr_t *result) {
    struct range first = {"first", 1, 3}, rest = {"second", 0, 5};
    swb_status status = internal(self, &first, &rest.start);
    swb_co *inner;
    (void)data;
    if (status != SWB_OK) return status;
    /* And a coroutine of its own is delegated to. */
    inner = make(second, &rest);
    status = swb_yield_from(self, inner, result);
    swb_destroy(inner);
    return status;
}

int main(void) {
    uintptr_t n = 4, value, numbers[] = {10, 30, 5};
    const uintptr_t words[] = {40, 41, 42, 43};
    size_t i;
    swb_error error;
    swb_co *co = make(squares, &n);

    printf("squares:");
    while (swb_resume(co, &value) == SWB_YIELDED) printf(" %" PRIuPTR, value);
    puts("");
    expect(swb_destroy(co), SWB_OK);

    co = make(averager, NULL);
    expect(swb_start(co, NULL), SWB_YIELDED);
    for (i = 0; i < 3; i++) {
        expect(swb_send(co, numbers[i] + 1, &value), SWB_YIELDED);
        printf("average %" PRIuPTR "\n", value);
    }
    expect(swb_throw(co, RESET, NULL, &value), SWB_YIELDED);
    printf("average %" PRIuPTR "\n", value);
    expect(swb_send(co, 8 + 1, &value), SWB_YIELDED);
    printf("average %" PRIuPTR "\n", value);
    expect(swb_send(co, 0, &value), SWB_RETURNED);
    printf("returned %" PRIuPTR "\n", value);
    expect(swb_destroy(co), SWB_OK);

    co = make(lines, (void *)"first");
    expect(swb_resume(co, NULL), SWB_YIELDED);
    expect(swb_close(co, NULL), SWB_OK);
    expect(swb_destroy(co), SWB_OK);
    co = make(lines, (void *)"second");
    expect(swb_resume(co, NULL), SWB_YIELDED);
    expect(swb_throw(co, VALUE_ERROR, &n, NULL), SWB_THROWN);
    expect(swb_thrown(co, &error), SWB_OK);
    expect(error.code == VALUE_ERROR && error.data == &n ? SWB_OK : SWB_INVALID, SWB_OK);
    puts("came back: 7");
    expect(swb_destroy(co), SWB_OK);

    co = make(general, NULL);
    expect(swb_resume(co, &value), SWB_YIELDED);
    for (i = 0; i < 4; i++) {
        printf("yielded %" PRIuPTR "\n", value);
        expect(swb_send(co, words[i], &value), i < 3 ? SWB_YIELDED : SWB_RETURNED);
    }
    printf("returned %" PRIuPTR "\n", value);
    expect(swb_destroy(co), SWB_OK);

    co = make(general, NULL);
    expect(swb_send(co, 1, NULL), SWB_NOT_STARTED);
    puts("not started");
    expect(swb_destroy(co), SWB_OK);
    return 0;
}
