// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// A pool of connections, all of them taken by rows that are not closed.
type fakeDriver struct{}
type fakeConn struct{}
type fakeStmt struct{}
type fakeRows struct{ n int }

func (fakeDriver) Open(string) (driver.Conn, error)         { return &fakeConn{}, nil }
func (*fakeConn) Prepare(string) (driver.Stmt, error)       { return fakeStmt{}, nil }
func (*fakeConn) Close() error                              { return nil }
func (*fakeConn) Begin() (driver.Tx, error)                 { return nil, errors.New("no") }
func (fakeStmt) Close() error                               { return nil }
func (fakeStmt) NumInput() int                              { return 0 }
func (fakeStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.New("no") }
func (fakeStmt) Query([]driver.Value) (driver.Rows, error)  { return &fakeRows{}, nil }
func (*fakeRows) Columns() []string                         { return []string{"a"} }
func (*fakeRows) Close() error                              { return nil }
func (r *fakeRows) Next(to []driver.Value) error {
	r.n++
	if r.n > 10 {
		return io.EOF
	}
	to[0] = int64(r.n)
	return nil
}

var db = openPool()

func openPool() *sql.DB {
	sql.Register("fake", fakeDriver{})
	db, _ := sql.Open("fake", "")
	db.SetMaxOpenConns(5)
	return db
}

func queryFirst() {
	rows, err := db.QueryContext(context.Background(), "select a from users")
	if err == nil {
		rows.Next()
	}
}

func queryAndClose() {
	rows, err := db.QueryContext(context.Background(), "select a from users")
	if err == nil {
		defer rows.Close()
		rows.Next()
	}
}

func firstUser(int)     { go queryFirst() }
func firstAndClose(int) { go queryAndClose() }

// One lock for all.
type registry struct {
	mu  sync.Mutex
	sum [32]byte
}

func (r *registry) update() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := 0; k < 20000; k++ {
		r.sum = sha256.Sum256(r.sum[:])
	}
}

func (r *registry) keepUpdating() {
	for {
		r.update()
		time.Sleep(time.Millisecond)
	}
}

var shared registry

func updateLocked(int)  { go shared.keepUpdating() }
func updateSharded(int) { go new(registry).keepUpdating() }

// A shutdown that waits for workers that wait for ever.
type pool struct {
	jobs chan int
	wg   sync.WaitGroup
}

func (p *pool) work() {
	defer p.wg.Done()
	for range p.jobs {
	}
}

func (p *pool) stop() {
	p.wg.Wait()
}

func startPool() *pool {
	p := &pool{jobs: make(chan int)}
	for i := 0; i < 3; i++ {
		p.wg.Add(1)
		go p.work()
	}
	return p
}

func stopWithoutClose(step int) {
	if step == 0 {
		return
	}
	startPool().stop()
}

func stopAndClose(step int) {
	p := startPool()
	close(p.jobs)
	p.stop()
	if step == 1 {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		<-c
		os.Exit(0)
	}
}

// A first goroutine that waits for nothing, on purpose, as many daemons have it; another waits until it returns.
func park(step int) {
	if step == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { <-ctx.Done() }()
	var never sync.WaitGroup
	never.Add(1)
	never.Wait()
}
