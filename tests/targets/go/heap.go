// SPDX-License-Identifier: Apache-2.0

// A heap that grows at known call sites and makes garbage at others. Prints "ready", then its own figures for each line
// that it reads: the heap profile ("debug=1") and the collector's statistics.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

type record struct {
	name string
	body []byte
}

var kept []*record
var index = map[int]string{}
var sink []byte

func newRecord(i int) *record { return &record{fmt.Sprint("record ", i), make([]byte, 512)} }

//go:noinline
func fill(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, newRecord(i))
	}
}

//go:noinline
func fillIndex(n int) {
	for i := 0; i < n; i++ {
		index[i] = fmt.Sprint(i)
	}
}

//go:noinline
func garbage(n int) {
	for i := 0; i < n; i++ {
		sink = make([]byte, 2000)
	}
}

func main() {
	fill(20000)
	fillIndex(20000)
	for i := 0; i < 10; i++ {
		garbage(2000)
		runtime.GC()
	}
	garbage(500)
	time.Sleep(50 * time.Millisecond) // the last collection has swept all
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		pprof.Lookup("heap").WriteTo(os.Stdout, 1)
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		fmt.Println("\ncollector", stats.NumGC, stats.NumForcedGC, stats.PauseTotalNs, stats.PauseNs[(stats.NumGC+255)%256],
			stats.PauseEnd[(stats.NumGC+255)%256])
		fmt.Println("end of account")
	}
}
