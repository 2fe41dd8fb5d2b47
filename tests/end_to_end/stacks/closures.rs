// SPDX-License-Identifier: Apache-2.0
// Stacks in a Rust program: recursion, closures behind trait objects, the standard library's sort and threads,
// and a panic that is caught.
use std::io::Write;
use std::panic;

#[no_mangle]
#[inline(never)]
pub extern "C" fn mark() {
    unsafe { std::arch::asm!("nop") }
}

#[inline(never)]
fn recurse(depth: u32, leaf: &dyn Fn()) -> u32 {
    if depth == 0 {
        leaf();
        return std::hint::black_box(1);
    }
    std::hint::black_box(recurse(depth - 1, leaf) + 1)
}

struct OnDrop;
impl Drop for OnDrop {
    #[inline(never)]
    fn drop(&mut self) {
        mark();
    }
}

fn main() {
    println!("ready");
    std::io::stdout().flush().unwrap();
    panic::set_hook(Box::new(|_| {}));
    loop {
        recurse(30, &|| mark());
        let mut numbers: Vec<u32> = (0..64).map(|i| (i * 7919) % 101).collect();
        numbers.sort_by(|a, b| {
            if *a == 20 {
                mark();
            }
            a.cmp(b)
        });
        std::hint::black_box(&numbers);
        std::thread::spawn(|| recurse(3, &|| mark())).join().unwrap();
        let _ = panic::catch_unwind(|| {
            let _guard = OnDrop;
            if std::hint::black_box(true) {
                panic!("as planned");
            }
        });
    }
}
