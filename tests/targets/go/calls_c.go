// SPDX-License-Identifier: Apache-2.0

// A goroutine that waits in C, which Go called, which C called, which Go called: its thread stands on C's stack, and what
// called there is on the goroutine's own, which moved in between.
package main

/*
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static int wait_in_c(void) {
	char byte;
	puts("ready");
	fflush(stdout);
	return (int)read(0, &byte, 1);
}
extern int waitInGo(void);
__attribute__((noinline)) static int enter_c(void) { return waitInGo() + 1; }
*/
import "C"

//go:noinline
func waitInC() int { return int(C.wait_in_c()) }

//go:noinline
func grow(depth int) int {
	var room [512]int
	room[depth] = depth
	if depth == 0 {
		return waitInC() + room[0]
	}
	return grow(depth-1) + room[depth]
}

//export waitInGo
func waitInGo() C.int { return C.int(grow(3)) }

func main() { C.enter_c() }
