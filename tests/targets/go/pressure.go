// SPDX-License-Identifier: Apache-2.0
// A heap under pressure: pressure limit (most of GOMEMLIMIT is live, and four goroutines allocate), pressure idle (much was used
// and is not), pressure stacks. Prints what runtime.MemStats says of it, then "ready". Lines are part of the tests.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

var kept [][]byte
var sinks [4]*[512]int

func fill(megabytes int) {
	for i := 0; i < megabytes*16; i++ {
		block := make([]byte, 64<<10)
		for k := 0; k < len(block); k += 4096 {
			block[k] = 1
		}
		kept = append(kept, block)
	}
}

// Pointers, so that there is something to mark.
var live []*[64]*int

func fillPointers(megabytes int) {
	for i := 0; i < megabytes<<11; i++ {
		live = append(live, new([64]*int))
	}
}

func encode(i int) {
	for {
		sinks[i] = new([512]int)
	}
}

func deep(n int, stop chan int) int {
	var room [128]int
	if n == 0 {
		return <-stop
	}
	return deep(n-1, stop) + room[n%128]
}

func main() {
	switch os.Args[1] {
	case "limit":
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(32 << 20)
		fillPointers(22)
		for i := 0; i < 4; i++ {
			go encode(i)
		}
		time.Sleep(2 * time.Second)
	case "idle":
		fill(200)
		kept = nil
		fill(30)
		runtime.GC()
	case "stacks":
		stop := make(chan int)
		for i := 0; i < 200; i++ {
			go deep(100, stop)
		}
		time.Sleep(200 * time.Millisecond)
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println("heap", stats.HeapInuse, "stacks", stats.StackInuse, "idle", stats.HeapIdle-stats.HeapReleased)
	fmt.Println("ready")
	for {
		time.Sleep(time.Hour)
	}
}
