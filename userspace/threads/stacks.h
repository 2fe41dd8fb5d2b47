// SPDX-License-Identifier: Apache-2.0
// StackCollector: the stacks of the threads that were looked at, as a recording holds them.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <sys/types.h>

#include <memory>
#include <span>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/collect/address_space.h"
#include "userspace/process/process_memory.h"
#include "userspace/record/modules.h"
#include "userspace/recording/writer.h"
#include "userspace/threads/looker.h"
#include "userspace/unwind/remote_unwinder.h"

namespace dwell {

class StackCollector {
 public:
  StackCollector(pid_t pid, std::span<const Mapping> mappings, RecordingWriter& writer);

  // `window` is what was read of its stack together with its registers; what lies above is read now.
  StackId user_stack(const SeenThread& thread, std::string_view window);
  StackId kernel_stack(std::span<const std::uint64_t> addresses);

  // The frames of a thread that waits to write a reader-writer lock, from the one that called the function which locks it, outwards;
  // none where that is not known.
  std::vector<RemoteFrame> callers_of_lock(const SeenThread& thread, std::string_view window);
  // Of a frame, or the first one around it that the program itself has.
  std::string function_of(std::span<const RemoteFrame> frames);

  // Which of these words, sorted, lie in the frames of a thread that sleeps, each with the function of the first such frame that is
  // no part of a lock. Not in memory below its frames, which is dead.
  struct WordInFrame {
    std::uint64_t word;
    std::string function;
  };
  std::vector<WordInFrame> words_in_frames(const SeenThread& thread, std::string_view window, std::span<const std::uint64_t> words);

  // Code through which stacks may be wrong or cut, and why.
  std::vector<std::string> problems() const;
  // By location of the recording; those of its own stacks, each looked up once.
  const std::vector<LocationSymbol>& names();
  // Of the frames of a stack, leaf first, as far as names() has them.
  std::vector<std::string_view> functions_of(StackId stack) const;

 private:
  RemoteStack walk(const SeenThread& thread, std::string_view window) const;
  StackId intern(std::span<const RemoteFrame> frames, dwell_stack_end end);

  ProcessMemory memory_;
  RecordingWriter& writer_;
  RemoteUnwinder unwinder_;
  ModuleTable modules_;
  AddressSpace code_;
  std::int32_t kernel_ = -1;                                        // its module, once a stack leads there
  absl::flat_hash_map<std::vector<std::uint64_t>, StackId> known_;  // by what the frames are
  absl::flat_hash_map<StackId, std::vector<std::uint32_t>> locations_;
  std::unique_ptr<Symbolizer> symbolizer_;
  std::set<std::uint32_t> unnamed_;  // locations of its stacks that were not looked up yet
  std::vector<LocationSymbol> names_;
  std::string kernel_problem_;  // why functions of the kernel have no names
};

}  // namespace dwell
