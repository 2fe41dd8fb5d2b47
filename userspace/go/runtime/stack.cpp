// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/runtime/stack.h"

namespace dwell {
namespace {

constexpr std::size_t kMaxFrames = 1 << 20;  // a goroutine may use 1 GB of stack

// Words of the stack: from what was read at once, else from the target, a window at a time.
class StackWords {
 public:
  StackWords(const StackBytes& stack, std::uint64_t high, const ProcessMemory& memory)
      : stack_(stack), high_(high), memory_(memory) {}

  std::optional<std::uint64_t> at(std::uint64_t address) {
    if (address >= stack_.address && address + 8 - stack_.address <= stack_.bytes.size())
      return field_of<std::uint64_t>(stack_.bytes, address - stack_.address);
    if (address + 8 > high_) return std::nullopt;
    if (address < window_start_ || address + 8 - window_start_ > window_.size()) {
      window_start_ = address;
      window_.resize(std::min<std::uint64_t>(high_ - address, kWindow));
      window_.resize(memory_.read_some(address, window_.data(), window_.size()));
    }
    if (window_.size() < 8) return std::nullopt;
    return field_of<std::uint64_t>(window_, address - window_start_);
  }

 private:
  static constexpr std::uint64_t kWindow = 64 << 10;
  const StackBytes& stack_;
  std::uint64_t high_;
  const ProcessMemory& memory_;
  std::uint64_t window_start_ = 0;
  std::string window_;
};

}  // namespace

WalkEnd walk_go_stack(std::uint64_t pc, std::uint64_t sp, std::uint64_t stack_high, const StackBytes& stack,
                      const ProcessMemory& memory, GoFrames& frames, std::vector<std::uint64_t>& pcs,
                      std::vector<std::uint64_t>* sps) {
  pcs.clear();
  if (sps) sps->clear();
  StackWords words(stack, stack_high, memory);
  std::uint64_t called = 0;
  bool interrupted = false;
  while (pcs.size() < kMaxFrames) {
    const GoStep step = frames.step(pc);
    if (!step.known) return WalkEnd::kUnsound;
    // A call whose target stands in the code must be the call of the frame below.
    if (called && !interrupted && step.callee && step.callee != called) return WalkEnd::kUnsound;
    pcs.push_back(pc);
    if (sps) sps->push_back(sp);
    if (step.is_root) return WalkEnd::kRoot;
    std::optional<std::uint64_t> caller = words.at(sp + step.depth);
    if (!caller) return WalkEnd::kUnsound;
    sp += step.depth + 8;
    called = step.entry;
    interrupted = step.is_injected;
    pc = *caller;
  }
  return WalkEnd::kUnsound;
}

}  // namespace dwell
