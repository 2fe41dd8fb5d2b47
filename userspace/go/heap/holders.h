// SPDX-License-Identifier: Apache-2.0
// GoHolder: a pointer in a global variable, the frames of a function, timers or finalizers, and the part of
// the heap that they lead to.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace dwell {

enum class GoHolderKind : std::uint8_t { kGlobal, kFrame, kTimers, kFinalizers };

struct GoHolder {
  std::uint64_t address = 0;  // of the pointer in the global variable; of frames the function's entry
  std::uint64_t bytes = 0, objects = 0;  // that no variable at a lower address leads to; of frames: that no
                                         // variable and no frame further out does
  std::uint64_t slice_length = 0;        // where it begins a slice
  std::uint64_t map_length = 0;          // of the longest map that it is or leads to
  // The closures of one function, with what they lead to directly: those that hold most.
  std::uint64_t closure = 0;  // the function's entry; 0: there are none
  std::uint64_t closures = 0, closure_bytes = 0;
  // Slices that can reach little of the arrays that they keep.
  std::uint64_t short_slices = 0, short_bytes = 0;
  std::uint64_t most_elements = 0;  // that one of them can reach
  std::uint64_t array_bytes = 0;    // of the largest such array
  // Since the first look, if there was one.
  std::uint64_t length_before = 0, since_ns = 0;
  std::uint64_t length_between = 0;  // at the look before the last

  GoHolderKind kind = GoHolderKind::kGlobal;
  // Of frames:
  std::uint64_t goroutines = 0, goroutine = 0;  // how many have one, and the number of one of them
  std::uint64_t pc = 0, most_bytes = 0;         // where the one stands that leads to most, and to how much

  std::uint64_t length() const { return map_length > slice_length ? map_length : slice_length; }
};

// Pure. The length of the map that an object of 48 bytes is the head of; 0 if it is none, or empty.
// `size_of(address)` is the size of the object there, 0 if there is none.
using SizeOfObject = std::function<std::uint64_t(std::uint64_t address)>;
std::uint64_t go_map_length(std::string_view head, int minor, const SizeOfObject& size_of);

// Pure. Whether a slice keeps an array of which it can reach next to nothing: how many elements it can reach,
// else 0. Elements of a kilobyte and more without a pointer in them are not thought of.
std::uint64_t elements_of_short_slice(std::uint64_t length, std::uint64_t capacity,
                                      std::uint64_t array_bytes);

}  // namespace dwell
