// SPDX-License-Identifier: Apache-2.0
// ProcessLiveness: the reader of a running process's allocator, found when it is first needed, and again now and then: an
// allocator may not have been used yet, and grows.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "userspace/memory/windows/glibc_liveness.h"
#include "userspace/memory/windows/jemalloc_liveness.h"
#include "userspace/memory/windows/look.h"
#include "userspace/process/process_memory.h"

namespace dwell::memory::windows {

// Of an allocator without a reader: all blocks live that can be read. Walks of the heap find those that do not.
class WordsAlone : public LivenessReader {
 public:
  explicit WordsAlone(const ProcessMemory& memory) : memory_(memory) {}
  void look(std::span<const Question> questions, std::span<Look> looks) override;

 private:
  const ProcessMemory& memory_;
};

class ProcessLiveness : public LivenessReader {
 public:
  explicit ProcessLiveness(pid_t pid) : memory_(pid) {}
  ProcessLiveness(const ProcessLiveness&) = delete;

  // Whether the heap can be walked; and whether that is needed.
  void set_walked(bool walked) { walked_ = walked; }
  bool needs_walks() const { return needs_walks_; }

  // Looks for the structures of allocators that were asked for, where that is due.
  void refresh(std::uint64_t now_ns);
  void look(std::span<const Question> questions, std::span<Look> looks) override;

 private:
  LivenessReader* reader_of(Allocator allocator);

  ProcessMemory memory_;
  WordsAlone words_alone_{memory_};
  std::unique_ptr<GlibcLiveness> glibc_;
  std::unique_ptr<JemallocLiveness> jemalloc_;
  bool glibc_wanted_ = false, jemalloc_wanted_ = false, walked_ = false, needs_walks_ = false;
  std::uint64_t looked_ns_ = 0, pause_ns_ = 0;
};

}  // namespace dwell::memory::windows
