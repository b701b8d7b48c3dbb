// What the programs in Go share: `PROGRAM WORKLOAD N` prints `ns=CPU_TIME sum=SUM`.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// CPU time of the process so far, in nanoseconds.
func cpuTime() int64 {
	var time syscall.Timespec
	const processCPUTime = 2
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, processCPUTime, uintptr(unsafe.Pointer(&time)), 0)
	return time.Nano()
}

type outcome struct {
	ns  int64
	sum uint64
}

func timed(work func() uint64) outcome {
	start := cpuTime()
	sum := work()
	return outcome{cpuTime() - start, sum}
}

// One sum of n items of a generator, of which the first has been taken before.
func items(n uint64, next func() uint64) outcome {
	next()
	return timed(func() uint64 {
		var sum uint64
		for i := uint64(0); i < n; i++ {
			sum += next()
		}
		return sum
	})
}

// Yields so many calls down.
//
//go:noinline
func down(yield func(uint64), frames int, x uint64) {
	if frames > 1 {
		down(yield, frames-1, x)
	} else {
		yield(x)
	}
	runtime.KeepAlive(x)
}

// 0 before all that counts, then 0, 1, ..
func count(yield func(uint64), frames int, n uint64) {
	yield(0)
	for i := uint64(0); i <= n; i++ {
		if frames == 0 {
			yield(i)
		} else {
			down(yield, frames, i)
		}
	}
}

func walkFrames(yield func(uint64), low, high uint64) {
	if low < high {
		middle := (low + high) / 2
		walkFrames(yield, low, middle)
		yield(middle)
		walkFrames(yield, middle+1, high)
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM WORKLOAD N")
		os.Exit(2)
	}
	n, err := strconv.ParseUint(os.Args[2], 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	name := os.Args[1]
	if sweep(name, int(n)) {
		return
	}
	workload := workloads[name]
	if workload == nil {
		fmt.Fprintln(os.Stderr, "there is no workload", name)
		os.Exit(2)
	}
	// Once to warm up, but for what is created to be kept; a million are their own warm-up.
	first := (n/10 + 99) / 100 * 100
	if name == "create-fresh" || name == "million" || name == "skynet" {
		first = 0
	} else if name == "million-again" {
		first = n
	}
	if first != 0 {
		workload(first)
		runtime.GC()
	}
	result := workload(n)
	fmt.Printf("ns=%d sum=%d\n", result.ns, result.sum)
}
