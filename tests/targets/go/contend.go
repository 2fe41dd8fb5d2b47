// SPDX-License-Identifier: Apache-2.0

// Goroutines that contend for a mutex and switch at full speed, and others that wait for long. Prints "ready"; for each line
// of input the time, the rounds so far and, with "profile", the runtime's own block profile.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

var rounds uint64

func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

//go:noinline
func contends(mutex *sync.Mutex) {
	for {
		mutex.Lock()
		spin(20 * time.Microsecond)
		mutex.Unlock()
		spin(20 * time.Microsecond)
		atomic.AddUint64(&rounds, 1)
	}
}

//go:noinline
func answers(in, out chan int) {
	for v := range in {
		out <- v
	}
}

//go:noinline
func asks(in, out chan int) {
	for {
		out <- 1
		<-in
		atomic.AddUint64(&rounds, 1)
	}
}

//go:noinline
func waitsLong(c chan int) {
	for {
		<-c
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "profile" {
		runtime.SetBlockProfileRate(1)
	}
	var mutex sync.Mutex
	for i := 0; i < 4; i++ {
		go contends(&mutex)
	}
	for i := 0; i < 2; i++ {
		a, b := make(chan int), make(chan int)
		go answers(a, b)
		go asks(b, a)
	}
	for i := 0; i < 10; i++ {
		c := make(chan int)
		go waitsLong(c)
		go func() {
			for {
				time.Sleep(70 * time.Millisecond)
				c <- 1
			}
		}()
	}
	fmt.Println("ready")
	begun := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("account", time.Since(begun).Nanoseconds(), atomic.LoadUint64(&rounds))
		pprof.Lookup("block").WriteTo(os.Stdout, 1)
		fmt.Println("end of account")
	}
}
