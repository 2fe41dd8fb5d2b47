// SPDX-License-Identifier: Apache-2.0

// many N: N goroutines that wait, in some twenty different stacks, and two that send each other a number all the time.
// Prints "ready", and for each line that it reads how often the number went round.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

//go:noinline
func descend(depth int, wait func()) int {
	if depth == 0 {
		wait()
		return 0
	}
	return descend(depth-1, wait) + 1
}

var rounds uint64

func pingPong() {
	there, back := make(chan int), make(chan int)
	go func() {
		for number := range there {
			back <- number + 1
		}
	}()
	for number := 0; ; {
		there <- number
		number = <-back
		atomic.AddUint64(&rounds, 1)
	}
}

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	never := make(chan int)
	var group sync.WaitGroup
	group.Add(1)
	for i := 0; i < count; i++ {
		depth := i % 10
		if i%20 < 10 {
			go descend(depth, func() { <-never })
		} else {
			go descend(depth, group.Wait)
		}
	}
	go pingPong()
	time.Sleep(time.Second)
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println("rounds", atomic.LoadUint64(&rounds))
	}
	never <- 1
}
