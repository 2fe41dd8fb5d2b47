// SPDX-License-Identifier: Apache-2.0
// Goroutines that wait for locks, and who holds them, one way each: locks MODE. Prints the number of the goroutine that holds,
// where there is one, then "ready". Lines are part of the tests.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type store struct {
	name string
	mu   sync.Mutex
	n    int
	rw   sync.RWMutex
	done *sync.Cond
}

type owner struct{ s *store }

var (
	never   = make(chan int)
	first   store
	second  store
	holding = make(chan string)
)

func number() string {
	var text [64]byte
	var id int
	fmt.Sscanf(string(text[:runtime.Stack(text[:], false)]), "goroutine %d", &id)
	return fmt.Sprint(id)
}

func (s *store) deferred() {
	s.mu.Lock()
	defer s.mu.Unlock()
	holding <- number()
	s.n += <-never
}

func (s *store) plain() {
	s.mu.Lock()
	holding <- number()
	s.n += <-never
	s.mu.Unlock()
}

func (o *owner) nested() {
	o.s.mu.Lock()
	holding <- number()
	o.s.n += <-never
	o.s.mu.Unlock()
}

func (s *store) closure() {
	s.mu.Lock()
	defer func() {
		s.n++
		s.mu.Unlock()
	}()
	holding <- number()
	s.n += <-never
}

func (s *store) inLoop() {
	for i := 0; i < 3; i++ {
		s.mu.Lock()
		defer s.mu.Unlock()
		holding <- number()
		s.n += <-never
	}
}

func (s *store) read() int {
	s.rw.RLock()
	defer s.rw.RUnlock()
	holding <- number()
	return s.n + <-never
}

func (s *store) write() {
	s.rw.Lock()
	holding <- number()
	s.n += <-never
	s.rw.Unlock()
}

// Two locks of one kind: the one waited for is the outer one.
func both(a, b *store) {
	a.mu.Lock()
	b.mu.Lock()
	holding <- number()
	<-never
	b.mu.Unlock()
	a.mu.Unlock()
}

//go:noinline
func (s *store) take() { s.mu.Lock() }

func (s *store) helped() {
	s.take()
	holding <- number()
	s.n += <-never
	s.mu.Unlock()
}

func ofGlobal() {
	first.mu.Lock()
	holding <- number()
	first.n += <-never
	first.mu.Unlock()
}

func (s *store) wait()      { s.mu.Lock(); s.n++; s.mu.Unlock() }
func (s *store) waitRead()  { s.rw.RLock(); s.n++; s.rw.RUnlock() }
func (s *store) waitWrite() { s.rw.Lock(); s.n++; s.rw.Unlock() }

// ABBA.
func move(from, to *store, meet *sync.WaitGroup) {
	from.mu.Lock()
	defer from.mu.Unlock()
	meet.Done()
	meet.Wait()
	to.mu.Lock()
	defer to.mu.Unlock()
	from.n, to.n = from.n-1, to.n+1
}

// Locks what its caller has locked.
func (s *store) add() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count()
}

//go:noinline
func (s *store) count() {
	s.mu.Lock()
	s.n++
	s.mu.Unlock()
}

// Forgets to unlock on the way that is seldom taken.
//
//go:noinline
func get(fail bool) int {
	first.mu.Lock()
	if fail {
		return -1
	}
	n := first.n
	first.mu.Unlock()
	return n
}

// What looks as if it held a lock, and does not.

// Has unlocked for the time of its wait.
func (s *store) lets(c chan int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.mu.Unlock()
		s.n += <-c
		s.mu.Lock()
	}
}

func (s *store) waitsBetween(c chan int) {
	for {
		s.mu.Lock()
		s.n++
		s.mu.Unlock()
		s.n += <-c
	}
}

func (s *store) waitsForCondition() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.n >= 0 {
		s.done.Wait()
	}
}

// Holds its own, and only knows the other.
func beside(own, other *store, c chan int) {
	own.mu.Lock()
	for {
		other.n += <-c
		if own.n < 0 {
			own.mu.Unlock()
			return
		}
	}
}

func (s *store) unlocksForCaller(c chan int) {
	s.mu.Unlock()
	<-c
	s.mu.Lock()
}

func (s *store) callsWhatUnlocks(c chan int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.unlocksForCaller(c)
	}
}

// Holds for as long as it works, on a processor or asleep.
func (s *store) works() {
	for {
		s.mu.Lock()
		time.Sleep(20 * time.Millisecond)
		s.mu.Unlock()
		runtime.Gosched()
	}
}

func busy() {
	s := &store{}
	s.done = sync.NewCond(&s.mu)
	c := make(chan int)
	for i := 0; i < 4; i++ {
		go s.lets(c)
		go s.waitsBetween(c)
		go s.waitsForCondition()
		go beside(&store{}, s, c)
		go s.callsWhatUnlocks(c)
	}
	for i := 0; i < 20; i++ {
		go s.works()
	}
	go func() {
		for {
			c <- 1
			time.Sleep(100 * time.Microsecond)
			s.done.Signal()
		}
	}()
}

func hold(mode string, s *store) (wait func()) {
	holders := map[string]func(){"deferred": s.deferred, "plain": s.plain, "nested": (&owner{s}).nested, "closure": s.closure, "loop": s.inLoop,
		"both": func() { both(s, &store{}) }, "helped": s.helped}
	wait = s.wait
	switch mode {
	case "read":
		go s.read()
		wait = s.waitWrite
	case "write":
		go s.write()
		wait = s.waitRead
	case "global":
		go ofGlobal()
		wait = first.wait
	default:
		go holders[mode]()
	}
	fmt.Println("holds", <-holding)
	return wait
}

func main() {
	mode := os.Args[1]
	s := &store{name: mode}
	switch mode {
	case "circle":
		var meet sync.WaitGroup
		meet.Add(2)
		go move(&first, &second, &meet)
		go move(&second, &first, &meet)
	case "self":
		go first.add()
	case "forgotten":
		get(false)
		go get(true)
		time.Sleep(50 * time.Millisecond)
		for i := 0; i < 5; i++ {
			go first.wait()
		}
	case "busy":
		busy()
	default:
		wait := hold(mode, s)
		for i := 0; i < 5; i++ {
			go wait()
		}
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready")
	for {
		time.Sleep(time.Hour)
	}
}
