// SPDX-License-Identifier: Apache-2.0
// A service that answers lines: splits each into words, counts them in a map of bounded size, and formats an answer. Some tens of
// allocations a request. line_service PORT
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).expect("line_service PORT");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        let mut answers = stream.try_clone()?;
        let mut seen: HashMap<String, Vec<String>> = HashMap::new();
        for line in BufReader::new(stream).lines() {
            let line = line?;
            let words: Vec<String> = line.split(' ').map(|word| word.to_uppercase()).collect();
            if seen.len() > 10_000 {
                seen.clear();
            }
            for word in &words {
                let entry = seen.entry(word.clone()).or_default();
                entry.push(line.clone());
                if entry.len() > 3 {
                    entry.clear();
                }
            }
            let answer: Vec<String> = words.iter().map(|word| format!("{}={}", word, seen[word].len())).collect();
            answers.write_all((answer.join(" ") + "\n").as_bytes())?;
        }
    }
    Ok(())
}
