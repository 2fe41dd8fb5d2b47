// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/code/wall_reads.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <optional>

namespace dwell {
namespace {

constexpr std::string_view kNow[] = {"time.Now"};
constexpr std::string_view kWallOnly[] = {"time.Time.Unix", "time.Time.UnixNano", "time.Time.UnixMilli", "time.Time.UnixMicro"};
constexpr std::size_t kMostInstructions = 200;  // behind the call of time.Now

// What was seen behind one call of time.Now.
struct Seen {
  std::string by;
  bool compared = false;
};

class LineReader {
 public:
  LineReader(const GoRuntime& runtime, const GoCallSite& site) : runtime_(runtime), site_(site) {}

  Seen read() {
    std::optional<GoRecord> record = runtime_.module().table.record_at(site_.returns - 1);
    if (!record) return {};
    std::string code = runtime_.module().code_of(*record);
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    std::size_t at = site_.returns - record->entry, count = 0;
    for (; at < code.size() && count < kMostInstructions && !seen_.compared; at += instruction.length, ++count) {
      if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data() + at, code.size() - at, &instruction, operands))) break;
      if (!take(record->entry + at, instruction, operands)) break;
    }
    return seen_;
  }

 private:
  // False: the line is over.
  bool take(std::uint64_t address, const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand* operands) {
    std::vector<GoCall> calls = runtime_.frames().calls_at(address, false);
    const GoCall* own = own_call(calls);
    if (!own || own->function != site_.place.function) return true;
    constexpr std::uint32_t kNextLine = 1;
    bool here = own->line == site_.place.line || (!seen_.by.empty() && own->line == site_.place.line + kNextLine);
    if (!here) return true;
    for (const GoCall& call : calls)
      if (std::ranges::find(kWallOnly, call.function) != std::end(kWallOnly) && seen_.by.empty())
        seen_.by = call.function.substr(call.function.rfind('.') + 1);
    if (instruction.mnemonic == ZYDIS_MNEMONIC_CALL && is_now(address + instruction.length, instruction, operands)) return false;
    bool is_own = &calls.front() == own;
    seen_.compared = !seen_.by.empty() && is_own && instruction.mnemonic == ZYDIS_MNEMONIC_CMP && operands[0].size == 64;
    return true;
  }

  // Another reading: what follows is about that one.
  bool is_now(std::uint64_t next, const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand* operands) const {
    if (instruction.operand_count_visible == 0 || operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return false;
    std::uint64_t target = next + static_cast<std::uint64_t>(operands[0].imm.value.s);
    return runtime_.frames().function_at(target) == kNow[0];
  }

  const GoRuntime& runtime_;
  const GoCallSite& site_;
  Seen seen_;
};

}  // namespace

std::vector<WallRead> compared_wall_reads(const GoRuntime& runtime, std::string_view package) {
  std::vector<WallRead> reads;
  GoCallSites sites = GoCallSites::find(runtime, kNow, package);
  for (const GoCallSite& site : sites.all()) {
    if (of_standard_library(site.place.function)) continue;
    auto same = [&](const WallRead& other) { return other.place.line == site.place.line && other.place.file == site.place.file; };
    if (std::ranges::any_of(reads, same)) continue;
    Seen seen = LineReader(runtime, site).read();
    if (seen.compared) reads.push_back({site.place, seen.by});
  }
  return reads;
}

}  // namespace dwell
