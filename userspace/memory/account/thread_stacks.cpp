// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/thread_stacks.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "userspace/base/files.h"
#include "userspace/base/text.h"

namespace dwell::memory {
namespace {

using heap::kPageSize;
using heap::Range;

constexpr std::uint64_t kSearched = std::uint64_t{16} << 20;  // above a stack pointer, at most
constexpr std::uint64_t kAtEnd = 16 << 10;                    // of a mapping: where a descriptor would be
constexpr std::size_t kDescriptorAlignment = 64, kPiece = 64 << 10;

// The first descriptor in [from, to): its first and third word are its own address.
std::uint64_t find_descriptor(const heap::Target& target, std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> words(kPiece / 8);
  from &= ~std::uint64_t{kDescriptorAlignment - 1};
  for (std::uint64_t at = from; at < to; at += kPiece) {
    std::size_t size = std::min<std::uint64_t>(kPiece, to - at);
    std::size_t got = target.memory.read_some(at, words.data(), size) / 8;
    for (std::size_t i = 0; i + 2 < got; i += kDescriptorAlignment / 8)
      if (words[i] == at + 8 * i && words[i + 2] == words[i]) return words[i];
    if (got * 8 < size) return 0;
  }
  return 0;
}

class StackFinder {
 public:
  explicit StackFinder(const heap::Target& target) : target_(target) {}

  std::vector<ThreadStack> find() {
    for (std::size_t i = 0; i < target_.mappings.size(); ++i) {
      const Mapping& mapping = target_.mappings[i];
      if (mapping.path == "[stack]") found_.push_back({{mapping.start, mapping.end}, target_.memory.pid(), 0});
    }
    add_threads();
    add_mappings_behind_guards();
    std::sort(found_.begin(), found_.end(),
              [](const ThreadStack& a, const ThreadStack& b) { return a.range.start < b.range.start; });
    return std::move(found_);
  }

 private:
  const Mapping* mapping_of(std::uint64_t address) const {
    for (const Mapping& mapping : target_.mappings)
      if (address >= mapping.start && address < mapping.end) return &mapping;
    return nullptr;
  }

  static bool may_be_stack(const Mapping& mapping) {
    return !mapping.is_file() && mapping.path.empty() && mapping.writable && !mapping.shared;
  }

  ThreadStack* stack_with(std::uint64_t address) {
    for (ThreadStack& stack : found_)
      if (stack.range.contains(address)) return &stack;
    return nullptr;
  }

  void add_threads() {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", target_.memory.pid()), error)) {
      std::string name = entry.path().filename();
      pid_t tid = 0;
      std::from_chars(name.data(), name.data() + name.size(), tid);
      Result<std::string> text = read_file(entry.path() / "syscall");
      std::uint64_t pointer = text ? stack_pointer_in(*text) : 0;
      if (pointer) add_thread(tid, pointer);
    }
  }

  void add_thread(pid_t tid, std::uint64_t pointer) {
    if (ThreadStack* known = stack_with(pointer)) {
      known->stack_pointer = pointer;
      return;
    }
    const Mapping* mapping = mapping_of(pointer);
    if (!mapping || !may_be_stack(*mapping)) return;
    std::uint64_t descriptor = find_descriptor(target_, pointer, std::min(mapping->end, pointer + kSearched));
    if (descriptor) found_.push_back({{mapping->start, end_of(descriptor, *mapping)}, tid, pointer});
  }

  // Threads that run now, and stacks that are kept for new ones.
  void add_mappings_behind_guards() {
    for (std::size_t i = 1; i < target_.mappings.size(); ++i) {
      const Mapping &guard = target_.mappings[i - 1], &mapping = target_.mappings[i];
      if (guard.readable || guard.writable || guard.end != mapping.start || !may_be_stack(mapping)) continue;
      if (stack_with(mapping.start)) continue;
      std::uint64_t from = std::max(mapping.start, mapping.end - std::min(mapping.end, kAtEnd));
      if (find_descriptor(target_, from, mapping.end)) found_.push_back({{mapping.start, mapping.end}, 0, 0});
    }
  }

  // The descriptor ends the stack; it is smaller than a page.
  static std::uint64_t end_of(std::uint64_t descriptor, const Mapping& mapping) {
    return std::min(mapping.end, (descriptor + kPageSize) & ~(kPageSize - 1));
  }

  const heap::Target& target_;
  std::vector<ThreadStack> found_;
};

}  // namespace

std::vector<ThreadStack> find_thread_stacks(const heap::Target& target) { return StackFinder(target).find(); }

// "202 0x7f.. ... SP PC", "-1 SP PC" in a page fault, "running".
std::uint64_t stack_pointer_in(std::string_view syscall) {
  while (!syscall.empty() && (syscall.back() == '\n' || syscall.back() == ' ')) syscall.remove_suffix(1);
  std::vector<std::string_view> words = split(syscall, ' ');
  if (words.size() < 3) return 0;
  std::string_view word = words[words.size() - 2];
  if (!word.starts_with("0x")) return 0;
  std::uint64_t pointer = 0;
  std::from_chars(word.data() + 2, word.data() + word.size(), pointer, 16);
  return pointer;
}

}  // namespace dwell::memory
