// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/plan.h"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <optional>

namespace dwell {

namespace {

constexpr std::uint64_t kMaxFunction = 64 << 10;
constexpr std::uint64_t kMaxText = std::uint64_t{512} << 20;
constexpr std::uint64_t kEntryBytes = 64;   // when a symbol tells no size: enough to see the first instruction
constexpr std::uint64_t kPrologue = 128;    // no placement lies deeper

// Where the module's code branches into the beginnings of these functions, behind their entries.
std::vector<std::uint64_t> entered_inside(const ElfFile& elf, const std::vector<AllocFunction>& functions) {
  std::vector<BranchRange> ranges;
  for (const AllocFunction& function : functions)
    ranges.push_back({function.vaddr + 1, function.vaddr + std::clamp<std::uint64_t>(function.size, 2, kPrologue)});
  std::vector<std::uint64_t> found;
  for (const ElfSegment& segment : elf.segments()) {
    if (!segment.executable || segment.file_size > kMaxText) continue;
    Result<std::string> text = elf.bytes_at(segment.vaddr, segment.file_size);
    if (!text) continue;
    std::vector<std::uint64_t> here =
        branch_targets_within(std::as_bytes(std::span(*text)), segment.vaddr, ranges);
    found.insert(found.end(), here.begin(), here.end());
  }
  return found;
}

// Branches from inside the function are found again, and judged better, by the planner itself.
std::vector<std::uint64_t> from_elsewhere(const std::vector<std::uint64_t>& all, const AllocFunction& function,
                                          std::span<const std::byte> bytes) {
  const BranchRange kOwn[] = {{function.vaddr + 1, function.vaddr + std::max<std::uint64_t>(function.size, 2)}};
  std::vector<std::uint64_t> own = branch_targets_within(bytes, function.vaddr, kOwn);
  std::vector<std::uint64_t> result;
  for (std::uint64_t target : all) {
    if (target < kOwn[0].start || target >= kOwn[0].end) continue;
    auto known = std::find(own.begin(), own.end(), target);
    if (known == own.end())
      result.push_back(target);
    else
      own.erase(known);
  }
  return result;
}

bool is_wanted(const AllocFunction& function, const PlanOptions& options) {
  return function.family == AllocFamily::kMapping ? options.mappings : options.heap;
}

// Go moves stacks, and a hijacked return address on one of its stacks kills the program.
bool is_go_code(const ElfFile& elf, std::uint64_t vaddr) {
  if (!elf.section(".gopclntab") && !elf.section(".note.go.buildid")) return false;
  std::optional<std::uint64_t> begin, end;
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (symbol.name == "runtime.text") begin = symbol.vaddr;
    if (symbol.name == "runtime.etext") end = symbol.vaddr;
  }
  // Without Go's symbols: C code that cgo links in has symbols of its own only if Go's are there too.
  return !begin || !end || (vaddr >= *begin && vaddr < *end);
}

ProbeSite make_site(const AllocModule& module, const PlannedProbe& probe) {
  ProbeSite site{.path = module.open_path,
                 .name = fmt::format("{} in {}", probe.function.name, module.path),
                 .returns = wants_return(probe.function.shape),
                 .candidates = {}};
  unsigned flags = (site.returns ? DWELL_PROBE_RETURNS : 0) | (probe.function.throws ? DWELL_PROBE_THROWS : 0) |
                   (probe.function.nests ? DWELL_PROBE_NESTS : 0);
  for (const Placement& placement : probe.placements)
    site.candidates.push_back({probe.function.file_offset + placement.offset,
                               dwell_probe_cookie(placement.shape, probe.index, placement.cfa_offset, flags)});
  return site;
}

void plan_function(const ElfFile& elf, const std::vector<std::uint64_t>& entered, const Calibration& calibration,
                   const PlanOptions& options, PlannedProbe& probe) {
  const AllocFunction& function = probe.function;
  bool returns = wants_return(function.shape);
  if (returns && !options.returns_allowed) {
    probe.refusal = "it runs under a seccomp filter, and this kernel kills it for a return probe";
    return;
  }
  if (returns && function.throws && !options.throws_allowed) {
    probe.refusal = "an exception that it throws does not get past a return probe, and would end the program";
    return;
  }
  if (returns && is_go_code(elf, function.vaddr)) {
    probe.refusal = "a return probe in Go code kills the program, because Go moves its stacks";
    return;
  }
  bool complete = function.size != 0 && function.size <= kMaxFunction;
  Result<std::string> bytes = elf.bytes_at(function.vaddr, complete ? function.size : kEntryBytes);
  if (!bytes) {
    probe.refusal = bytes.error().what;
    return;
  }
  std::span<const std::byte> code = std::as_bytes(std::span(*bytes));
  probe.placements = plan_placements({code, function.vaddr, complete}, need_of(function.shape), calibration.traps(),
                                     calibration.prices, from_elsewhere(entered, function, code));
  if (!options.nop5_allowed)
    std::erase_if(probe.placements, [](const Placement& placement) { return placement.trap == TrapClass::kNop5; });
  if (probe.placements.empty()) probe.refusal = "no instruction at its entry can be probed";
}

}  // namespace

std::vector<PlannedProbe> plan_module(const AllocModule& module, const Calibration& calibration,
                                      const PlanOptions& options) {
  std::vector<PlannedProbe> probes;
  std::uint16_t index = options.first_index;
  for (const AllocFunction& function : module.functions)
    if (is_wanted(function, options)) {
      probes.push_back({.index = index++,
                        .function = function,
                        .module = module.path,
                        .placements = {},
                        .refusal = {},
                        .site = {},
                        .candidate = 0});
    }
  Result<ElfFile> elf = ElfFile::open(module.open_path);
  std::vector<std::uint64_t> entered;
  if (elf) entered = entered_inside(*elf, module.functions);
  for (PlannedProbe& probe : probes) {
    if (elf)
      plan_function(*elf, entered, calibration, options, probe);
    else
      probe.refusal = elf.error().what;
    probe.site = make_site(module, probe);
  }
  return probes;
}

std::vector<PlannedProbe> plan_all(const AllocatorSet& allocators, const Calibration& calibration,
                                   const PlanOptions& options) {
  std::vector<PlannedProbe> probes;
  PlanOptions next = options;
  for (const AllocModule& module : allocators.modules) {
    std::vector<PlannedProbe> planned = plan_module(module, calibration, next);
    next.first_index = static_cast<std::uint16_t>(next.first_index + planned.size());
    probes.insert(probes.end(), std::make_move_iterator(planned.begin()), std::make_move_iterator(planned.end()));
  }
  return probes;
}

std::vector<ProbeSite> sites_of(const std::vector<PlannedProbe>& probes) {
  std::vector<ProbeSite> sites;
  for (const PlannedProbe& probe : probes)
    if (probe.refusal.empty()) sites.push_back(probe.site);
  return sites;
}

void note_attached(std::vector<PlannedProbe>& probes, const std::vector<AttachedSite>& attached) {
  std::size_t site = 0;
  for (PlannedProbe& probe : probes) {
    if (!probe.refusal.empty() || site >= attached.size()) continue;
    const AttachedSite& answer = attached[site++];
    probe.candidate = std::max(answer.candidate, 0);
    probe.refusal = answer.failure;
  }
}

}  // namespace dwell
