// SPDX-License-Identifier: Apache-2.0

// Threads that C made call back into Go and wait there; a goroutine waits in C; C's memory is kept. Prints "ready", and
// its own account of all goroutines ("debug=2") after each line that it reads.
package main

/*
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

extern void calledBack(int);
static void *run(void *number) {
  calledBack((int)(long)number);
  return NULL;
}
static void start_threads(int count) {
  for (long i = 0; i < count; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, run, (void *)i);
  }
}
static void wait_in_c(void) {
  for (;;) pause();
}
static void *volatile kept;
__attribute__((noinline)) static void keep_in_c(void) { kept = malloc(100000); }
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"time"
)

const threads = 8

var arrived sync.WaitGroup
var never = make(chan int)

//go:noinline
func waitInGo() { <-never }

//export calledBack
func calledBack(number C.int) {
	arrived.Done()
	waitInGo()
}

//go:noinline
func callC() { C.wait_in_c() }

func main() {
	arrived.Add(threads)
	C.start_threads(threads)
	go callC()
	arrived.Wait()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if in.Text() == "keep" {
			for i := 0; i < 100; i++ {
				C.keep_in_c()
			}
			fmt.Println("done keep")
			continue
		}
		pprof.Lookup("goroutine").WriteTo(os.Stdout, 2)
		fmt.Println("\nend of account")
	}
}
