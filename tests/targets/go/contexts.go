// SPDX-License-Identifier: Apache-2.0

// contexts [kept]: requests that lose the function which would cancel their context; with "kept" they call it. Beside them
// contexts that are in use. Prints "ready" when they are there; each line of input makes as many requests again.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

const (
	requests = 100
	children = 50
	watchers = 20
	held     = 30
)

var kept []any

type key struct{}

//go:noinline
func request(parent context.Context, keepIt bool) {
	ctx, cancel := context.WithTimeout(parent, 2*time.Hour)
	if keepIt {
		defer cancel()
	}
	if ctx.Err() != nil {
		panic("it ended")
	}
}

//go:noinline
func child(parent context.Context, keepIt bool) {
	ctx, cancel := context.WithCancel(context.WithValue(parent, key{}, "value"))
	if keepIt {
		defer cancel()
	}
	if ctx.Err() != nil {
		panic("it ended")
	}
}

//go:noinline
func watch(parent context.Context, keepIt bool) {
	ctx, cancel := context.WithCancel(parent)
	if keepIt {
		kept = append(kept, cancel)
	}
	go waitFor(ctx)
}

//go:noinline
func waitFor(ctx context.Context) { <-ctx.Done() }

//go:noinline
func useful(parent context.Context) {
	ctx, cancel := context.WithDeadline(parent, time.Now().Add(3*time.Hour))
	defer cancel()
	select {
	case <-ctx.Done():
	case <-time.After(4 * time.Hour):
	}
}

//go:noinline
func serve(parent context.Context, keepIt bool) {
	for i := 0; i < requests; i++ {
		request(parent, keepIt)
	}
	for i := 0; i < children; i++ {
		child(parent, keepIt)
	}
	for i := 0; i < watchers; i++ {
		watch(parent, keepIt)
	}
}

func main() {
	keepIt := len(os.Args) > 1 && os.Args[1] == "kept"
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGUSR2)
	server, shutdown := context.WithCancel(ctx)
	serve(server, keepIt)
	for i := 0; i < held; i++ {
		go useful(server)
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		serve(server, keepIt)
		fmt.Println("again")
	}
	shutdown()
	stop()
	runtime.KeepAlive(kept)
}
