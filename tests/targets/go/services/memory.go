// SPDX-License-Identifier: Apache-2.0
package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A global map that only grows.
type profile struct {
	name string
	blob []byte
}

var cache = map[string]*profile{}

func loadProfile(step int) {
	name := fmt.Sprint("user-", step)
	cache[name] = &profile{name, make([]byte, 512)}
}

func loadBounded(step int) { loadProfile(step % 100) }

// Closures that keep a whole upload for one byte of it.
var callbacks []func() byte

func registerCallback(body []byte) {
	callbacks = append(callbacks, func() byte { return body[0] })
}

func parseUpload(int) {
	body := make([]byte, 64<<10)
	registerCallback(body)
}

func parseSmall(int) {
	body := make([]byte, 64<<10)
	registerCallback(append([]byte(nil), body[:1]...))
}

// A few bytes kept of a large array.
var tokens [][]byte

func readToken(int) {
	b := make([]byte, 256<<10)
	copy(b, "token")
	tokens = append(tokens, b[:16:16])
}

func copyToken(int) {
	b := make([]byte, 256<<10)
	copy(b, "token")
	tokens = append(tokens, append([]byte(nil), b[:16]...))
}

// Garbage, more than the collector gets done in passing.
type event struct {
	ID   int
	Tags map[string]string
	Body []string
}

func encodeEvent(step int) {
	e := event{step, map[string]string{"a": fmt.Sprint(step)}, strings.Split("one two three four five six", " ")}
	b, _ := json.Marshal(e)
	var back event
	json.Unmarshal(b, &back)
}

var one = event{1, map[string]string{"a": "b"}, []string{"one"}}

func encodeReused(step int) {
	for i := 0; i < 1000; i++ {
		one.ID += step
	}
}
