// Go: goroutines on one thread, and what they say to each other by channels.
package main

import (
	"runtime"
	"sync"
)

var workloads = map[string]func(uint64) outcome{
	"roundtrip-0":   func(n uint64) outcome { return roundtrip(0, n) },
	"roundtrip-1":   func(n uint64) outcome { return roundtrip(1, n) },
	"roundtrip-4":   func(n uint64) outcome { return roundtrip(4, n) },
	"roundtrip-16":  func(n uint64) outcome { return roundtrip(16, n) },
	"send":          send,
	"value-64B":     small,
	"value-4KiB":    large,
	"create-fresh":  createFresh,
	"create-pooled": spawnJoin,
	"walk":          walk,
	"yield":         yields,
	"spawn-join":    spawnJoin,
	"million":       million,
	"million-again": million,
	"channel":       channel,
	"skynet":        func(n uint64) outcome { return timed(func() uint64 { return tree(0, n) }) },
	"mutex":         mutex,
}

func roundtrip(frames int, n uint64) outcome {
	c := make(chan uint64)
	go count(func(x uint64) { c <- x }, frames, n)
	return items(n, func() uint64 { return <-c })
}

func send(n uint64) outcome {
	there, back := make(chan uint64), make(chan uint64)
	go func() {
		for x := range there {
			back <- x
		}
	}()
	defer close(there)
	return timed(func() uint64 {
		var sum uint64
		for i := uint64(0); i < n; i++ {
			there <- i
			sum += <-back
		}
		return sum
	})
}

func small(n uint64) outcome {
	there, back := make(chan [8]uint64), make(chan [8]uint64)
	go func() {
		for x := range there {
			back <- x
		}
	}()
	defer close(there)
	return timed(func() uint64 {
		var sum uint64
		var value [8]uint64
		for i := uint64(0); i < n; i++ {
			for word := range value {
				value[word] = i
			}
			there <- value
			x := <-back
			sum += (x[0] + x[7]) / 2
		}
		return sum
	})
}

func large(n uint64) outcome {
	there, back := make(chan [512]uint64), make(chan [512]uint64)
	go func() {
		for x := range there {
			back <- x
		}
	}()
	defer close(there)
	return timed(func() uint64 {
		var sum uint64
		var value [512]uint64
		for i := uint64(0); i < n; i++ {
			for word := range value {
				value[word] = i
			}
			there <- value
			x := <-back
			sum += (x[0] + x[511]) / 2
		}
		return sum
	})
}

// Goroutines that wait, and are kept.
func createFresh(n uint64) outcome {
	first, never := make(chan uint64), make(chan struct{})
	return timed(func() uint64 {
		var sum uint64
		for i := uint64(0); i < n; i++ {
			go func(i uint64) {
				first <- i
				<-never
			}(i)
			sum += <-first
		}
		return sum
	})
}

func walk(n uint64) outcome {
	return timed(func() uint64 {
		c := make(chan uint64)
		go func() {
			walkFrames(func(x uint64) { c <- x }, 0, n)
			close(c)
		}()
		var sum uint64
		for x := range c {
			sum += x
		}
		return sum
	})
}

func yields(n uint64) outcome {
	return timed(func() uint64 {
		results := make(chan uint64, 2)
		half := func() {
			var sum uint64
			for i := uint64(0); i < n/2; i++ {
				sum += i
				runtime.Gosched()
			}
			results <- sum
		}
		go half()
		go half()
		return <-results + <-results
	})
}

// The usual way to wait for a goroutine and to have its result is a channel. One is enough, as one is waited for at a time.
func spawnJoin(n uint64) outcome {
	return timed(func() uint64 {
		var sum uint64
		result := make(chan uint64, 1)
		for i := uint64(0); i < n; i++ {
			go func(i uint64) { result <- i }(i)
			sum += <-result
		}
		return sum
	})
}

// The usual way to wait for many is to count them, and to have each leave its result in a place of its own.
func million(n uint64) outcome {
	return timed(func() uint64 {
		results := make([]uint64, n)
		var all sync.WaitGroup
		all.Add(int(n))
		for i := range results {
			go func(i int) {
				results[i] = uint64(i)
				all.Done()
			}(i)
		}
		all.Wait()
		var sum uint64
		for _, result := range results {
			sum += result
		}
		return sum
	})
}

func channel(n uint64) outcome {
	return timed(func() uint64 {
		there, back := make(chan uint64, 1), make(chan uint64, 1)
		go func() {
			for i := uint64(0); i < n/2; i++ {
				back <- <-there
			}
		}()
		var sum uint64
		for i := uint64(0); i < n/2; i++ {
			there <- i
			sum += <-back
		}
		return sum
	})
}

func tree(first, leaves uint64) uint64 {
	if leaves == 1 {
		return first
	}
	part := leaves / 10
	results := make(chan uint64, 10)
	for i := uint64(0); i < 10; i++ {
		go func(i uint64) { results <- tree(first+i*part, part) }(i)
	}
	var sum uint64
	for i := 0; i < 10; i++ {
		sum += <-results
	}
	return sum
}

func mutex(n uint64) outcome {
	return timed(func() uint64 {
		var lock sync.Mutex
		var all sync.WaitGroup
		var counter uint64
		for task := 0; task < 100; task++ {
			all.Add(1)
			go func() {
				defer all.Done()
				for i := uint64(0); i < n/100; i++ {
					lock.Lock()
					counter++
					runtime.Gosched()
					lock.Unlock()
				}
			}()
		}
		all.Wait()
		return counter
	})
}
