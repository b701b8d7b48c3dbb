/*
 * A round trip, resume and yield, by this library and by its peers, in one process and interleaved.
 *
 *   bench           the table: nanoseconds, the median and the least of the rounds
 *   bench --test    checks that every row computes the right sums, and times nothing
 */

#define _POSIX_C_SOURCE 199309L
#include "bench.h"
#include <string.h>
#include <time.h>

static const struct row *const ROWS[] = {
    &library_row, &inline_row, &ucontext_row, &boost_row, &minicoro_row, &libco_row,
};
enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0], DEPTHS = 2, ROUNDS = 31, OURS = 2 };
static const int CALLS_DOWN[DEPTHS] = { 0, 4 };

static double now(void) {
    struct timespec time;
    MUST(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* One fresh coroutine, resumed so often; nanoseconds for each. */
static double measure(const struct row *row, int calls_down, uint64_t times) {
    enum { FIRST = 100 };
    double start, end;
    uint64_t sum;
    row->start(calls_down);
    sum = row->run(FIRST);
    start = now();
    sum += row->run(times);
    end = now();
    row->stop();
    MUST(sum == (times + FIRST) * (times + FIRST - 1) / 2);
    return (end - start) / (double)times;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static double all[ROW_COUNT][DEPTHS][ROUNDS], ratios[ROUNDS];
    static double best[DEPTHS][ROUNDS];
    const int is_test = argc > 1 && strcmp(argv[1], "--test") == 0;
    const uint64_t times = is_test ? 1000 : 200000;
    const int rounds = is_test ? 1 : ROUNDS;
    int round, depth, i;

    for (round = 0; round < rounds; round++)
        for (i = 0; i < (int)ROW_COUNT; i++)
            for (depth = 0; depth < DEPTHS; depth++)
                all[i][depth][round] = measure(ROWS[i], CALLS_DOWN[depth], ROWS[i] == &ucontext_row ? times / 20 : times);
    if (is_test) {
        printf("all sums are right\n");
        return 0;
    }
    /* The best peer is the one with the least median, at each depth. */
    for (depth = 0; depth < DEPTHS; depth++) {
        double least = 1e300;
        for (i = OURS; i < (int)ROW_COUNT; i++) {
            double sorted[ROUNDS];
            memcpy(sorted, all[i][depth], sizeof sorted);
            qsort(sorted, ROUNDS, sizeof sorted[0], by_value);
            if (sorted[ROUNDS / 2] < least) {
                least = sorted[ROUNDS / 2];
                memcpy(best[depth], all[i][depth], sizeof best[depth]);
            }
        }
    }
    printf("nanoseconds for a resume and a yield: the median and the least of %d rounds; the ratio to the best peer\n", ROUNDS);
    printf("%-32s  %-25s  %s\n", "", "in the body", "four calls down");
    for (i = 0; i < (int)ROW_COUNT; i++) {
        printf("%-32s", ROWS[i]->name);
        for (depth = 0; depth < DEPTHS; depth++) {
            for (round = 0; round < ROUNDS; round++) ratios[round] = all[i][depth][round] / best[depth][round];
            qsort(ratios, ROUNDS, sizeof ratios[0], by_value);
            qsort(all[i][depth], ROUNDS, sizeof(double), by_value);
            printf("  %7.2f %7.2f  %5.2f  ", all[i][depth][ROUNDS / 2], all[i][depth][0], ratios[ROUNDS / 2]);
        }
        printf("\n");
    }
    return 0;
}
