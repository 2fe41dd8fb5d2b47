// SPDX-License-Identifier: Apache-2.0
// Decoder: where the records of bpf/events.h that all tracers share are taken apart: stacks, and what becomes
// of processes. The others go to the tracer that knows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "bpf/events.h"
#include "userspace/collect/address_space.h"
#include "userspace/collect/changing_stacks.h"
#include "userspace/recording/ids.h"
#include "userspace/collect/stack_table.h"

namespace dwell {

inline constexpr ProcessSlot kNoProcess = 0xffff;

// What became of a process, in order with what it did before and after.
struct ProcessNews {
  enum class Kind {
    kForked,
    kForkedBelow,  // by a descendant of the process that is no target itself: `process` is not its parent
    kSpawned,      // a program that it started by vfork or posix_spawn, or that such a program started
    kExecuted,
    kExited,
    kThreadExited
  } kind;
  TargetSlot target;
  ProcessSlot process;     // whose slot that is, kNoProcess: nobody's that is recorded
  Tid tid;
  std::uint64_t other_id;  // of the first three: the new process's tgid; kExecuted: as DWELL_EXEC has it
  std::uint64_t time_ns;
};

// Where a walk ended for want of a table, and the stack's memory from there on.
struct StackRest {
  std::uint64_t pc, sp, bp;
  bool exact;
  std::vector<std::byte> bytes;  // from sp upward
};

class Decoder {
 public:
  struct Sink {
    std::function<void(const ProcessNews&)> process;
    // A walk stopped early at this pc, for want of something that userspace could bring.
    std::function<void(TargetSlot, dwell_stack_end, std::uint64_t pc)> stack_cut;
    // The code of a process, as far as it is known: all that was mapped until now.
    std::function<const AddressSpace&(TargetSlot)> address_space;
    // Any other record. False if no tracer knows it, or it is too short to be one.
    std::function<bool(const dwell_header&, ProcessSlot, std::span<const std::byte>)> record;
    // Whose slot it is now; kNoProcess: that of a child which is counted as not followed, or DWELL_NO_SLOT.
    std::function<ProcessSlot(TargetSlot)> process_of = [](TargetSlot slot) { return ProcessSlot{slot}; };
    // Goes on with a walk where it ended, over what was kept of the stack; adds frames, and says how it ended then.
    std::function<void(TargetSlot, const StackRest&, WalkedStack&)> complete = {};
  };
  Decoder(StackTable& stacks, RecordingWriter& writer, Sink sink);

  // Decodes one record: stacks and process news itself, the rest is the tracers'.
  void decode(const void* data, std::size_t size);

  std::uint64_t events() const { return events_; }
  std::uint64_t undecodable() const { return undecodable_; }

 private:
  bool learn_stack(const void* data, std::size_t size);
  bool keep_rest(const void* data, std::size_t size);
  void complete(const dwell_stack_record& record, WalkedStack& stack);
  std::uint64_t meaning_at(std::uint64_t identity, std::uint64_t time_ns);
  bool tell_process(const void* data, std::size_t size);
  StackTable& stacks_;
  RecordingWriter& writer_;
  Sink sink_;
  ChangingStacks changing_;
  static constexpr std::size_t kMostRests = 256;
  absl::flat_hash_map<std::uint64_t, StackRest> rests_;  // by identity, until the walk itself comes
  std::uint64_t events_ = 0, undecodable_ = 0;
};

}  // namespace dwell
