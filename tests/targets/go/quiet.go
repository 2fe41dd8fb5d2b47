// SPDX-License-Identifier: Apache-2.0

// A program that asks for no profile of its own: the linker takes the heap's out of it.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
