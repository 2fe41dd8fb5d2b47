// SPDX-License-Identifier: Apache-2.0
// Panics that are caught and panics that end a thread: unwinding by Rust's own runtime.
use std::io::Read;
use std::panic;
use std::thread;
use std::time::{Duration, Instant};

fn panics() -> String {
    let caught = (0..5).filter(|i| {
        let words: Vec<String> = (0..50).map(|n| format!("{} {}", i, n)).collect();
        panic::catch_unwind(move || {
            if words.len() == 50 {
                panic!("as planned");
            }
        }).is_err()
    }).count();
    format!("{} panics", caught)
}

fn threads() -> String {
    let all: Vec<_> = (0..8).map(|i| thread::spawn(move || {
        let numbers: Vec<usize> = (0..1000).collect();
        if i % 2 == 1 { panic!("thread {}", numbers.len()) }
    })).collect();
    let joined = all.into_iter().filter(|_| true).map(|t| t.join()).filter(|r| r.is_ok()).count();
    format!("joined {}", joined)
}

fn collections() -> String {
    let map: std::collections::HashMap<u64, Box<u64>> = (0..1000).map(|n| (n, Box::new(n))).collect();
    map.values().map(|b| **b).sum::<u64>().to_string()
}

fn main() {
    panic::set_hook(Box::new(|_| {}));
    let name = std::env::args().nth(1).unwrap_or_default();
    let run: fn() -> String = match name.as_str() {
        "panics" => panics,
        "threads" => threads,
        "collections" => collections,
        _ => std::process::exit(98),
    };
    if std::env::var("DWELL_CASE_GATE").is_ok() {
        eprintln!("ready");
        let mut byte = [0];
        if std::io::stdin().read(&mut byte).unwrap_or(0) != 1 { std::process::exit(99) }
    }
    let ms = std::env::var("DWELL_CASE_MS").ok().and_then(|t| t.parse().ok()).unwrap_or(0);
    let end = Instant::now() + Duration::from_millis(ms);
    let first = run();
    while Instant::now() < end {
        assert_eq!(first, run());
    }
    println!("{}", first);
}
