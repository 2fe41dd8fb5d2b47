// SPDX-License-Identifier: Apache-2.0
// A lease by a clock that can be set.
package main

import (
	"fmt"
	"time"
)

type lease struct{ until int64 }

func (l *lease) valid() bool { return time.Now().Unix() < l.until }
func (l *lease) renew()      { l.until = time.Now().Unix() + 10 }

func main() {
	l := &lease{}
	for step := 0; ; step++ {
		if !l.valid() {
			l.renew()
		}
		if step == 0 {
			fmt.Println("ready")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
