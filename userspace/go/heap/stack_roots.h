// SPDX-License-Identifier: Apache-2.0
// The words of a goroutine's stack that may be pointers, by the maps that the compiler left for the
// collector. What is dead on a stack, but still stands there, would keep a leaked goroutine's channel looking
// alive.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/runtime/runtime.h"

namespace dwell {

class StackRoots {
 public:
  // Takes a word, and the one that lies before it.
  using WordVisitor = std::function<void(std::uint64_t word, std::uint64_t before)>;

  explicit StackRoots(const GoRuntime& runtime);

  // Hands over each word that may be a pointer. A goroutine whose stack can't be walked gives all of its
  // words. `deferred` are the functions that it will still call, whose variables may stand on its stack.
  void visit(const Goroutine& goroutine, std::span<const std::uint64_t> deferred, const WordVisitor& word);
  // The same by frames, the outermost first. Where a stack can't be walked, `pc` is where the goroutine
  // began.
  using FrameVisitor = std::function<void(std::uint64_t pc, std::uint64_t word)>;
  void visit_by_frame(const Goroutine& goroutine, std::span<const std::uint64_t> deferred,
                      const FrameVisitor& word);

 private:
  struct Frame {
    std::uint64_t pc, sp, fp;  // fp: behind the return address, where the arguments begin
    bool exact;                // interrupted here: its maps do not hold
  };
  // A variable whose address was taken: alive as long as something that is alive leads to it.
  struct ObjectMap {
    std::int64_t offset = 0;
    std::uint32_t size = 0, pointer_bytes = 0;
    std::string bits;  // one for each word that may be a pointer; "": any
  };
  struct Object {
    std::uint64_t begin = 0;
    const ObjectMap* map = nullptr;
    bool visited = false;
    std::size_t frame = 0;  // by number, the innermost first
  };
  // Which words of a frame may be pointers; cached by address, as most goroutines stand at few places.
  struct Maps {
    bool known = false;  // else: all words
    std::vector<bool> locals, arguments;
    std::vector<ObjectMap> objects;
  };

  const Maps& maps_at(std::uint64_t pc);
  Maps read_maps(std::uint64_t pc) const;
  bool read_bitmap(const GoRecord& record, std::uint32_t which, std::int64_t index,
                   std::vector<bool>& bits) const;
  void read_objects(const GoRecord& record, Maps& maps) const;
  void visit_frame(const Frame& frame, bool has_room, const WordVisitor& word);
  // The object around an address; null if there is none.
  Object* object_at(std::uint64_t address);
  void visit_objects(const WordVisitor& word);
  void visit_range(std::uint64_t begin, std::uint64_t end, const WordVisitor& word) const;

  const GoRuntime& runtime_;
  std::uint64_t function_data_ = 0;
  absl::flat_hash_map<std::uint64_t, std::unique_ptr<Maps>> maps_;  // objects_ point into them
  std::uint64_t read_only_ = 0;
  std::vector<Object> objects_;        // of the frames of the goroutine that is being visited
  std::vector<std::uint64_t> inward_;  // words that point into its stack
  std::string stack_;                  // of the goroutine that is being visited
  std::uint64_t stack_start_ = 0;
  std::vector<std::uint64_t> pcs_;   // of its frames, the innermost first; none if it can't be walked
  std::size_t frame_ = 0;            // that is being visited
};

}  // namespace dwell
