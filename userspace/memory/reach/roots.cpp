// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/roots.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "userspace/base/files.h"
#include "userspace/base/text.h"

namespace dwell::memory::reach {
namespace {

using heap::Range;

constexpr std::uint64_t kRedZone = 128;
constexpr std::size_t kLargestInfo = 16 << 20;

// What a range has outside of `holes`, which are in address order.
void add_without(Range range, const std::vector<Range>& holes, std::vector<Range>& to) {
  auto hole = std::lower_bound(holes.begin(), holes.end(), range.start,
                               [](const Range& one, std::uint64_t address) { return one.end <= address; });
  for (; hole != holes.end() && hole->start < range.end; ++hole) {
    if (range.start < hole->start) to.push_back({range.start, hole->start});
    range.start = std::max(range.start, hole->end);
  }
  if (range.start < range.end) to.push_back(range);
}

// Written once by the loader, and then made constant.
bool may_point(const MappingUse& use) {
  return use.mapping.readable && (use.mapping.writable || (use.anonymous > 0 && !use.mapping.shared));
}

std::uint64_t number_after(std::string_view text, std::string_view name, int base) {
  std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  at = text.find_first_not_of(" \t", at + name.size());
  std::uint64_t number = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at, text.data() + text.size(), number, base);
  return number;
}

}  // namespace

std::vector<Range> root_ranges(const std::vector<MappingUse>& uses, std::vector<Range> heaps,
                               const std::vector<ThreadStack>& stacks, const std::vector<Range>& unknown) {
  for (const ThreadStack& stack : stacks)  // below the stack pointer is nothing that counts
    if (stack.stack_pointer > stack.range.start + kRedZone)
      heaps.push_back({stack.range.start, stack.stack_pointer - kRedZone});
  std::sort(heaps.begin(), heaps.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  std::vector<Range> ranges = unknown;
  for (const MappingUse& use : uses)
    if (may_point(use) && use.resident > 0) add_without({use.mapping.start, use.mapping.end}, heaps, ranges);
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  return ranges;
}

std::vector<Range> generated_code(const std::vector<MappingUse>& uses) {
  std::vector<Range> ranges;
  for (const MappingUse& use : uses)
    if (use.mapping.executable && use.mapping.readable && use.anonymous > 0)
      ranges.push_back({use.mapping.start, use.mapping.end});
  return ranges;
}

std::vector<std::uint32_t> roots_in_code(const std::vector<Range>& ranges, const BlockIndex& index, WordScan& scan, LateWords* late) {
  std::vector<std::uint32_t> roots;
  for (const Range& range : ranges)
    scan.range(range.start, range.end, [&](std::span<const std::uint64_t> words, std::uint64_t address) {
      for (std::size_t i = 0; i + 1 < words.size(); ++i)
        for (unsigned shift = 8; shift < 64; shift += 8) {
          std::uint64_t word = words[i] >> shift | words[i + 1] << (64 - shift);
          add_roots(std::span(&word, 1), index, roots, late, address + 8 * i);
        }
    });
  return roots;
}

void add_epoll_words(std::string_view fdinfo, std::vector<std::uint64_t>& words) {
  for (std::string_view line : split(fdinfo, '\n'))
    if (line.starts_with("tfd:"))
      if (std::uint64_t word = number_after(line, "data:", 16)) words.push_back(word);
}

void add_timer_words(std::string_view timers, std::vector<std::uint64_t>& words) {
  for (std::string_view line : split(timers, '\n')) {
    std::size_t slash = line.find('/');
    if (!line.starts_with("signal:") || slash == std::string_view::npos) continue;
    if (std::uint64_t word = number_after(line.substr(slash), "/", 16)) words.push_back(word);
  }
}

std::vector<std::uint64_t> kernel_words(pid_t pid) {
  std::vector<std::uint64_t> words;
  std::string folder = fmt::format("/proc/{}/fdinfo", pid);
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (Result<std::string> text = read_file(at->path(), kLargestInfo)) add_epoll_words(*text, words);
  if (Result<std::string> text = read_file(fmt::format("/proc/{}/timers", pid), kLargestInfo)) add_timer_words(*text, words);
  return words;
}

void add_roots(std::span<const std::uint64_t> words, const BlockIndex& index, std::vector<std::uint32_t>& roots, LateWords* late, std::uint64_t from) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::uint32_t block = index.find(words[i]);
    if (block == BlockIndex::kNone && late) late->add(from ? from + 8 * i : 0, words[i]);
    if (block != BlockIndex::kNone && (roots.empty() || roots.back() != block)) roots.push_back(block);
  }
}

std::vector<std::uint32_t> roots_in(const std::vector<Range>& ranges, const BlockIndex& index, WordScan& scan, LateWords* late) {
  std::vector<std::uint32_t> roots;
  for (const Range& range : ranges)
    scan.range(range.start, range.end,
               [&](std::span<const std::uint64_t> words, std::uint64_t address) {
                 add_roots(words, index, roots, late, address);
                 if (late) late->peek();
               });
  return roots;
}

}  // namespace dwell::memory::reach
