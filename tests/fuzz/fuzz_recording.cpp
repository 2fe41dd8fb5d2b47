// SPDX-License-Identifier: Apache-2.0
// Reading a recording, and every view of what was read. The first byte says whether the rest is a file as it is,
// or a script of chunks that get their checksums here.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tests/fuzz/chunk_script.h"
#include "userspace/recording/reader.h"
#include "userspace/views/memory_report.h"

namespace dwell {
namespace {

void look_at(const Recording& recording) {
  for (SortKey sort : {SortKey::kRetained, SortKey::kAge})
    for (GroupBy group : {GroupBy::kStack, GroupBy::kFunction, GroupBy::kModule})
      if (!memory_report(recording, {}, sort, group)) std::abort();
  MemoryFilter filter;
  filter.from_ns = 1;
  filter.site = "a|main";
  filter.min_bytes = 1;
  for (MemoryView view : {MemoryView::kRetained, MemoryView::kGrowing, MemoryView::kTemporary, MemoryView::kPeak, MemoryView::kAll})
    if (!memory_profile(recording, view, filter)) std::abort();
  if (!memory_diff(recording, recording, filter)) std::abort();
  if (!memory_diff_profile(recording, recording, MemoryView::kAll, {})->samples.empty()) std::abort();
}

void read_and_look(std::span<const std::byte> file) {
  Result<Recording> recording = parse_recording(file, "fuzz");
  if (recording) look_at(*recording);
}

}  // namespace
}  // namespace dwell

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::span<const std::byte> rest = std::as_bytes(std::span(data, size)).subspan(1);
  if (data[0] == 'F') {
    dwell::read_and_look(rest);
  } else {
    std::string file = dwell::file_from_script(rest);
    dwell::read_and_look(std::as_bytes(std::span(file)));
  }
  return 0;
}
