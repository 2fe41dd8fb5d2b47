// SPDX-License-Identifier: Apache-2.0
// A Go program that allocates, parks goroutines and makes contexts until it is told to stop: as restless.c.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sync"
)

var kept [256][]byte

func work(rounds chan int, lock *sync.Mutex) {
	for round := range rounds {
		block := make([]byte, 100+round%1000)
		ctx, cancel := context.WithCancel(context.Background())
		_ = ctx
		cancel()
		lock.Lock()
		kept[round%len(kept)] = block
		lock.Unlock()
	}
}

func main() {
	rounds := make(chan int)
	stop := make(chan bool)
	var lock sync.Mutex
	for i := 0; i < 4; i++ {
		go work(rounds, &lock)
	}
	go func() {
		for round := 0; ; round++ {
			select {
			case rounds <- round:
			case <-stop:
				stop <- true
				return
			}
		}
	}()
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	input.ReadString('\n')
	stop <- true
	<-stop
	fmt.Println("go done")
	input.ReadString('\n')
	os.Exit(7) // RESTLESS_STATUS
}
