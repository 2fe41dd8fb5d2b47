// SPDX-License-Identifier: Apache-2.0
// Whether a thread that runs gets anywhere: one that spins is met in the same state again and again: at the same instruction, with the
// same registers and the same stack. A loop that computes something changes at least one of these each time. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

// The memory, but its stack, that the loop reads in which it is: what it waits to change. None: there is none, or more than one, or it
// moves. `code_at`: some bytes of the process's code from an address on; fewer or none where there are no more.
using CodeAt = std::function<std::span<const std::byte>(std::uint64_t address)>;
std::optional<std::uint64_t> word_it_reads(std::span<const dwell_run_state> states, const CodeAt& code_at);

}  // namespace dwell
