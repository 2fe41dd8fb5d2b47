// SPDX-License-Identifier: Apache-2.0
// A process of three mappings whose stack is made up word by word, and the walk over it.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

#include "userspace/unwind/eh_frame.h"
#include "userspace/unwind/remote_unwinder.h"

namespace dwell {

inline constexpr std::uint64_t kStack = 0x7ffe0000;
inline constexpr std::uint64_t kModule = 0x400000, kOther = 0x700000, kJit = 0x900000;

inline UnwindRule sp_rule(int offset, int bp = 0) {
  return {offset, static_cast<__s16>(bp), DWELL_CFA_SP,
          static_cast<__u8>(bp ? DWELL_BP_AT_CFA : DWELL_BP_SAME)};
}

// A process of two modules and some generated code. A module has one rule for each 0x100 bytes.
class WalkTest : public testing::Test {
 protected:
  void SetUp() override {
    std::uint32_t header = *memory_.mappings.allocate(4);
    add_mapping(header + 1, kModule, DWELL_MAPPING_TABLE);
    add_mapping(header + 2, kOther, DWELL_MAPPING_PENDING);
    add_mapping(header + 3, kJit, DWELL_MAPPING_NO_TABLE);
    dwell_unwind_space space = {};
    space.count = 3;
    std::memcpy(memory_.mappings.data() + header, &space, sizeof(space));
    memory_.spaces.data()[0] = header;

    std::uint32_t page = *memory_.pages.allocate(1);
    dwell_unwind_mapping& mapping = memory_.mappings.data()[header + 1];
    mapping.call_pages = page;
    mapping.page_count = 1;
    mapping_index_ = header + 1;
  }

  void add_mapping(std::uint32_t index, std::uint64_t start, std::uint32_t kind) {
    dwell_unwind_mapping& mapping = memory_.mappings.data()[index];
    mapping = {};
    mapping.start = start;
    mapping.end = start + 0x1000;
    mapping.bias = start;
    mapping.call_pages = mapping.full_pages = DWELL_NO_PAGES;
    mapping.kind = kind;
  }

  // Function i of the module lies at kModule + i * 0x100.
  void functions(const std::vector<UnwindRule>& rules) {
    std::uint32_t row = *memory_.rows.allocate(static_cast<std::uint32_t>(rules.size()));
    for (std::uint32_t i = 0; i < rules.size(); i++) {
      std::uint32_t rule = *memory_.rules.allocate(1);
      memory_.rules.data()[rule] = rules[i];
      memory_.rows.data()[row + i] = {i * 0x100, rule};
    }
    std::uint32_t page = memory_.mappings.data()[mapping_index_].call_pages;
    memory_.pages.data()[page] = {row, static_cast<std::uint32_t>(rules.size())};
  }
  void with_full_rows() {
    dwell_unwind_mapping& mapping = memory_.mappings.data()[mapping_index_];
    mapping.full_pages = mapping.call_pages;
  }

  static std::uint64_t in(int function, std::uint64_t offset = 0x20) {
    return kModule + function * 0x100 + offset;
  }
  void put(std::uint64_t address, std::uint64_t word) { stack_[address] = word; }

  RemoteStack walk(dwell_stack_start start, std::uint64_t trampoline = 0,
                   std::vector<dwell_return_probe> probes = {}) {
    MemoryReader read = [this](std::uint64_t address, void* to, std::size_t size) {
      bool in_stack = address >= kStack && address + size <= kStack + stack_size_;
      bool elsewhere = address >= elsewhere_ && address + size <= elsewhere_ + elsewhere_size_;
      if (!in_stack && !elsewhere) return false;
      std::memset(to, 0, size);
      for (std::size_t at = 0; at < size; at += 8) {
        auto word = stack_.find(address + at);
        if (word != stack_.end()) std::memcpy(static_cast<char*>(to) + at, &word->second, 8);
      }
      return true;
    };
    return walk_stack(memory_, 0, start, read, trampoline, probes, 0, thread_pointer_);
  }
  RemoteStack walk_from(std::uint64_t pc, std::uint64_t sp, std::uint64_t bp = 0) {
    dwell_stack_start start = {};
    start.pc = pc;
    start.sp = sp;
    start.bp = bp;
    return walk(start);
  }
  static std::vector<std::uint64_t> pcs(const RemoteStack& stack) {
    std::vector<std::uint64_t> out;
    for (const RemoteFrame& frame : stack.frames) out.push_back(frame.pc);
    return out;
  }

  TableMemory memory_;
  std::uint32_t mapping_index_ = 0;
  std::map<std::uint64_t, std::uint64_t> stack_;
  std::uint64_t stack_size_ = 0x4000;
  std::uint64_t thread_pointer_ = 0;
  std::uint64_t elsewhere_ = 0, elsewhere_size_ = 0;  // more memory that can be read
};

inline constexpr UnwindRule kEnd = {0, 0, DWELL_CFA_END, DWELL_BP_SAME};

}  // namespace dwell
