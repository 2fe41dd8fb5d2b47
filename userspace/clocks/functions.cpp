// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/functions.h"

#include <elf.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "bpf/clocks.h"
#include "userspace/probes/forwarders.h"

namespace dwell {
namespace {

constexpr std::uint64_t kMaxFunction = 64 << 10;
constexpr std::uint64_t kEntryBytes = 64;
constexpr std::uint64_t kMaxStubs = std::uint64_t{16} << 20;
constexpr std::uint64_t kStubAlignment = 8;
constexpr std::uint32_t kAtEntry = 8;  // CFA - rsp as long as nothing was pushed

std::uint8_t read_call_of(std::string_view name) {
  if (name == "clock_gettime" || name == "__clock_gettime" || name == "__clock_gettime64")
    return DWELL_CALL_CLOCK_GETTIME;
  if (name == "gettimeofday" || name == "__gettimeofday") return DWELL_CALL_GETTIMEOFDAY;
  if (name == "time") return DWELL_CALL_TIME;
  return DWELL_CALL_NONE;
}

// The stack is walked from the caller's frame on, so nothing may have been pushed yet, nor rbp have been
// changed.
std::vector<Placement> placements_in(const ElfFile& elf, const ClockFunction& function,
                                     const Calibration& calibration) {
  bool complete = function.size != 0 && function.size <= kMaxFunction;
  Result<std::string> bytes = elf.bytes_at(function.vaddr, complete ? function.size : kEntryBytes);
  if (!bytes) return {};
  PlacementNeed need{DWELL_SHAPE_SIZE_ARG0, true, {}, false};
  if (function.call == DWELL_CALL_CLOCK_GETTIME) need.arguments = {0};
  std::vector<Placement> placements =
      plan_placements({std::as_bytes(std::span(*bytes)), function.vaddr, complete}, need, calibration.traps(),
                      calibration.prices);
  std::erase_if(placements, [](const Placement& p) { return p.cfa_offset != kAtEntry; });
  return placements;
}

// Functions that the module defines itself, each address once. Where time and gettimeofday are functions like
// others, they call clock_gettime.
void add_defined(const ElfFile& elf, const Calibration& calibration, ClockFunctions& found) {
  std::set<std::uint64_t> known;
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (symbol.defined && symbol.type == STT_GNU_IFUNC && read_call_of(symbol.name))
      found.chosen.insert(read_call_of(symbol.name));
    if (!symbol.defined || symbol.type != STT_FUNC || read_call_of(symbol.name) != DWELL_CALL_CLOCK_GETTIME)
      continue;
    std::optional<std::uint64_t> offset = elf.offset_of_vaddr(symbol.vaddr);
    if (!offset || !known.insert(symbol.vaddr).second) continue;
    ClockFunction function{
        "clock_gettime", DWELL_CALL_CLOCK_GETTIME, symbol.vaddr, symbol.size, *offset, {}, false};
    function.placements = placements_in(elf, function, calibration);
    if (!function.placements.empty()) found.functions.push_back(std::move(function));
  }
}

bool imports(const ElfFile& elf, std::uint8_t call) {
  return std::any_of(elf.symbols().begin(), elf.symbols().end(), [&](const ElfSymbol& symbol) {
    return symbol.dynamic && !symbol.defined && read_call_of(symbol.name) == call;
  });
}

// A stub is an entry of the module's jump tables. Only there: bytes elsewhere that look like one may be the
// middle of another instruction.
void add_stubs(const ElfFile& elf, const Calibration& calibration, ClockFunctions& found) {
  std::set<std::uint8_t> wanted;
  for (std::uint8_t call : {DWELL_CALL_GETTIMEOFDAY, DWELL_CALL_TIME})
    if (imports(elf, call)) wanted.insert(call);
  if (wanted.empty()) return;
  CallTargets targets(elf);
  std::set<std::uint8_t> have;
  for (const ElfSection& section : elf.sections()) {
    if (!section.name.starts_with(".plt") || !(section.flags & SHF_EXECINSTR) || section.size > kMaxStubs)
      continue;
    for (std::uint64_t vaddr = section.vaddr; vaddr + kStubAlignment <= section.vaddr + section.size;
         vaddr += kStubAlignment) {
      std::optional<std::string> import = targets.import_at(vaddr);
      std::optional<std::uint64_t> offset = elf.offset_of_vaddr(vaddr);
      std::uint8_t call = import ? read_call_of(*import) : std::uint8_t{DWELL_CALL_NONE};
      if (!offset || !wanted.contains(call)) continue;
      ClockFunction function{*import + " stub", call, vaddr, kStubAlignment, *offset, {}, true};
      function.placements = placements_in(elf, function, calibration);
      if (function.placements.empty()) continue;
      have.insert(call);
      found.functions.push_back(std::move(function));
    }
  }
  for (std::uint8_t call : wanted)
    if (!have.contains(call)) found.without_stub.push_back(call);
}

}  // namespace

ClockFunctions clock_functions_of(const ElfFile& elf, const Calibration& calibration) {
  ClockFunctions found;
  add_defined(elf, calibration, found);
  add_stubs(elf, calibration, found);
  return found;
}

}  // namespace dwell
