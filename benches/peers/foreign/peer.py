"""What the programs in Python share: `python3 PROGRAM WORKLOAD N` prints `ns=CPU_TIME sum=SUM`."""

import gc
import sys
import time


def timed(work):
    start = time.process_time_ns()
    total = work()
    return time.process_time_ns() - start, total


def main(workloads, *, warms_up=lambda name: True):
    if len(sys.argv) != 3 or sys.argv[1] not in workloads:
        sys.exit(f"usage: {sys.argv[0]} WORKLOAD N, where WORKLOAD is one of {' '.join(workloads)}")
    workload, n = workloads[sys.argv[1]], int(sys.argv[2])
    if warms_up(sys.argv[1]):
        workload(-(-n // 1000) * 100)
    gc.collect()
    ns, total = workload(n)
    print(f"ns={ns} sum={total}")
