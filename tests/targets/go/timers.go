// SPDX-License-Identifier: Apache-2.0

// timers [kept|many]: timers of every kind, in known numbers, and timers that nobody can use any more; with "kept" those are
// stopped, or held; with "many" there are thousands, enough for the program's
// own heap profile to see who makes them. Prints "ready" when they are there; for each line of input it makes as many useless ones again.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

const (
	functions = 20
	methods   = 8
	sleepers  = 10
	deadlines = 25
	waiters   = 5
	reads     = 7
	tickers   = 40
	afters    = 30
)

var kept []any

type session struct{ id int }

func (s *session) expire() { s.id = 0 }

func onExpiry() {}

//go:noinline
func sleepLong() { time.Sleep(3 * time.Hour) }

//go:noinline
func takeTicks() {
	ticker := time.NewTicker(90 * time.Minute)
	for range ticker.C {
		onExpiry()
	}
}

//go:noinline
func uselessTicker(keepIt bool) {
	ticker := time.NewTicker(30 * time.Minute)
	if keepIt {
		ticker.Stop()
	}
	select {
	case <-ticker.C:
	default:
	}
}

//go:noinline
func uselessAfter(keepIt bool, done chan int) {
	if keepIt {
		timer := time.NewTimer(2 * time.Hour)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		}
		return
	}
	select {
	case <-done:
	case <-time.After(2 * time.Hour):
	}
}

//go:noinline
func useless(keepIt bool) {
	done := make(chan int, afters)
	for i := 0; i < afters; i++ {
		done <- i
	}
	for i := 0; i < tickers; i++ {
		uselessTicker(keepIt)
	}
	for i := 0; i < afters; i++ {
		uselessAfter(keepIt, done)
	}
}

func readWithDeadline() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	for i := 0; i < reads; i++ {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		connection.SetReadDeadline(time.Now().Add(4 * time.Hour))
		kept = append(kept, connection)
		go connection.Read(make([]byte, 1))
	}
	kept = append(kept, listener)
}

func main() {
	keepIt := len(os.Args) > 1 && os.Args[1] == "kept"
	if len(os.Args) > 1 && os.Args[1] == "many" {
		for i := 0; i < 40000; i++ {
			uselessTicker(false)
		}
		runtime.GC()
		runtime.GC()
		pprof.Lookup("heap").Count() // a program that never mentions it has none
	}
	for i := 0; i < functions; i++ {
		time.AfterFunc(time.Hour+time.Duration(i)*time.Minute, onExpiry)
	}
	for i := 0; i < methods; i++ {
		s := &session{i}
		time.AfterFunc(time.Hour, s.expire)
	}
	for i := 0; i < sleepers; i++ {
		go sleepLong()
	}
	parent, cancel := context.WithCancel(context.Background())
	for i := 0; i < deadlines; i++ {
		ctx, stop := context.WithTimeout(parent, 5*time.Hour)
		kept = append(kept, ctx, stop)
	}
	for i := 0; i < waiters; i++ {
		go takeTicks()
	}
	readWithDeadline()
	useless(keepIt)
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		useless(keepIt)
		fmt.Println("again")
	}
	cancel()
	runtime.KeepAlive(kept)
}
