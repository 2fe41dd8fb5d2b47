// SPDX-License-Identifier: Apache-2.0

// A pool, references, streams behind an interface, regions with a size, and a lock. "ready"; a line; what it does, and how often a call
// of Get ended on another thread than it began on: "moved N"; "done"; a line; the end.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	forgotten, gotten, failed = 3, 400, 50
	movers, moves             = 8, 25
	fresh, deep               = 60, 200
	streams, kept             = 70, 2
	regions, region           = 40, 1000
	recovered, locked         = 30, 300
)

type Conn struct{ number, references int }

type Pool struct {
	mutex sync.Mutex
	free  []*Conn
	moved int32
	wait  time.Duration
}

var (
	errClosed = errors.New("closed")
	lost      []*Conn
	opened    []Stream
	inSmall   = small
)

//go:noinline
func (p *Pool) Get(fails bool) (*Conn, error) {
	if fails {
		return nil, errClosed
	}
	thread := syscall.Gettid()
	for i := 0; i < 100 && p.wait > 0 && syscall.Gettid() == thread; i++ {
		time.Sleep(p.wait)
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if syscall.Gettid() != thread {
		p.moved++
	}
	if last := len(p.free) - 1; last >= 0 {
		conn := p.free[last]
		p.free = p.free[:last]
		return conn, nil
	}
	return &Conn{}, nil
}

//go:noinline
func (p *Pool) Put(conn *Conn) {
	p.mutex.Lock()
	p.free = append(p.free, conn)
	p.mutex.Unlock()
}

// The name of another type ends alike: it is no Pool.
type SparePool struct{ Pool }

//go:noinline
func (p *SparePool) Get(fails bool) (*Conn, error) { return p.Pool.Get(fails) }

//go:noinline
func forgets(pool *Pool) {
	for i := 0; i < gotten; i++ {
		conn, _ := pool.Get(false)
		if i < forgotten {
			lost = append(lost, conn)
		} else {
			pool.Put(conn)
		}
	}
	for i := 0; i < failed; i++ {
		pool.Get(true)
	}
}

//go:noinline
func spares(pool *SparePool) {
	conn, _ := pool.Get(false)
	pool.Put(conn)
}

//go:noinline
func gets(pool *Pool, conns chan *Conn) {
	for i := 0; i < moves; i++ {
		conn, _ := pool.Get(false)
		conns <- conn
	}
}

// What some goroutines take others give back.
func hand(pool *Pool) {
	conns := make(chan *Conn)
	var getters, putters sync.WaitGroup
	for i := 0; i < movers; i++ {
		getters.Add(1)
		putters.Add(1)
		go func() { gets(pool, conns); getters.Done() }()
		go func() {
			for conn := range conns {
				pool.Put(conn)
			}
			putters.Done()
		}()
	}
	getters.Wait()
	close(conns)
	putters.Wait()
}

// No new goroutine's stack has room for its frame, so that each call of it begins twice.
//
//go:noinline
func (c *Conn) ref() int {
	var room [32 << 10]byte
	room[c.number] = 1
	c.references++
	return int(room[c.references])
}

//go:noinline
func (c *Conn) unref() { c.references-- }

//go:noinline
func refers() {
	var group sync.WaitGroup
	for i := 0; i < fresh; i++ {
		group.Add(1)
		go func() {
			conn := &Conn{}
			conn.ref()
			conn.unref()
			group.Done()
		}()
	}
	group.Wait()
}

//go:noinline
func sinks(depth int, conn *Conn) int {
	var room [512]byte
	room[depth%512] = 1
	if depth == 0 {
		return conn.ref() + int(room[1])
	}
	return sinks(depth-1, conn) + int(room[depth%500])
}

func dives() {
	for i := 0; i < deep; i++ {
		done := make(chan bool)
		go func() {
			conn := &Conn{}
			sinks(i%60, conn)
			conn.unref()
			done <- true
		}()
		<-done
	}
}

type Stream interface{ Close() }
type file struct{ number int }

func (f *file) Close() { f.number = -1 }

//go:noinline
func open(number int) (Stream, error) {
	if number < 0 {
		return nil, errClosed
	}
	return &file{number}, nil
}

//go:noinline
func shut(stream Stream) { stream.Close() }

//go:noinline
func opens() {
	for i := 0; i < streams; i++ {
		stream, _ := open(i)
		opened = append(opened, stream)
	}
	open(-1)
	for _, stream := range opened[kept:] {
		shut(stream)
	}
}

type Region struct{ bytes int }

//go:noinline
func (r *Region) reserve(bytes int) { r.bytes += bytes }

//go:noinline
func (r *Region) release() { r.bytes = 0 }

//go:noinline
func reserves() {
	for i := 0; i < regions; i++ {
		r := &Region{}
		r.reserve(region)
		if i > 0 {
			r.release()
		}
	}
}

// Ends by a panic, and returns all the same.
//
//go:noinline
func saved(conn *Conn) (result *Conn) {
	defer func() {
		if recover() != nil {
			result = conn
		}
	}()
	if conn.number == 0 {
		panic("no number")
	}
	return nil
}

//go:noinline
func discard(conn *Conn) { conn.number = 0 }

//go:noinline
func recovers() {
	for i := 0; i < recovered; i++ {
		discard(saved(&Conn{}))
	}
}

// Inlined, except where it is called by its address.
func small(conn *Conn) *Conn {
	if conn.number > 7 {
		return nil
	}
	return conn
}

// Inlined wherever it is called.
func tiny(conn *Conn) *Conn {
	if conn.references > 7 {
		return nil
	}
	return conn
}

//go:noinline
func inlines(conn *Conn) { discard(small(inSmall(tiny(conn)))) }

//go:noinline
func locks() {
	var mutex sync.Mutex
	for i := 0; i < locked; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
}

func main() {
	runtime.GOMAXPROCS(4)
	lines := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	lines.Scan()
	pool := &Pool{}
	forgets(pool)
	spares(&SparePool{})
	pool.wait = 100 * time.Microsecond
	hand(pool)
	refers()
	dives()
	opens()
	reserves()
	recovers()
	inlines(&Conn{})
	locks()
	fmt.Println("moved", pool.moved)
	fmt.Println("done")
	lines.Scan()
}
