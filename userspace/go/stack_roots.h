// SPDX-License-Identifier: Apache-2.0
// The words of a goroutine's stack that may be pointers, by the maps that the compiler left for the
// collector. What is dead on a stack, but still stands there, would keep a leaked goroutine's channel looking
// alive.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "userspace/go/go_runtime.h"
#include "userspace/go/goroutine.h"

namespace dwell {

class StackRoots {
 public:
  // Takes a word, and the one that lies before it.
  using WordVisitor = std::function<void(std::uint64_t word, std::uint64_t before)>;

  explicit StackRoots(const GoRuntime& runtime);

  // Hands over each word that may be a pointer. A goroutine whose stack can't be walked gives all of its
  // words.
  void visit(const Goroutine& goroutine, const WordVisitor& word);

 private:
  struct Frame {
    std::uint64_t pc, sp, fp;  // fp: behind the return address, where the arguments begin
    bool exact;                // interrupted here: its maps do not hold
  };
  // Which words of a frame may be pointers; cached by address, as most goroutines stand at few places.
  struct Maps {
    bool known = false;  // else: all words
    std::vector<bool> locals, arguments;
    std::vector<std::pair<std::int64_t, std::uint32_t>> objects;  // offset, size
  };

  const Maps& maps_at(std::uint64_t pc);
  Maps read_maps(std::uint64_t pc) const;
  bool read_bitmap(const GoRecord& record, std::uint32_t which, std::int64_t index,
                   std::vector<bool>& bits) const;
  void visit_frame(const Frame& frame, bool has_room, const WordVisitor& word);
  void visit_range(std::uint64_t begin, std::uint64_t end, const WordVisitor& word) const;

  const GoRuntime& runtime_;
  std::uint64_t function_data_ = 0;
  absl::flat_hash_map<std::uint64_t, Maps> maps_;
  std::string stack_;  // of the goroutine that is being visited
  std::uint64_t stack_start_ = 0;
};

}  // namespace dwell
