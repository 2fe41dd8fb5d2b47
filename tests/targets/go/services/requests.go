// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A goroutine for each request, that nobody receives from once the request has timed out.
func queryBackend(out chan<- string) {
	time.Sleep(2 * time.Millisecond)
	out <- "answer"
}

func handle(answers chan string) {
	go queryBackend(answers)
	select {
	case <-answers:
	case <-time.After(time.Millisecond):
	}
}

func handleWithTimeout(int) { handle(make(chan string)) }
func handleBuffered(int)    { handle(make(chan string, 1)) }

// A context for each session whose cancel function is dropped, below one that lives as long as the service.
var whole, stopWhole = context.WithCancel(context.Background())

type session struct{ ctx context.Context }

func (s *session) pump() { <-s.ctx.Done() }

func openSession(int) {
	ctx, _ := context.WithCancel(whole)
	s := &session{ctx}
	go s.pump()
}

func useSession(int) {
	ctx, cancel := context.WithCancel(whole)
	s := &session{ctx}
	go s.pump()
	cancel()
}

// A timer for each turn of a loop.
var events = make(chan int, 1)

func consumeAfter(step int) {
	events <- step
	select {
	case <-events:
	case <-time.After(10 * time.Minute):
	}
}

var idle = time.NewTimer(10 * time.Minute)

func consumeReset(step int) {
	events <- step
	idle.Reset(10 * time.Minute)
	select {
	case <-events:
	case <-idle.C:
	}
}

// A ticker for each connection, never stopped.
func track(t *time.Ticker, done chan struct{}) {
	for {
		select {
		case <-t.C:
		case <-done:
			return
		}
	}
}

func trackConnection(int) {
	done := make(chan struct{})
	t := time.NewTicker(7 * time.Second)
	go track(t, done)
	close(done)
}

func trackAndStop(int) {
	done := make(chan struct{})
	t := time.NewTicker(9 * time.Second)
	defer t.Stop()
	go track(t, done)
	close(done)
}

// Responses whose bodies are not closed.
var (
	backend = serve()
	client  = &http.Client{Transport: &http.Transport{}}
)

func serve() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	page := strings.Repeat("ok", 20000)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) }))
	return "http://" + listener.Addr().String() + "/"
}

func checkHealth(int) {
	response, err := client.Get(backend)
	if err != nil || response.StatusCode != http.StatusOK {
		panic("the backend is not well")
	}
}

func checkAndClose(int) {
	response, err := client.Get(backend)
	if err != nil {
		panic(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}
