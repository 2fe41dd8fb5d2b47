// SPDX-License-Identifier: Apache-2.0
// Memory that is held in each way there is: by a global variable, by the frames of goroutines, by a pending timer, by a finalizer.
package main

import (
	"fmt"
	"runtime"
	"time"
)

const (
	filled, collected, kilobyte = 2000, 4000, 1024
	keepers, kept, page         = 3, 64, 16384
)

var (
	table = map[int][]byte{}
	owner = new([64]byte)
	sink  byte
)

func fill() {
	for i := 0; i < filled; i++ {
		table[i] = make([]byte, kilobyte)
	}
}

func collect(ready, ended chan bool) {
	local := map[int][]byte{}
	for i := 0; i < collected; i++ {
		local[i] = make([]byte, kilobyte)
	}
	ready <- true
	<-ended
	fmt.Println(len(local))
}

func keep(ready, ended chan bool) {
	var pages [][]byte
	for i := 0; i < kept; i++ {
		pages = append(pages, make([]byte, page))
	}
	ready <- true
	<-ended
	sink = pages[len(pages)-1][0]
}

func expire() {
	image := make([]byte, 3<<20)
	time.AfterFunc(time.Hour, func() { sink = image[0] })
}

func finish() {
	image := make([]byte, 5<<20)
	runtime.SetFinalizer(owner, func(*[64]byte) { sink = image[0] })
}

func main() {
	ready, ended := make(chan bool), make(chan bool)
	fill()
	expire()
	finish()
	go collect(ready, ended)
	for i := 0; i < keepers; i++ {
		go keep(ready, ended)
	}
	for i := 0; i <= keepers; i++ {
		<-ready
	}
	fmt.Println("ready")
	var line string
	fmt.Scanln(&line)
	close(ended)
	runtime.KeepAlive(owner)
}
