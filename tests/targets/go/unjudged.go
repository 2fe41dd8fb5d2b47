// SPDX-License-Identifier: Apache-2.0

// unjudged global|tiny: goroutines that wait for ever, and of which a proof cannot say so. unjudged cond: those on conditions, which
// nobody can signal any more; unjudged kept: on conditions that a global variable leads to.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
)

const times = 50

type queue struct {
	mu    sync.Mutex
	ready *sync.Cond
	items []int
}

func (q *queue) pop() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.ready.Wait()
	}
	return q.items[0]
}

// A queue whose last Signal was forgotten, and who waits for its consumer.
func onCondition() { consume(&queue{}) }

var queues []*queue

func onKeptCondition() {
	q := &queue{}
	queues = append(queues, q)
	consume(q)
}

func consume(q *queue) {
	q.ready = sync.NewCond(&q.mu)
	done := make(chan int)
	go func() { done <- q.pop() }()
	go func() { <-done }()
}

var global struct {
	sync.Mutex
	other *int
}

func onGlobal() {
	go func() { global.Lock() }()
}

// 8 bytes without a pointer share a block with others that are alive.
var alive []*uint32

func onTiny() {
	mu := new(sync.Mutex)
	alive = append(alive, new(uint32))
	mu.Lock()
	go func() { mu.Lock() }()
}

func main() {
	start := map[string]func(){"cond": onCondition, "kept": onKeptCondition, "global": onGlobal, "tiny": onTiny}[os.Args[1]]
	global.Lock()
	for i := 0; i < times; i++ {
		start()
	}
	fmt.Println("ready")
	bufio.NewScanner(os.Stdin).Scan()
}
