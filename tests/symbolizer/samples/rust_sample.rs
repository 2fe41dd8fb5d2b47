// SPDX-License-Identifier: Apache-2.0
// A Rust program with generics, closures and traits, for both ways to mangle names.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

trait Shape {
    fn area(&self) -> f64;
    fn text(&self) -> String;
}

#[derive(Debug, Clone, PartialEq)]
struct Square<T: Debug + Clone>(T, f64);

impl<T: Debug + Clone> Shape for Square<T> {
    fn area(&self) -> f64 {
        self.1 * self.1
    }
    fn text(&self) -> String {
        format!("{:?} of {}", self.0, self.1)
    }
}

mod inner {
    pub fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
        let mut copy = values.to_vec();
        copy.sort_by(|a, b| b.cmp(a));
        copy
    }
}

fn main() {
    let shapes: Vec<Box<dyn Shape>> = vec![
        Box::new(Square("text", 2.0)),
        Box::new(Square(vec![1u8, 2], 3.0)),
        Box::new(Square(Some(7i64), 4.0)),
    ];
    let mut words: HashMap<String, Vec<usize>> = HashMap::new();
    let mut order: BTreeMap<usize, String> = BTreeMap::new();
    for (at, shape) in shapes.iter().enumerate() {
        for word in shape.text().split_whitespace() {
            words.entry(word.to_string()).or_default().push(at);
        }
        order.insert(shape.area() as usize, shape.text());
    }
    let numbers: Vec<i64> = words.values().flatten().map(|n| *n as i64 * 3).collect();
    let handle = std::thread::spawn(move || inner::sorted(&numbers));
    println!("{:?} {:?} {}", handle.join().unwrap(), order, words.len());
}
