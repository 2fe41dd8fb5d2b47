// SPDX-License-Identifier: Apache-2.0

// What a call of each of these functions takes, for scripts/bench go-probes: reads "NAME", prints how many nanoseconds of
// CPU time one call of it took, with all that belongs to it. One processor, so that nobody waits for another.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

const calls = 20000

func cpu() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// Each handover parks one goroutine: two in a round.
func park() {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			b <- v
		}
	}()
	for i := 0; i < calls/2; i++ {
		a <- i
		<-b
	}
	close(a)
}

// Whoever runs finds the mutex locked by the other.
func contend() {
	var mutex sync.Mutex
	var done sync.WaitGroup
	done.Add(2)
	for g := 0; g < 2; g++ {
		go func() {
			for i := 0; i < calls/2; i++ {
				mutex.Lock()
				runtime.Gosched()
				mutex.Unlock()
			}
			done.Done()
		}()
	}
	done.Wait()
}

func spawn() {
	var done sync.WaitGroup
	for i := 0; i < calls/100; i++ {
		done.Add(100)
		for j := 0; j < 100; j++ {
			go done.Done()
		}
		done.Wait()
	}
}

// Both are called once for each context.
func cancel() {
	parent, end := context.WithCancel(context.Background())
	for i := 0; i < calls; i++ {
		_, cancel := context.WithCancel(parent)
		cancel()
	}
	end()
}

func main() {
	runtime.GOMAXPROCS(1)
	works := map[string]func(){"park": park, "contend": contend, "spawn": spawn, "cancel": cancel}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		best := int64(1) << 62
		for i := 0; i < 7; i++ {
			begin := cpu()
			works[lines.Text()]()
			if took := cpu() - begin; took < best {
				best = took
			}
		}
		fmt.Printf("%.1f\n", float64(best)/calls)
	}
}
