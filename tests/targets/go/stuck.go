// SPDX-License-Identifier: Apache-2.0

// Goroutines in every state that a look must tell apart. Prints "ready", and its own account of all goroutines
// ("debug=2") after each line that it reads.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime/pprof"
	"sync"
	"time"
)

type queue struct {
	unbuffered chan int
	full       chan string
}

//go:noinline
func receiveForever(c chan int) { <-c }

//go:noinline
func sendForever(c chan string) { c <- "one more" }

func inlined(c chan int) { receiveForever(c) }

//go:noinline
func throughInlined(c chan int) {
	inlined(c)
	fmt.Println("never")
}

type worker struct{ name string }

func (w worker) run(c chan int) { <-c }

type runner interface{ run(chan int) }

//go:noinline
func deep(n int, c chan int) int {
	if n == 0 {
		<-c
		return 0
	}
	return deep(n-1, c) + 1
}

func generic[T any](c chan T) T { return <-c }

func main() {
	q := queue{make(chan int), make(chan string, 2)}
	q.full <- "a"
	q.full <- "b"
	var mutex sync.Mutex
	mutex.Lock()
	var rw sync.RWMutex
	rw.Lock()
	var group sync.WaitGroup
	group.Add(3)
	cond := sync.NewCond(&sync.Mutex{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	for i := 0; i < 100; i++ {
		go receiveForever(q.unbuffered)
	}
	for i := 0; i < 5; i++ {
		go sendForever(q.full)
	}
	go throughInlined(q.unbuffered)
	var r runner = worker{"w"}
	go r.run(q.unbuffered)
	pointer := &worker{"p"}
	go runner(pointer).run(q.unbuffered)
	go deep(2000, q.unbuffered)
	go generic(make(chan float64))
	go func() { var none chan int; <-none }()
	go func() { var none chan int; none <- 1 }()
	go func() { select {} }()
	go func() { // select of three
		select {
		case <-q.unbuffered:
		case q.full <- "c":
		case <-time.After(time.Hour):
		}
	}()
	go func() { mutex.Lock() }() // mutex
	go func() { rw.RLock() }() // reader
	go func() { rw.Lock() }() // writer
	go func() { group.Wait() }() // group
	go func() { cond.L.Lock(); cond.Wait() }()
	go func() { time.Sleep(2 * time.Hour) }() // sleep
	go listener.Accept()
	go func() { client.Read(make([]byte, 10)) }() // network
	labelled, cancel := context.WithCancel(pprof.WithLabels(context.Background(), pprof.Labels("request", "42", "tenant", "blue")))
	defer cancel()
	go pprof.Do(labelled, pprof.Labels("phase", "wait"), func(ctx context.Context) { <-ctx.Done() }) // labels
	time.Sleep(200 * time.Millisecond)
	raw, _ := client.(*net.TCPConn).SyscallConn()
	raw.Control(func(fd uintptr) { fmt.Println("the client descriptor", fd) })
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		pprof.Lookup("goroutine").WriteTo(os.Stdout, 2)
		fmt.Println("\nend of account")
	}
}
