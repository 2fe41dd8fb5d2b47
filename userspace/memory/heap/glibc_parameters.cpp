// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/glibc_parameters.h"

#include <array>
#include <cstring>
#include <vector>

namespace dwell::memory::heap {
namespace {

// Where n_mmaps stands before sbrk_base: int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold; then two or three
// words of bytes. 2.35 and newer; 2.24 to 2.34; older, which also kept max_total_mem.
constexpr std::array<std::size_t, 3> kCountsBefore{36, 32, 40};
constexpr std::array<std::size_t, 3> kMappedBefore{16, 16, 24};
constexpr std::size_t kBefore = 48;

template <typename T>
T at(const std::vector<char>& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::optional<GlibcParameters> parameters_at(const std::vector<char>& bytes, std::size_t base) {
  for (std::size_t kind = 0; kind < kCountsBefore.size(); ++kind) {
    std::size_t counts = base - kCountsBefore[kind], sizes = base - kMappedBefore[kind];
    auto now = at<std::int32_t>(bytes, counts), allowed = at<std::int32_t>(bytes, counts + 4),
         most = at<std::int32_t>(bytes, counts + 8), fixed = at<std::int32_t>(bytes, counts + 12);
    auto mapped = at<std::uint64_t>(bytes, sizes), most_mapped = at<std::uint64_t>(bytes, sizes + 8);
    if (now < 0 || most < now || allowed < 0 || (allowed < most && allowed != 0) || (fixed != 0 && fixed != 1)) continue;
    if (allowed == 0 && most != 0) continue;
    if (allowed == 0 && fixed == 0) continue;  // zeros are no evidence: mmap is only turned off by an explicit setting
    if (mapped % kPageSize || most_mapped % kPageSize || mapped > most_mapped || (now == 0) != (mapped == 0)) continue;
    return GlibcParameters{at<std::uint64_t>(bytes, base), static_cast<std::uint64_t>(now), mapped, 0};
  }
  return std::nullopt;
}

}  // namespace

std::optional<GlibcParameters> find_glibc_parameters(const ProcessMemory& memory, const Range& data, const Range& brk) {
  std::vector<char> bytes(data.end - data.start);
  bytes.resize(memory.read_some(data.start, bytes.data(), bytes.size()));
  for (std::size_t base = kBefore; base + 8 <= bytes.size(); base += 8) {
    if (!brk.contains(at<std::uint64_t>(bytes, base))) continue;
    std::optional<GlibcParameters> found = parameters_at(bytes, base);
    if (!found) continue;
    found->address_of_sbrk_base = data.start + base;
    return found;
  }
  return std::nullopt;
}

}  // namespace dwell::memory::heap
