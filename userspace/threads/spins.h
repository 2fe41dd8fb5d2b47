// SPDX-License-Identifier: Apache-2.0
// Whether a thread that runs gets anywhere: one that spins is met in the same state again and again: at the same instruction, with the
// same registers and the same stack. A loop that computes something changes at least one of these each time. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bpf/cpu_sample.h"

namespace dwell {

struct Spin {
  std::size_t seen = 0, repeated = 0;  // states, and those of them that were met more than once, or in which it yielded
  std::size_t places = 0;              // instructions at which it was
  bool yields = false;                 // by sched_yield: then nothing else is told
};

// Of a thread that did not sleep meanwhile. None: it gets on, or it was met too rarely to tell.
std::optional<Spin> find_spin(std::span<const dwell_run_state> states);

// The memory, but its stack, that its instructions read each time: what it waits to change. `code_at`: bytes of its code.
template <typename CodeAt>
std::optional<std::uint64_t> word_it_reads(std::span<const dwell_run_state> states, const CodeAt& code_at);

// The address that the instruction in these bytes reads, with these registers; none: it reads no memory, or its stack.
std::optional<std::uint64_t> address_read(std::span<const std::byte> code, const dwell_run_state& state);

template <typename CodeAt>
std::optional<std::uint64_t> word_it_reads(std::span<const dwell_run_state> states, const CodeAt& code_at) {
  std::optional<std::uint64_t> word;
  for (const dwell_run_state& state : states) {
    std::optional<std::uint64_t> read = address_read(code_at(state.ip), state);
    if (read && word && *read != *word) return std::nullopt;
    if (read) word = read;
  }
  return word;
}

}  // namespace dwell
