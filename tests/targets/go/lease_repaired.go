// SPDX-License-Identifier: Apache-2.0
// A lease by the monotonic clock; the wall clock is only written down.
package main

import (
	"fmt"
	"time"
)

type lease struct {
	until   time.Time
	renewed int64
}

func (l *lease) valid() bool { return time.Now().Before(l.until) }

func (l *lease) renew() {
	l.until = time.Now().Add(10 * time.Second)
	l.renewed = time.Now().Unix()
}

func main() {
	l := &lease{}
	for step := 0; ; step++ {
		if !l.valid() {
			l.renew()
		}
		if step == 0 {
			fmt.Println("ready", l.renewed > 0)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
