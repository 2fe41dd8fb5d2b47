// SPDX-License-Identifier: Apache-2.0
// A file with debug information, looked up at addresses all over its code. An input that does not begin as an ELF
// file begins with a length: that many bytes are the program, the rest is the file that it refers to (.dwo, .dwp
// or dwz).
#include <cstdlib>
#include <cstring>
#include <string>

#include "symbolizer/dwarf_info.h"
#include "symbolizer/symbol_table.h"

namespace {

std::shared_ptr<const dwell::ElfFile> open(std::string_view bytes) {
  dwell::Result<dwell::ElfFile> elf = dwell::ElfFile::from_bytes(std::string(bytes), "input");
  return elf ? std::make_shared<const dwell::ElfFile>(std::move(*elf)) : nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view program = input, companion;
  if (!input.starts_with("\x7f"
                         "ELF")) {
    std::uint32_t length = 0;
    if (size < sizeof length) return 0;
    std::memcpy(&length, data, sizeof length);
    program = input.substr(sizeof length, length);
    companion = input.substr(std::min<std::size_t>(size, sizeof length + std::size_t{length}));
  }
  std::shared_ptr<const ElfFile> elf = open(program);
  if (!elf) return 0;
  std::vector<dwarf::Range> code;
  for (const AddressRange& range : code_ranges(*elf)) code.push_back({range.start, range.end});
  dwarf::Companions companions;
  companions.supplementary = [&] { return open(companion); };
  companions.split_unit = [&](std::string_view, std::string_view) { return open(companion); };
  companions.split_package = [&] { return open(companion); };
  std::unique_ptr<dwarf::DwarfInfo> info = dwarf::DwarfInfo::open(elf, code, companions);
  if (!info) return 0;
  std::vector<dwarf::Frame> frames;
  constexpr std::uint64_t kSteps = 64;
  for (std::size_t i = 0; i < code.size() && i < 8; ++i) {
    std::uint64_t step = (code[i].end - code[i].start) / kSteps + 1;
    for (std::uint64_t n = 0; n < kSteps && n * step < code[i].end - code[i].start; ++n) {
      info->find(code[i].start + n * step, frames);
      if (frames.size() > 300) std::abort();
      std::size_t length = 0;  // reads every text to its end
      for (const dwarf::Frame& frame : frames)
        for (std::string_view text : {frame.name.linkage, frame.name.plain, frame.qualified, frame.file})
          for (char c : text) length += c != 0;
      if (length > frames.size() * 5 * dwell::LazyBytes::kMaxString * 64) std::abort();
    }
  }
  return 0;
}
