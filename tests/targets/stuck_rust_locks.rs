// SPDX-License-Identifier: Apache-2.0
// The locks of Rust, which name no owner: stuck_rust_locks SCENARIO. "ready" when all threads are where they stay; the end with the
// input.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, RwLock};
use std::thread;
use std::time::Duration;

static RESULT: AtomicU64 = AtomicU64::new(0);

struct Account {
    balance: u64,
}

struct Place {
    came: Arc<AtomicBool>,
    task: String,
}

fn task_of_this() -> String {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    format!("/proc/{}/stat", link.display())
}

fn sleeps(task: &str) -> bool {
    let stat = std::fs::read_to_string(task).unwrap();
    stat.rsplit(')').next().unwrap().trim_start().starts_with('S')
}

fn wait_until_all_sleep(places: &[Place]) {
    while !places.iter().all(|place| place.came.load(Ordering::SeqCst) && sleeps(&place.task)) {
        thread::sleep(Duration::from_millis(1));
    }
}

#[inline(never)]
fn transfer(from: &Mutex<Account>, to: &Mutex<Account>, both_have_one: &Barrier, came: &AtomicBool) -> u64 {
    let mut giver = from.lock().unwrap();
    giver.balance -= 1;
    both_have_one.wait();
    came.store(true, Ordering::SeqCst);
    let mut taker = to.lock().unwrap();
    taker.balance += 1;
    giver.balance
}

fn spawn_transfer(name: &str, from: &Arc<Mutex<Account>>, to: &Arc<Mutex<Account>>, barrier: &Arc<Barrier>) -> Place {
    let (from, to, barrier) = (from.clone(), to.clone(), barrier.clone());
    let came = Arc::new(AtomicBool::new(false));
    let theirs = came.clone();
    let (send, receive) = std::sync::mpsc::channel();
    let body = move || {
        send.send(task_of_this()).unwrap();
        drop(send);
        RESULT.store(transfer(&from, &to, &barrier, &theirs), Ordering::SeqCst);
    };
    thread::Builder::new().name(name.to_string()).spawn(body).unwrap();
    Place { came, task: receive.recv().unwrap() }
}

// Each has one account, and wants the other's.
fn ab_ba() -> Vec<Place> {
    let a = Arc::new(Mutex::new(Account { balance: 100 }));
    let b = Arc::new(Mutex::new(Account { balance: 100 }));
    let barrier = Arc::new(Barrier::new(2));
    vec![spawn_transfer("one", &a, &b, &barrier), spawn_transfer("two", &b, &a, &barrier)]
}

#[inline(never)]
fn read_then_lock(prices: &RwLock<u64>, orders: &Mutex<Account>, barrier: &Barrier, came: &AtomicBool) -> u64 {
    let price = prices.read().unwrap();
    barrier.wait();
    came.store(true, Ordering::SeqCst);
    let order = orders.lock().unwrap();
    *price + order.balance
}
#[inline(never)]
fn lock_then_write(prices: &RwLock<u64>, orders: &Mutex<Account>, barrier: &Barrier, came: &AtomicBool) -> u64 {
    let order = orders.lock().unwrap();
    barrier.wait();
    came.store(true, Ordering::SeqCst);
    let mut price = prices.write().unwrap();
    *price += order.balance;
    *price
}

type Body = fn(&RwLock<u64>, &Mutex<Account>, &Barrier, &AtomicBool) -> u64;

fn two_threads(bodies: [(&str, Body); 2]) -> Vec<Place> {
    let prices = Arc::new(RwLock::new(1u64));
    let orders = Arc::new(Mutex::new(Account { balance: 1 }));
    let barrier = Arc::new(Barrier::new(2));
    let mut places = Vec::new();
    for (name, body) in bodies {
        let (prices, orders, barrier) = (prices.clone(), orders.clone(), barrier.clone());
        let came = Arc::new(AtomicBool::new(false));
        let theirs = came.clone();
        let (send, receive) = std::sync::mpsc::channel();
        let run = move || {
            send.send(task_of_this()).unwrap();
            drop(send);
            RESULT.store(body(&prices, &orders, &barrier, &theirs), Ordering::SeqCst);
        };
        thread::Builder::new().name(name.to_string()).spawn(run).unwrap();
        places.push(Place { came, task: receive.recv().unwrap() });
    }
    places
}

// Each reads what both want to write.
#[inline(never)]
fn raise(prices: &RwLock<u64>, _: &Mutex<Account>, barrier: &Barrier, came: &AtomicBool) -> u64 {
    let price = prices.read().unwrap();
    barrier.wait();
    came.store(true, Ordering::SeqCst);
    let mut raised = prices.write().unwrap();
    *raised += 1;
    *price + *raised
}

#[inline(never)]
fn works(accounts: &[Mutex<Account>], first: usize) {
    let mut at = first;
    loop {
        let low = at % accounts.len();
        let high = low + 1 + at / 7 % (accounts.len() - low).max(1);
        let mut one = accounts[low].lock().unwrap();
        if high < accounts.len() {
            let mut other = accounts[high].lock().unwrap();
            other.balance = other.balance.wrapping_add(1);
        }
        one.balance = one.balance.wrapping_add(1);
        at = at.wrapping_mul(31).wrapping_add(7);
    }
}

// As hard as it can, and always in the same order.
fn locks_hard() -> Vec<Place> {
    let accounts: Arc<Vec<Mutex<Account>>> = Arc::new((0..4).map(|_| Mutex::new(Account { balance: 0 })).collect());
    for i in 0..6 {
        let accounts = accounts.clone();
        thread::Builder::new().name(format!("worker{i}")).spawn(move || works(&accounts, i)).unwrap();
    }
    Vec::new()
}

fn main() {
    let places = match std::env::args().nth(1).as_deref() {
        Some("ab_ba") => ab_ba(),
        // A reader wants the mutex whose holder wants to write.
        Some("reader_writer") => two_threads([("reader", read_then_lock), ("writer", lock_then_write)]),
        Some("upgrade") => two_threads([("one", raise), ("two", raise)]),
        Some("locks_hard") => locks_hard(),
        _ => panic!("no such scenario"),
    };
    wait_until_all_sleep(&places);
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    std::process::exit(0);
}
