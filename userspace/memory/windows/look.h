// SPDX-License-Identifier: Apache-2.0
// A point query: is the block at this address still the program's, and what do its first words say?
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dwell::memory::windows {

inline constexpr std::size_t kWords = 3;
using Words = std::array<std::uint64_t, kWords>;

enum class BlockState : std::uint8_t { kUnknown, kLive, kFree };

enum class Allocator : std::uint8_t {
  kOther,  // no reader: walks of the heap tell what lives, where there are any
  kMain,   // whichever gives out the process's blocks: C++'s operators call it
  kGlibc,
  kJemalloc,
};

struct Question {
  std::uint64_t address, size;  // what malloc returned, and was asked for
  Allocator allocator = Allocator::kGlibc;  // whose block it was
};

struct Look {
  BlockState state = BlockState::kUnknown;
  Words words{};  // words behind the end of a short block are 0
};

// Who can tell, for one process: an allocator's reader, or a simulation.
class LivenessReader {
 public:
  virtual ~LivenessReader() = default;
  // One look for each question, in order.
  virtual void look(std::span<const Question> questions, std::span<Look> looks) = 0;
};

}  // namespace dwell::memory::windows
