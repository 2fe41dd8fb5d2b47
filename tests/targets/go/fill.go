// SPDX-License-Identifier: Apache-2.0

// Memory of the heap, and of a mapping of its own made by a system call, touched by known functions: 24 MB each. Prints "ready",
// works after a line, prints "done".
package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
)

const size = 24 << 20

var kept [][]byte

//go:noinline
func fill(memory []byte) {
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
}

//go:noinline
func fillHeap() {
	for done := 0; done < size; done += 1 << 20 {
		kept = append(kept, make([]byte, 1<<20))
		fill(kept[len(kept)-1])
	}
}

//go:noinline
func fillMapping() {
	memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	fill(memory)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	lines.Scan()
	fillHeap()
	fillMapping()
	fmt.Println("done")
	lines.Scan()
}
