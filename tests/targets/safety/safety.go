// SPDX-License-Identifier: Apache-2.0
// Go: panics, stacks that grow and move, faults that become panics, and C beside it.
package main

/*
#include <stdlib.h>
static void churn(void) { for (int i = 1; i < 100; i++) free(malloc(i)); }
*/
import "C"

import (
	"fmt"
	"runtime/debug"
	"sync"
)

type node struct{ next *node }

func recovered(action func()) (ok bool) {
	defer func() { ok = recover() != nil }()
	action()
	return false
}

func grow(depth int) int {
	var space [512]byte
	if depth == 0 {
		C.churn()
		return int(space[0])
	}
	return grow(depth-1) + int(space[depth%512]) + 1
}

func main() {
	debug.SetPanicOnFault(true)
	caught, faults := 0, 0
	for i := 0; i < 6; i++ {
		if recovered(func() { C.churn(); panic(i) }) {
			caught++
		}
	}
	for i := 0; i < 3; i++ {
		if recovered(func() { var n *node; fmt.Println(n.next) }) {
			faults++
		}
	}
	var group sync.WaitGroup
	var lock sync.Mutex
	grown := 0
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if grow(1000) == 1000 {
				lock.Lock()
				grown++
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	fmt.Printf("%d recovered, %d grown, %d faults\n", caught, grown, faults)
}
