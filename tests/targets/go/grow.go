// SPDX-License-Identifier: Apache-2.0

// Goroutines, heap and waits for locks that grow at known call sites, one command a line:
//
//	leak N      N goroutines that nobody will wake
//	allocate N  N times 64 KB that stay
//	grow MS     one of them, and 64 KB that stay, each MS milliseconds from now on
//	churn MS    64 KB of garbage each MS milliseconds from now on
//	contend N   N times two goroutines want one lock, and one waits for a channel
//	account     its own profiles, as text
//	write DIR   the same as files NAME.pb.gz
//	collect     a garbage collection
//
// Answers each with "done COMMAND".
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"time"
)

var kept [][]byte
var sink []byte

//go:noinline
func leak(n int) {
	for i := 0; i < n; i++ {
		never := make(chan int)
		go func() { <-never }()
	}
}

//go:noinline
func retain() { kept = append(kept, make([]byte, 64<<10)) }

//go:noinline
func garbage() { sink = make([]byte, 64<<10) }

func each(ms int, what func()) {
	go func() {
		for range time.Tick(time.Duration(ms) * time.Millisecond) {
			what()
		}
	}()
}

//go:noinline
func holdLock(lock *sync.Mutex) {
	time.Sleep(2 * time.Millisecond)
	lock.Unlock()
}

//go:noinline
func waitForLock(lock *sync.Mutex) {
	lock.Lock()
	lock.Unlock()
}

//go:noinline
func waitForChannel(c chan int) { <-c }

func contend(n int) {
	for i := 0; i < n; i++ {
		var lock sync.Mutex
		var all sync.WaitGroup
		lock.Lock()
		all.Add(1)
		go func() {
			defer all.Done()
			waitForLock(&lock)
		}()
		time.Sleep(time.Millisecond)
		holdLock(&lock)
		all.Wait()
		c := make(chan int)
		time.AfterFunc(time.Millisecond, func() { c <- 1 })
		waitForChannel(c)
	}
}

func account() {
	for _, name := range []string{"goroutine", "heap", "mutex", "block"} {
		fmt.Println("profile", name)
		pprof.Lookup(name).WriteTo(os.Stdout, 1)
		fmt.Println()
	}
}

func write(folder string) {
	for _, name := range []string{"goroutine", "heap", "mutex", "block"} {
		file, err := os.Create(folder + "/" + name + ".pb.gz")
		if err != nil {
			panic(err)
		}
		pprof.Lookup(name).WriteTo(file, 0)
		file.Close()
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "profiled" {
		runtime.SetMutexProfileFraction(1)
		runtime.SetBlockProfileRate(1)
	}
	labels := pprof.Labels("job", "leaking")
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var command, what string
		fmt.Sscan(in.Text(), &command, &what)
		n, _ := strconv.Atoi(what)
		switch command {
		case "leak":
			pprof.Do(context.Background(), labels, func(context.Context) { leak(n) })
		case "allocate":
			for i := 0; i < n; i++ {
				retain()
			}
		case "grow":
			each(n, func() { leak(1); retain() })
		case "churn":
			each(n, garbage)
		case "contend":
			contend(n)
		case "account":
			account()
		case "write":
			write(what)
		case "collect":
			runtime.GC()
			runtime.GC()
		}
		fmt.Println("done", command)
	}
}
