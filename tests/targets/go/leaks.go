// SPDX-License-Identifier: Apache-2.0

// leaks CAUSE [kept]: 50 times the same mistake, or, with "kept", the same goroutines waiting for something that can
// still happen. Prints "ready" when they wait.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

const times = 50

// What is in here can still be used.
var kept []any

func keep(wanted bool, what any) {
	if wanted {
		kept = append(kept, what)
	}
}

//go:noinline
func forgottenSender(keepIt bool) { // nobody will send
	c := make(chan int)
	keep(keepIt, c)
	go func() { <-c }()
}

//go:noinline
func forgottenReceiver(keepIt bool) { // nobody will receive
	c := make(chan int)
	keep(keepIt, c)
	go func() { c <- 1 }()
}

//go:noinline
func fullBuffer(keepIt bool) {
	c := make(chan string, 1)
	keep(keepIt, c)
	c <- "first"
	go func() { c <- "second" }()
}

//go:noinline
func nilChannel(keepIt bool) {
	var c chan int
	if keepIt {
		c = make(chan int)
		keep(true, c)
	}
	go func() { <-c }()
}

//go:noinline
func emptySelect(keepIt bool) {
	if keepIt {
		go func() { time.Sleep(time.Hour) }()
	} else {
		go func() { select {} }()
	}
}

//go:noinline
func twoCases(keepIt bool) {
	a, b := make(chan int), make(chan int)
	keep(keepIt, b) // one way out is enough
	go func() {
		select {
		case <-a:
		case b <- 1:
		}
	}()
}

//go:noinline
func mutexNeverUnlocked(keepIt bool) {
	m := new(sync.Mutex)
	keep(keepIt, m)
	m.Lock()
	go func() { m.Lock() }()
}

//go:noinline
func readersAndWriter(keepIt bool) {
	m := new(sync.RWMutex)
	keep(keepIt, m)
	m.Lock()
	go func() { m.RLock() }()
}

//go:noinline
func waitGroupNeverDone(keepIt bool) {
	w := new(sync.WaitGroup)
	keep(keepIt, w)
	w.Add(1)
	go func() { w.Wait() }()
}

//go:noinline
func lostCancel(keepIt bool) {
	ctx, cancel := context.WithCancel(context.Background())
	keep(keepIt, cancel)
	go func() { <-ctx.Done() }()
}

//go:noinline
func cycle(keepIt bool) { // two that wait for each other
	a, b := make(chan int), make(chan int)
	keep(keepIt, a)
	go func() { <-a; b <- 1 }()
	go func() { <-b; a <- 1 }()
}

//go:noinline
func earlyReturn(keepIt bool) { // the result comes after the caller gave up
	result, gaveUp := make(chan int), make(chan int)
	keep(keepIt, result)
	go func() { <-gaveUp; result <- 1 }()
	select {
	case <-result:
	case <-time.After(time.Microsecond):
	}
	close(gaveUp)
}

// Those who hold the other end in ways that are easily overlooked.

//go:noinline
func heldBySleeper(bool) {
	c := make(chan int)
	go func() { <-c }()
	go func() { time.Sleep(time.Hour); c <- 1 }()
}

//go:noinline
func heldByTimer(bool) {
	c := make(chan int)
	go func() { <-c }()
	time.AfterFunc(time.Hour, func() { c <- 1 })
}

//go:noinline
func heldByFinalizer(bool) {
	c := make(chan int)
	go func() { <-c }()
	object := new([64]byte)
	runtime.SetFinalizer(object, func(*[64]byte) { c <- 1 })
	kept = append(kept, object)
}

//go:noinline
func heldByDefer(bool) {
	c := make(chan int)
	go func() { <-c }()
	go func() {
		defer func() { c <- 1 }()
		time.Sleep(time.Hour)
	}()
}

//go:noinline
func heldByDeadlineContext(bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	_ = cancel
	go func() { <-ctx.Done() }()
}

//go:noinline
func heldInBuffer(bool) { // the channel itself lies in another one's buffer
	c := make(chan int)
	mail := make(chan chan int, 1)
	mail <- c
	kept = append(kept, mail)
	go func() { <-c }()
}

//go:noinline
func heldByReader(bool) { // one that waits for the network will go on
	c := make(chan int)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { <-c }()
	go func() { listener.Accept(); c <- 1 }()
}

var server string

//go:noinline
func bodyNotClosed(keepIt bool) {
	client := &http.Client{Transport: &http.Transport{}}
	response, err := client.Get(server)
	if err != nil {
		panic(err)
	}
	if keepIt {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		client.CloseIdleConnections()
	}
}

// As most programs do it: the client is the one that all share, and can still cancel.
//
//go:noinline
func bodyOfSharedClient(keepIt bool) {
	response, err := http.Get(server)
	if err != nil {
		panic(err)
	}
	if keepIt {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server = "http://" + listener.Addr().String()
	body := make([]byte, 1<<20)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) }))
}

func main() {
	causes := map[string]func(bool){
		"sender": forgottenSender, "receiver": forgottenReceiver, "buffer": fullBuffer, "nil": nilChannel,
		"select": emptySelect, "cases": twoCases, "mutex": mutexNeverUnlocked, "rwmutex": readersAndWriter,
		"group": waitGroupNeverDone, "cancel": lostCancel, "cycle": cycle, "early": earlyReturn,
		"sleeper": heldBySleeper, "timer": heldByTimer, "finalizer": heldByFinalizer, "defer": heldByDefer,
		"deadline": heldByDeadlineContext, "mail": heldInBuffer, "reader": heldByReader, "body": bodyNotClosed,
		"shared": bodyOfSharedClient,
	}
	cause := causes[os.Args[1]]
	keepIt := len(os.Args) > 2 && os.Args[2] == "kept"
	serve()
	for i := 0; cause != nil && i < times; i++ {
		cause(keepIt)
	}
	if cause == nil {
		time.AfterFunc(200*time.Millisecond, func() { fmt.Println("ready") })
	} else {
		time.Sleep(200 * time.Millisecond)
		fmt.Println("ready")
	}
	if cause == nil {
		select {} // as a program does whose work is done by others
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		// Go's own verdict, from 1.27 on.
		if profile := pprof.Lookup("goroutineleak"); profile != nil {
			profile.WriteTo(os.Stdout, 1)
		}
		fmt.Println("end of account")
	}
	runtime.KeepAlive(kept)
}
