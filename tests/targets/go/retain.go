// SPDX-License-Identifier: Apache-2.0

// A heap that grows by a known amount at some call sites, and makes garbage at another. It never mentions the runtime's heap
// profile, so the linker leaves that out. Prints "ready", works after a line, collects, prints "done".
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"time"
)

type small struct {
	next *small
	rest [88]byte
}

var smalls *small
var large [][]byte
var mixed [][]byte
var sink []byte

//go:noinline
func keepSmall(n int) {
	for i := 0; i < n; i++ {
		smalls = &small{next: smalls}
	}
}

//go:noinline
func keepLarge(n int) {
	for i := 0; i < n; i++ {
		large = append(large, make([]byte, 40960))
	}
}

//go:noinline
func drop(n int) {
	for i := 0; i < n; i++ {
		sink = make([]byte, 1024)
	}
}

var dropped, random = 0, uint32(1)

// Of the same size as what drop() makes: their objects share spans. By chance, so that none keeps step with the spans.
//
//go:noinline
func keepMixed(n int) {
	for i := 0; i < n; i++ {
		mixed = append(mixed, make([]byte, 1024))
		random = random*1664525 + 1013904223
		dropSome(int(random >> 29))
	}
}

func dropSome(n int) {
	drop(n)
	dropped += n
}

var inlined [][]byte

// Both are inlined into main: it is main's code that allocates.
func keepInlined()  { inlined = append(inlined, make([]byte, 8192)) }
func handleInlined() { keepInlined() }

func main() {
	mixed = make([][]byte, 0, 4000)
	large = make([][]byte, 0, 100)
	fmt.Println("ready")
	lines := bufio.NewReader(os.Stdin)
	lines.ReadString('\n')
	for step := 0; step < 40; step++ {
		keepSmall(2000)
		keepLarge(2)
		keepMixed(100)
		dropSome(100)
		for i := 0; i < 20; i++ {
			handleInlined()
		}
		time.Sleep(50 * time.Millisecond)
		if step%10 == 9 {
			runtime.GC()
		}
	}
	sink = nil
	runtime.GC()
	fmt.Println("dropped", dropped)
	fmt.Println("done")
	lines.ReadString('\n')
	fmt.Println(smalls != nil, len(large), len(mixed), len(inlined))
}
