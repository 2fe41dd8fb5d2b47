// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/glibc_arena.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <array>

namespace dwell::memory::heap {
namespace {

constexpr std::size_t kBinWords = 254, kBins = 127;
constexpr std::uint64_t kNextFromBins = 2048, kTopBeforeBins = 16;
constexpr std::uint64_t kSystemMem = 2072, kSystemMemBefore223 = 2064;
constexpr std::uint64_t kLongestHead = 256;  // of malloc_state before bins
constexpr std::uint64_t kLargestData = std::uint64_t{64} << 20;
constexpr int kArenaTries = 4;
constexpr std::size_t kMostArenas = 1 << 16, kMostCandidates = 64;
constexpr std::array<std::uint64_t, 2> kHeapInfoSizes{0x30, 0x20};

// `word` is bins[0], which lies at `address`.
bool are_bins(const std::uint64_t* word, std::uint64_t address) {
  for (std::size_t bin = 0; bin + 1 < kBins; ++bin) {
    std::uint64_t forward = word[2 * bin], backward = word[2 * bin + 1], itself = address + 16 * bin - 16;
    if (forward == itself && backward == itself) continue;
    if (forward == itself || backward == itself) return false;
    if (forward % 16 || backward % 16 || forward < kPageSize || backward < kPageSize) return false;
  }
  return true;
}

// Where bins may be. Often two places, 16 bytes apart: top and last_remainder look like a bin, too.
std::vector<std::uint64_t> find_bins(const std::vector<std::uint64_t>& words, std::uint64_t start) {
  std::vector<std::uint64_t> found;
  for (std::size_t i = kBinWords - 2; i + 1 < words.size() && found.size() < kMostCandidates; ++i) {
    if (words[i] != words[i + 1] || words[i] != start + 8 * i - 16) continue;
    std::size_t first = i - (kBinWords - 2);
    if (are_bins(&words[first], start + 8 * first)) found.push_back(start + 8 * first);
  }
  return found;
}

// The arenas in the ring, if it comes back to the main one with this layout.
std::vector<std::uint64_t> ring_of(const ProcessMemory& memory, std::uint64_t main, std::uint64_t bins_offset) {
  std::vector<std::uint64_t> ring{main};
  absl::flat_hash_set<std::uint64_t> seen{main};
  for (std::uint64_t at = main; ring.size() < kMostArenas;) {
    std::optional<std::uint64_t> next = memory.load<std::uint64_t>(at + bins_offset + kNextFromBins);
    if (!next || *next % 8) return {};
    if (*next == main) return ring;
    if (!seen.insert(*next).second) return {};
    ring.push_back(*next);
    at = *next;
  }
  return {};
}

std::optional<std::uint64_t> system_mem_from_bins(const ProcessMemory& memory, std::uint64_t bins) {
  for (std::uint64_t offset : {kSystemMem, kSystemMemBefore223}) {
    std::array<std::uint64_t, 2> words{};  // system_mem, max_system_mem
    if (!memory.read(bins + offset, words.data(), sizeof words)) continue;
    // In a static program the break does not begin at a page: its thread-local storage was taken from it before.
    if (words[0] >= kPageSize && words[0] % 16 == 0 && words[0] <= words[1]) return offset;
  }
  return std::nullopt;
}

std::uint64_t heap_info_size(const ProcessMemory& memory, std::uint64_t arena) {
  for (std::uint64_t size : kHeapInfoSizes)
    if (memory.load<std::uint64_t>(arena - size) == arena) return size;
  return 0;
}

std::optional<GlibcArenas> arenas_of(const ProcessMemory& memory, std::uint64_t bins) {
  GlibcArenas found;
  std::vector<std::uint64_t> ring;
  for (std::uint64_t head = 24; head <= kLongestHead && ring.empty(); head += 8) {
    ring = ring_of(memory, bins - head, head);
    found.layout.bins = head;
  }
  if (ring.empty()) return std::nullopt;
  std::optional<std::uint64_t> system_mem;
  for (std::size_t i = 0; i < ring.size() && !system_mem; ++i)
    system_mem = system_mem_from_bins(memory, ring[i] + found.layout.bins);
  if (!system_mem) return std::nullopt;
  found.layout.system_mem = *system_mem;
  if (ring.size() > 1) found.layout.heap_info = heap_info_size(memory, ring[1]);
  for (std::uint64_t address : ring) {
    auto bytes = memory.load<std::uint64_t>(address + found.layout.bins + *system_mem);
    found.arenas.push_back({address, read_top(memory, found.layout, address), bytes.value_or(0), address == ring[0]});
  }
  return found;
}

std::optional<GlibcArenas> look_for_arenas(const Target& target) {
  std::vector<std::uint64_t> words;
  for (const Mapping& mapping : target.mappings) {
    std::uint64_t size = mapping.end - mapping.start;
    if (!mapping.is_file() || !mapping.writable || mapping.shared || size > kLargestData) continue;
    words.resize(size / 8);
    std::size_t got = target.memory.read_some(mapping.start, words.data(), size);
    words.resize(got / 8);
    for (std::uint64_t bins : find_bins(words, mapping.start)) {
      std::optional<GlibcArenas> arenas = arenas_of(target.memory, bins);
      if (!arenas) continue;
      arenas->data = {mapping.start, mapping.end};
      return arenas;
    }
  }
  return std::nullopt;
}

bool uses_brk(const std::vector<Mapping>& mappings) {
  return std::ranges::any_of(mappings, [](const Mapping& mapping) { return mapping.path == "[heap]"; });
}

}  // namespace

std::uint64_t read_top(const ProcessMemory& memory, const GlibcLayout& layout, std::uint64_t arena) {
  return memory.load<std::uint64_t>(arena + layout.bins - kTopBeforeBins).value_or(0);
}

std::optional<GlibcArenas> find_glibc_arenas(const Target& target) {
  std::optional<GlibcArenas> found = look_for_arenas(target);
  // A bin that was being linked just then looks like none.
  for (int tries = 1; !found && tries < kArenaTries && uses_brk(target.mappings); ++tries) found = look_for_arenas(target);
  return found;
}

}  // namespace dwell::memory::heap
