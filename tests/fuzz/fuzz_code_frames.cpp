// SPDX-License-Identifier: Apache-2.0
// Machine code that nothing describes, read as a library's text.
#include <cstdlib>
#include <string_view>

#include "userspace/unwind/code_frames.h"
#include "userspace/unwind/unwind_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  CodePiece piece = {0x1000, std::string_view(reinterpret_cast<const char*>(data), size)};
  FrameRows frames = analyze_code(std::span(&piece, 1), {0x1000}, {0x1000 + size / 2});
  if (frames.rows.size() > size) std::abort();  // at most one an instruction
  std::vector<UnwindRow> rows = merge_frames(std::move(frames), {});
  for (std::size_t i = 1; i < rows.size(); i++)
    if (rows[i].vaddr <= rows[i - 1].vaddr) std::abort();
  return 0;
}
