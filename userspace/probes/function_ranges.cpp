// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/function_ranges.h"

#include <elf.h>

#include <algorithm>

#include "userspace/base/cursor.h"

namespace dwell {
namespace {

constexpr std::size_t kMaxIndex = std::size_t{64} << 20;
// The only form that linkers write: version 1, any pointer to .eh_frame of 4 bytes, a count of 4 bytes, and a
// table of pairs of 4 bytes, relative to the section itself.
constexpr std::uint8_t kVersion = 1, kCountIsWord = 0x03, kTableIsRelativeWords = 0x3b;
constexpr std::size_t kHeaderBytes = 4;

}  // namespace

FunctionRanges::FunctionRanges(const ElfFile& elf) {
  for (const ElfSegment& segment : elf.segments())
    if (segment.executable) code_.push_back({segment.vaddr, segment.vaddr + segment.file_size});
  read_index(elf);
  if (begins_.empty())
    for (const ElfSymbol& symbol : elf.symbols())
      if (symbol.defined && symbol.vaddr && (symbol.type == STT_FUNC || symbol.type == STT_GNU_IFUNC))
        begins_.push_back(symbol.vaddr);
  std::sort(begins_.begin(), begins_.end());
  begins_.erase(std::unique(begins_.begin(), begins_.end()), begins_.end());
}

void FunctionRanges::read_index(const ElfFile& elf) {
  const ElfSection* section = elf.section(".eh_frame_hdr");
  if (!section) return;
  Result<std::string> bytes = elf.section_bytes(".eh_frame_hdr", kMaxIndex);
  if (!bytes) return;
  Cursor cursor(*bytes);
  std::uint8_t version = cursor.fixed<std::uint8_t>();
  cursor.fixed<std::uint8_t>();
  std::uint8_t count_form = cursor.fixed<std::uint8_t>(), table_form = cursor.fixed<std::uint8_t>();
  if (version != kVersion || count_form != kCountIsWord || table_form != kTableIsRelativeWords) return;
  cursor.seek(kHeaderBytes + sizeof(std::int32_t));
  std::uint32_t count = cursor.fixed<std::uint32_t>();
  while (count-- > 0 && cursor.remaining() >= 2 * sizeof(std::int32_t)) {
    begins_.push_back(section->vaddr + static_cast<std::uint64_t>(std::int64_t{cursor.fixed<std::int32_t>()}));
    cursor.fixed<std::int32_t>();
  }
}

std::optional<BranchRange> FunctionRanges::containing(std::uint64_t vaddr) const {
  auto next = std::upper_bound(begins_.begin(), begins_.end(), vaddr);
  if (next == begins_.begin()) return std::nullopt;
  for (const BranchRange& code : code_) {
    if (vaddr < code.start || vaddr >= code.end || *(next - 1) < code.start) continue;
    return BranchRange{*(next - 1), next == begins_.end() ? code.end : std::min(*next, code.end)};
  }
  return std::nullopt;
}

bool FunctionRanges::begins_at(std::uint64_t vaddr) const {
  return std::binary_search(begins_.begin(), begins_.end(), vaddr);
}

}  // namespace dwell
