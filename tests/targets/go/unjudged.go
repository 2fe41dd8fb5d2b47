// SPDX-License-Identifier: Apache-2.0

// unjudged global: goroutines that wait for ever, and of which a proof cannot say so. unjudged tiny: for locks beside which
// something else is alive, so that it can of some; tinykept, counted: the same where the locks, or structs around them, are alive.
// unjudged cond: those on conditions, which nobody can signal any more; unjudged kept: on conditions that a global variable leads to.
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

// 8 bytes without a pointer share a block of 16 with what is alive: it lies behind them, or in front.
var alive []*uint64
var kept []*sync.Mutex

type counted struct { // 16 bytes without a pointer: as large as such a block
	count int64
	mu    sync.Mutex
}

var counters []*counted

func waitForever(mu *sync.Mutex) {
	mu.Lock()
	go func() { mu.Lock() }()
}

// Three of a kind: every second lock has its number in front of it.
func besideNumbers() *sync.Mutex {
	alive = append(alive, new(uint64))
	mu := new(sync.Mutex)
	alive = append(alive, new(uint64))
	return mu
}

func onTiny() { waitForever(besideNumbers()) }

func onTinyKept() {
	mu := besideNumbers()
	kept = append(kept, mu)
	waitForever(mu)
}

// Whoever has the counter can unlock it.
func onCounted() {
	c := new(counted)
	counters = append(counters, c)
	waitForever(&c.mu)
}

func main() {
	start := map[string]func(){"cond": onCondition, "kept": onKeptCondition, "global": onGlobal, "tiny": onTiny,
		"tinykept": onTinyKept, "counted": onCounted}[os.Args[1]]
	global.Lock()
	for i := 0; i < times; i++ {
		start()
	}
	fmt.Println("ready")
	bufio.NewScanner(os.Stdin).Scan()
}
