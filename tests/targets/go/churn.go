// SPDX-License-Identifier: Apache-2.0

// Goroutines that are born, die, grow their stacks and wake each other as fast as they can, with a collection every few
// milliseconds; and some that stand still. Prints "ready".
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

var sink []byte

//go:noinline
func leafOfMover(c chan int) { <-c }

//go:noinline
func grow(depth int, c chan int) int {
	var room [256]byte
	room[depth%256] = 1
	if depth == 0 {
		leafOfMover(c)
		return int(room[0])
	}
	return grow(depth-1, c) + int(room[1])
}

func mover(next chan int) {
	for depth := 1; ; depth = depth%40 + 1 {
		grow(depth, next)
	}
}

func pusher(c chan int) {
	for {
		c <- 1
	}
}

//go:noinline
func bornAndGone(c chan int) { c <- 1 }

func spawner() {
	for {
		c := make(chan int)
		for i := 0; i < 50; i++ {
			go bornAndGone(c)
		}
		for i := 0; i < 50; i++ {
			<-c
		}
	}
}

//go:noinline
func still(c chan int) { <-c }

func collector() {
	for {
		sink = make([]byte, 1<<20)
		runtime.GC()
		time.Sleep(3 * time.Millisecond)
	}
}

func main() {
	never := make(chan int)
	for i := 0; i < 100; i++ {
		go still(never)
	}
	time.Sleep(50 * time.Millisecond)
	for i := 0; i < 500; i++ {
		c := make(chan int)
		go mover(c)
		go pusher(c)
	}
	for i := 0; i < 4; i++ {
		go spawner()
	}
	go collector()
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	never <- 1
}
