// SPDX-License-Identifier: Apache-2.0

// A goroutine that waits in C: its thread stands on C's stack, and what called there is on the goroutine's own.
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
*/
import "C"

//go:noinline
func waitInC() int { return int(C.wait_in_c()) }

func main() { waitInC() }
