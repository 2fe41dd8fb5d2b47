// SPDX-License-Identifier: Apache-2.0
// StoryRecording: a recording as a recorder would have made it, told in function names instead of addresses.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "userspace/memory/ledger.h"
#include "userspace/recording/model.h"
#include "userspace/memory/part.h"

namespace dwell {

constexpr std::uint64_t kSecond = 1'000'000'000;

class StoryRecording {
 public:
  explicit StoryRecording(std::uint64_t sample_period = 0) : ledger_(kStart, sample_period) {
    recording_.info.start_monotonic_ns = kStart;
    recording_.info.start_unix_ns = 1'700'000'000 * kSecond;
    recording_.info.sample_period_bytes = sample_period;
    recording_.info.started_by_dwell = true;
    recording_.processes = {{42, -1, "app", "app --serve", kStart, 0}};
    recording_.stacks.emplace_back();
  }

  // Functions, leaf first: "name" or "name@module". A function that begins with '?' has no symbol.
  StackId stack(const std::vector<std::string>& functions, std::uint8_t end = 0) {
    CallStack stack;
    for (const std::string& function : functions) stack.locations.push_back(location(function));
    stack.end = end;
    for (std::uint32_t i = 1; i < recording_.stacks.size(); ++i)
      if (recording_.stacks[i] == stack) return StackId{i};
    recording_.stacks.push_back(stack);
    return StackId{static_cast<std::uint32_t>(recording_.stacks.size() - 1)};
  }
  std::uint32_t module(const std::string& path) {
    for (std::uint32_t i = 0; i < recording_.modules.size(); ++i)
      if (recording_.modules[i].path == path) return i;
    recording_.modules.push_back({path, build_id, 1 << 20, ModuleKind::kFile});
    return static_cast<std::uint32_t>(recording_.modules.size() - 1);
  }

  StoryRecording& at(std::uint64_t since_start) {
    now_ = kStart + since_start;
    return *this;
  }
  StoryRecording& alloc(std::uint64_t address, std::uint64_t size, StackId stack, Tid tid = 42, ProcessSlot process = 0) {
    ledger_.apply(Alloc{now_, address, size, stack, tid, process});
    return *this;
  }
  StoryRecording& free(std::uint64_t address, ProcessSlot process = 0) {
    ledger_.apply(Free{now_, address, 42, process, false});
    return *this;
  }
  StoryRecording& map(std::uint64_t address, std::uint64_t size, StackId stack) {
    ledger_.apply(Map{now_, address, size, 0, 0, MemoryKind::kMapping, stack, 42, 0});
    return *this;
  }
  StoryRecording& fork_to(ProcessSlot child) {
    recording_.processes.resize(child + std::size_t{1});
    recording_.processes[child] = {42u + child, 0, "app", "app --serve", now_, 0};
    ledger_.apply(Fork{now_, 0, child});
    return *this;
  }
  StoryRecording& tick(std::uint64_t since_start) {
    at(since_start);
    memory_of(recording_).ticks.push_back(ledger_.take_tick(now_));
    return *this;
  }
  StoryRecording& lose(LossKind kind, std::uint64_t count, std::uint64_t span_ns = 0) {
    recording_.losses.push_back({now_, kind, count, span_ns});
    return *this;
  }

  Recording end(std::uint64_t since_start) {
    tick(since_start);
    memory_of(recording_).series.assign(ledger_.series().begin(), ledger_.series().end());
    memory_of(recording_).live = {now_, ledger_.live_blocks()};
    recording_.end = {now_, "interrupted"};
    recording_.ended = true;
    return recording_;
  }
  Recording& recording() { return recording_; }

  std::string build_id = "abcd";
  std::uint32_t first_line = 100;  // functions have the lines 100, 101, ... in the order in which they are met
  std::uint64_t base = 0x1000;     // and file offsets from here on

 private:
  static constexpr std::uint64_t kStart = 5000 * kSecond;

  std::uint32_t location(const std::string& text) {
    auto [it, added] = locations_.try_emplace(text, static_cast<std::uint32_t>(recording_.locations.size()));
    if (!added) return it->second;
    std::size_t at = text.find('@');
    std::string function = text.substr(0, at);
    std::string path = at == text.npos ? "/usr/bin/app" : text.substr(at + 1);
    auto index = static_cast<std::uint32_t>(recording_.locations.size());
    recording_.locations.push_back({static_cast<std::int32_t>(module(path)), base + 16 * index, true});
    LocationSymbol symbol;
    if (function[0] != '?') symbol.frames.push_back({function, "", "src/" + function + ".cpp", first_line + index});
    recording_.symbols.push_back(symbol);
    return index;
  }

  Recording recording_;
  MemoryLedger ledger_;
  std::uint64_t now_ = kStart;
  std::map<std::string, std::uint32_t> locations_;
};

}  // namespace dwell
