// Go's iter.Pull, of Go 1.23 and later: a coroutine that is switched to directly, and not by the scheduler.
package main

import "iter"

var workloads = map[string]func(uint64) outcome{
	"roundtrip-0":  func(n uint64) outcome { return roundtrip(0, n) },
	"roundtrip-1":  func(n uint64) outcome { return roundtrip(1, n) },
	"roundtrip-4":  func(n uint64) outcome { return roundtrip(4, n) },
	"roundtrip-16": func(n uint64) outcome { return roundtrip(16, n) },
	"walk":         walk,
	"delegate-1":   func(n uint64) outcome { return delegate(1, n) },
	"delegate-10":  func(n uint64) outcome { return delegate(10, n) },
	"delegate-100": func(n uint64) outcome { return delegate(100, n) },
	"delegate-1000": func(n uint64) outcome {
		return delegate(1000, n)
	},
}

func pulled(n uint64, body iter.Seq[uint64]) outcome {
	next, stop := iter.Pull(body)
	defer stop()
	return items(n, func() uint64 {
		x, _ := next()
		return x
	})
}

func counting(frames int, n uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		goesOn := true
		count(func(x uint64) { goesOn = goesOn && yield(x) }, frames, n)
	}
}

func roundtrip(frames int, n uint64) outcome {
	return pulled(n, counting(frames, n))
}

func delegate(depth int, n uint64) outcome {
	chain := counting(0, n)
	for level := 1; level < depth; level++ {
		inner := chain
		chain = func(yield func(uint64) bool) {
			next, stop := iter.Pull(inner)
			defer stop()
			for {
				x, ok := next()
				if !ok || !yield(x) {
					return
				}
			}
		}
	}
	return pulled(n, chain)
}

func walk(n uint64) outcome {
	next, stop := iter.Pull(func(yield func(uint64) bool) {
		walkFrames(func(x uint64) { yield(x) }, 0, n)
	})
	defer stop()
	return timed(func() uint64 {
		var sum uint64
		for x, ok := next(); ok; x, ok = next() {
			sum += x
		}
		return sum
	})
}

func sweep(string, int) bool { return false }
