// What the programs in C++ share: `PROGRAM WORKLOAD N` prints `ns=CPU_TIME sum=SUM`, `PROGRAM version` what it is made with.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <string>

struct outcome {
    uint64_t ns, sum;
};

inline uint64_t cpu_time() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return uint64_t(time.tv_sec) * 1000000000 + uint64_t(time.tv_nsec);
}

template <typename F> outcome timed(F work) {
    const uint64_t start = cpu_time();
    const uint64_t sum = work();
    return {cpu_time() - start, sum};
}

inline int peer_main(int argc, char **argv, const char *version, const std::map<std::string, std::function<outcome(uint64_t)>> &workloads) {
    if (argc == 2 && !strcmp(argv[1], "version")) {
        puts(version);
        return 0;
    }
    const auto found = argc == 3 ? workloads.find(argv[1]) : workloads.end();
    if (found == workloads.end()) {
        fprintf(stderr, "usage: %s WORKLOAD N\n", argv[0]);
        return 2;
    }
    const uint64_t n = strtoull(argv[2], nullptr, 10);
    // Once to warm up, but for what is created to be kept.
    if (found->first != "create-fresh") found->second((n / 10 + 99) / 100 * 100);
    const outcome result = found->second(n);
    printf("ns=%llu sum=%llu\n", (unsigned long long)result.ns, (unsigned long long)result.sum);
    fflush(stdout);
    _Exit(0);
}
