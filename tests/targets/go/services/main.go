// SPDX-License-Identifier: Apache-2.0
// One small service for each problem that brings Go services down, and the same service without it:
//
//	services PROBLEM [repaired]
//
// prints "ready" once the problem has struck often enough to be seen, and goes on.
package main

import (
	"fmt"
	"os"
	"time"
)

type service struct{ broken, repaired func(step int) }

var services = map[string]service{
	"goroutine": {handleWithTimeout, handleBuffered},
	"context":   {openSession, useSession},
	"after":     {consumeAfter, consumeReset},
	"ticker":    {trackConnection, trackAndStop},
	"map":       {loadProfile, loadBounded},
	"closure":   {parseUpload, parseSmall},
	"subslice":  {readToken, copyToken},
	"body":      {checkHealth, checkAndClose},
	"pool":      {firstUser, firstAndClose},
	"garbage":   {encodeEvent, encodeReused},
	"mutex":     {updateLocked, updateSharded},
	"shutdown":  {stopWithoutClose, stopAndClose},
	"files":     {writeAudit, writeAndClose},
	"parked":    {park, park},
}

// How often each step is made before "ready", and how long the pause between two steps is from then on.
var (
	steps = map[string]int{"goroutine": 400, "context": 400, "after": 3000, "ticker": 400, "map": 20000,
		"closure": 400, "subslice": 200, "body": 60, "pool": 12, "garbage": 50, "mutex": 16, "shutdown": 1, "files": 100, "parked": 1}
	pauses = map[string]time.Duration{"garbage": 0, "mutex": time.Hour, "shutdown": time.Hour, "pool": time.Hour,
		"map": time.Millisecond, "subslice": 20 * time.Millisecond, "body": 50 * time.Millisecond}
)

func main() {
	name := os.Args[1]
	run := services[name].broken
	if len(os.Args) > 2 {
		run = services[name].repaired
	}
	step := 0
	for ; step < steps[name]; step++ {
		run(step)
	}
	fmt.Println("ready", step)
	pause, known := pauses[name]
	if !known {
		pause = 10 * time.Millisecond
	}
	for ; ; step++ {
		run(step)
		if pause > 0 {
			time.Sleep(pause)
		}
	}
}
