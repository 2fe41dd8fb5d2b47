// SPDX-License-Identifier: Apache-2.0
// Call frame information as bytes of a section, and the rows merged from both kinds.
#include <cstdlib>
#include <string_view>

#include "userspace/unwind/unwind_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FrameRows eh = parse_frames(bytes, 0x1000, FrameSection::kEhFrame);
  FrameRows debug = parse_frames(bytes, 0x1000, FrameSection::kDebugFrame);
  if (eh.rows.size() > 2 * size + 1) std::abort();  // bounded by the input
  std::vector<UnwindRow> rows = merge_frames(std::move(eh), std::move(debug));
  for (std::size_t i = 1; i < rows.size(); i++)
    if (rows[i].vaddr <= rows[i - 1].vaddr) std::abort();  // what is searched must be sorted
  return 0;
}
