// SPDX-License-Identifier: Apache-2.0

// What a healthy, busy program does: short waits on locks and channels that move between long-lived goroutines all the
// time, with a collection every few milliseconds. Nothing here is ever stuck: each line of input is answered with how
// many rounds its clients have made, and "STUCK" is printed if one takes 20 seconds. With "leak" 50 goroutines beside
// them are.
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	servers = 50
	clients = 300
	leaked  = 50
)

type job struct {
	reply chan *job
	mu    *sync.Mutex
	pad   [20]*int
}

var rounds int64

func answer(in chan *job) {
	for j := range in {
		if rand.Intn(50) == 0 {
			time.Sleep(time.Duration(rand.Intn(2000)) * time.Microsecond)
		}
		r := j.reply
		j.reply = nil
		r <- j
	}
}

func serve(in chan *job) {
	q := make(chan *job)
	go answer(q)
	for j := range in {
		j.reply = make(chan *job, 1)
		q <- j
	}
}

func client(in chan *job) {
	for {
		j := &job{reply: make(chan *job), mu: &sync.Mutex{}}
		in <- j
		select {
		case <-j.wait():
		case <-time.After(20 * time.Second):
			fmt.Println("STUCK")
		}
		atomic.AddInt64(&rounds, 1)
	}
}

//go:noinline
func (j *job) wait() chan *job {
	c := make(chan *job, 1)
	go func(m *sync.Mutex) {
		m.Lock()
		k := &job{mu: m}
		go func() { time.Sleep(time.Duration(rand.Intn(3000)) * time.Microsecond); m.Unlock() }()
		m.Lock() // until the other one has slept
		c <- k
	}(j.mu)
	return c
}

//go:noinline
func leak() {
	c := make(chan *job)
	go func() { c <- &job{} }()
}

func main() {
	debug.SetGCPercent(5)
	in := make(chan *job)
	for i := 0; i < servers; i++ {
		go serve(in)
	}
	for i := 0; i < clients; i++ {
		go client(in)
	}
	if len(os.Args) > 1 {
		for i := 0; i < leaked; i++ {
			leak()
		}
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println("rounds", atomic.LoadInt64(&rounds))
	}
}
