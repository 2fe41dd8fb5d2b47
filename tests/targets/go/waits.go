// SPDX-License-Identifier: Apache-2.0

// Goroutines that wait for known times, a known number of times: 10 ms each. Prints "ready", works after a line, prints
// "done". With "profile", the runtime's own block profile of the same waits follows.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

const (
	rounds = 20
	pause  = 10 * time.Millisecond
)

//go:noinline
func sleeps() {
	for i := 0; i < rounds; i++ {
		time.Sleep(pause)
	}
}

//go:noinline
func receives(c chan int) {
	for i := 0; i < rounds; i++ {
		<-c
	}
}

func sendsLate(c chan int) {
	for i := 0; i < rounds; i++ {
		time.Sleep(pause)
		c <- i
	}
}

// Deep enough that its stack has to grow on the way: the runtime begins such a call anew.
//
//go:noinline
func receivesDeep(depth int, c chan int) int {
	var room [512]byte
	room[depth%512] = 1
	if depth == 0 {
		go func() { time.Sleep(pause); c <- 1 }() // from here on: on a busy machine it takes its time to come here
		<-c
		return int(room[0])
	}
	return receivesDeep(depth-1, c) + int(room[1])
}

//go:noinline
func locks(mutex sync.Locker, held, done chan bool) {
	for i := 0; i < rounds; i++ {
		<-held
		mutex.Lock()
		mutex.Unlock()
		done <- true
	}
}

func holds(mutex sync.Locker, held, done chan bool) {
	for i := 0; i < rounds; i++ {
		mutex.Lock()
		held <- true
		time.Sleep(pause)
		mutex.Unlock()
		<-done
	}
}

//go:noinline
func locksMutex(mutex *sync.Mutex, held, done chan bool) {
	for i := 0; i < rounds; i++ {
		<-held
		mutex.Lock()
		mutex.Unlock()
		done <- true
	}
}

//go:noinline
func waitsForGroup() {
	for i := 0; i < rounds; i++ {
		var group sync.WaitGroup
		group.Add(1)
		time.AfterFunc(pause, group.Done)
		group.Wait()
	}
}

//go:noinline
func waitsForever(c chan int) { <-c }

func work() {
	var all sync.WaitGroup
	start := func(f func()) {
		all.Add(1)
		go func() {
			defer all.Done()
			f()
		}()
	}
	for i := 0; i < 5; i++ {
		start(sleeps)
	}
	for i := 0; i < 4; i++ {
		c := make(chan int)
		start(func() { receives(c) })
		start(func() { sendsLate(c) })
	}
	for i := 0; i < rounds; i++ {
		c := make(chan int)
		start(func() { receivesDeep(10*i, c) })
	}
	var mutex sync.Mutex
	held, done := make(chan bool), make(chan bool)
	start(func() { locksMutex(&mutex, held, done) })
	start(func() { holds(&mutex, held, done) })
	var readers sync.RWMutex
	heldToo, doneToo := make(chan bool), make(chan bool)
	start(func() { locks(readers.RLocker(), heldToo, doneToo) })
	start(func() { holds(&readers, heldToo, doneToo) })
	start(waitsForGroup)
	all.Wait()
}

func main() {
	profile := len(os.Args) > 1 && os.Args[1] == "profile"
	if profile {
		runtime.SetBlockProfileRate(1)
	}
	never := make(chan int)
	for i := 0; i < 3; i++ {
		go waitsForever(never)
	}
	time.Sleep(20 * time.Millisecond)
	fmt.Println("ready")
	lines := bufio.NewReader(os.Stdin)
	lines.ReadString('\n')
	work()
	if profile {
		pprof.Lookup("block").WriteTo(os.Stdout, 1)
		fmt.Println("end of profile")
	}
	fmt.Println("done")
	lines.ReadString('\n')
	never <- 1
}
