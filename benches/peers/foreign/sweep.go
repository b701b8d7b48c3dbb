// Many live goroutines, each of which waits at a channel of its own. To resume one is to send to it and to receive its answer.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
)

// What /proc/self/status says, in bytes.
func memory() (resident, tables uint64) {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		fmt.Sscanf(line, "VmRSS: %d kB", &resident)
		fmt.Sscanf(line, "VmPTE: %d kB", &tables)
	}
	return resident * 1024, tables * 1024
}

//go:noinline
func wait(c chan uint64, frames int) bool {
	if frames > 1 {
		goesOn := wait(c, frames-1)
		runtime.KeepAlive(c)
		return goesOn
	}
	if <-c == 0 {
		return false
	}
	c <- 1
	return true
}

func create(n, frames int) []chan uint64 {
	all := make([]chan uint64, n)
	var begun int64
	for i := range all {
		c := make(chan uint64)
		all[i] = c
		go func() {
			atomic.AddInt64(&begun, 1)
			for wait(c, frames) {
			}
		}()
		if i%256 == 255 {
			runtime.Gosched()
		}
	}
	// On one thread who has begun waits.
	for atomic.LoadInt64(&begun) < int64(n) {
		runtime.Gosched()
	}
	return all
}

func sweep(name string, n int) bool {
	frames := 0
	if count, _ := fmt.Sscanf(name, "sweep-%d", &frames); count != 1 {
		return false
	}
	// xorshift64, and the shuffle of Fisher and Yates, as the harness has it.
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	state := uint64(0x9E3779B97F4A7C15)
	for last := n - 1; last > 0; last-- {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		other := state % uint64(last+1)
		order[last], order[other] = order[other], order[last]
	}
	resident, tables := memory()
	start := cpuTime()
	all := create(n, frames)
	created := cpuTime() - start
	residentNow, tablesNow := memory()

	steps := n
	if steps < 200000 {
		steps = 200000
	}
	var sum uint64
	// Once untimed, as the harness does.
	for i := 0; i < n && i < 100000; i++ {
		all[i] <- 1
		<-all[i]
	}
	start = cpuTime()
	for i, step := 0, 0; step < steps; step++ {
		all[i] <- 1
		sum += <-all[i]
		if i++; i == n {
			i = 0
		}
	}
	robin := cpuTime() - start
	start = cpuTime()
	for i, step := 0, 0; step < steps; step++ {
		c := all[order[i]]
		c <- 1
		sum += <-c
		if i++; i == n {
			i = 0
		}
	}
	random := cpuTime() - start
	for _, c := range all {
		c <- 0
	}
	runtime.Gosched()
	start = cpuTime()
	all = create(n, frames)
	reused := cpuTime() - start
	each := func(ns int64, times int) float64 { return float64(ns) / float64(times) }
	fmt.Printf("live=%d sum=%d create=%f reuse=%f robin=%f random=%f resident=%f tables=%f\n", n, sum, each(created, n),
		each(reused, n), each(robin, steps), each(random, steps), each(int64(residentNow-resident), n), each(int64(tablesNow-tables), n))
	return true
}
