// SPDX-License-Identifier: Apache-2.0

// C's memory under Go: twenty call sites of Go, each a line of its own, ask C for a block of its own size over and over, some
// through callbacks three deep, some in a thread that C made and that calls into Go. Every tenth block is kept.
//
//	c_memory ROUNDS: prints "ready", runs when it reads a line, then prints "done", and waits for another line.
package main

/*
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern void goBack(int depth, int size);

static void **kept;
static long count, room;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
__attribute__((noinline)) static void keep(void *block) {
  pthread_mutex_lock(&lock);
  if (count == room) {
    room = room ? room * 2 : 1024;
    kept = realloc(kept, room * sizeof(void *));
  }
  kept[count++] = block;
  pthread_mutex_unlock(&lock);
}

static long asked;
__attribute__((noinline)) static void take(int size) {
  void *block = malloc(size);
  memset(block, 1, size);
  if (__atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) % 10 == 0) keep(block);
  else free(block);
}
__attribute__((noinline)) static void takeDeep(int depth, int size) {
  if (depth == 0) take(size);
  else goBack(depth - 1, size);
}

struct work { int rounds, size; };
extern void goThread(int rounds, int size);
static void *run(void *work) {
  struct work *w = work;
  goThread(w->rounds, w->size);
  return NULL;
}
static void runThread(int rounds, int size) {
  struct work work = {rounds, size};
  pthread_t thread;
  pthread_create(&thread, NULL, run, &work);
  pthread_join(thread, NULL);
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
)

// Makes the goroutine's stack grow, which moves it, while C's frames below remember where it was.
//
//go:noinline
func grow(depth int) int {
	var room [256]int
	room[depth%256] = depth
	if depth == 0 {
		return room[0]
	}
	return grow(depth-1) + room[(depth*7)%256]
}

//export goBack
func goBack(depth, size C.int) {
	grow(int(depth) * 8)
	C.takeDeep(depth, size)
}

//export goThread
func goThread(rounds, size C.int) {
	for i := 0; i < int(rounds); i++ {
		inThread(int(size))
	}
}

//go:noinline
func inThread(size int) {
	C.take(C.int(size)) // site 20
}

//go:noinline
func calledByRound() {
	C.take(1011)
	C.take(1012)
}

// Each line is one call site; the size tells which.
//
//go:noinline
func round() {
	C.take(1001)
	C.take(1002)
	C.take(1003)
	C.take(1004)
	C.take(1005)
	C.take(1006)
	C.take(1007)
	C.take(1008)
	C.take(1009)
	C.take(1010)
	calledByRound()
	C.takeDeep(1, 1013)
	C.takeDeep(1, 1014)
	C.takeDeep(2, 1015)
	C.takeDeep(2, 1016)
	C.takeDeep(3, 1017)
	C.takeDeep(3, 1018)
	C.takeDeep(3, 1019)
}

func work(rounds int, done chan bool) {
	for i := 0; i < rounds; i++ {
		round()
	}
	done <- true
}

func main() {
	rounds, _ := strconv.Atoi(os.Args[1])
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		done := make(chan bool)
		go work(rounds, done)
		<-done
		C.runThread(C.int(rounds), 1020)
		fmt.Println("done")
	}
}
