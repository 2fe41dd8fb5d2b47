// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/plan.h"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>

#include "bpf/go_probes.h"
#include "userspace/probes/exits.h"
#include "userspace/probes/go_placement.h"

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
    if (!function.go) ranges.push_back({function.vaddr + 1, function.vaddr + std::clamp<std::uint64_t>(function.size, 2, kPrologue)});
  if (ranges.empty()) return {};
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

unsigned flags_of(const PlannedProbe& probe) {
  unsigned flags = (probe.function.nests ? DWELL_PROBE_NESTS : 0) | (probe.function.go ? DWELL_PROBE_GO : 0);
  switch (probe.end) {
    case CallEnd::kReturnProbe:
      return flags | DWELL_PROBE_RETURNS;
    case CallEnd::kExits:
      return flags | DWELL_PROBE_EXITS;
    case CallEnd::kInnerCall:
      return flags | DWELL_PROBE_ASKS;
    case CallEnd::kNone:
      break;
  }
  return flags;
}

ProbeSite make_site(const AllocModule& module, const PlannedProbe& probe) {
  ProbeSite site{.path = module.open_path,
                 .name = fmt::format("{} in {}", probe.function.name, module.path),
                 .returns = probe.end == CallEnd::kReturnProbe,
                 .candidates = {},
                 .exits = {}};
  for (const Placement& placement : probe.placements) {
    std::uint64_t span = probe.end == CallEnd::kInnerCall ? probe.function.size - placement.offset : 0;
    unsigned flags = flags_of(probe) | (placement.at_stack_check ? DWELL_GO_AT_STACK_CHECK : 0);
    std::uint64_t cookie = dwell_probe_cookie(placement.shape, probe.index, placement.cfa_offset, flags);
    site.candidates.push_back({probe.function.file_offset + placement.offset,
                               dwell_probe_with_span(cookie, static_cast<unsigned>(span))});
  }
  site.exits = probe.exits;
  return site;
}

CallEnd end_of(const AllocFunction& function, const PlanOptions& options) {
  if (!wants_return(function.shape)) return CallEnd::kNone;
  if (function.asks) return CallEnd::kInnerCall;
  return function.throws || function.go || !options.returns_allowed ? CallEnd::kExits : CallEnd::kReturnProbe;
}

// What the functions of one module have in common.
struct ModulePlan {
  const ElfFile& elf;
  std::vector<std::uint64_t> entered;
  std::set<std::uint64_t> returning = {};  // functions with return probes
  std::optional<CallTargets> targets = {};  // read when they are needed
  std::optional<FunctionRanges> ranges = {};
};

std::uint64_t exit_cookie(const EarlyExit& exit, std::uint16_t index) {
  unsigned flags = DWELL_EXIT_AT_BRANCH | (exit.taken ? DWELL_EXIT_TAKEN : 0) |
                   (exit.condition == kAlways ? DWELL_EXIT_ALWAYS : 0);
  std::uint64_t cookie = dwell_probe_cookie(dwell_exit_shape(exit.result, exit.condition), index, exit.cfa_offset, flags);
  return dwell_probe_with_span(cookie, static_cast<unsigned>(exit.bp_offset + 1));
}

void plan_exits(ModulePlan& module, const Calibration& calibration, PlannedProbe& probe) {
  if (!module.targets) module.targets.emplace(module.elf);
  if (!module.ranges) module.ranges.emplace(module.elf);
  std::set<std::uint64_t> entries;
  for (const Placement& placement : probe.placements) entries.insert(probe.function.vaddr + placement.offset);
  FunctionExits found =
      find_exits(module.elf, *module.targets, *module.ranges, probe.function, module.returning, entries);
  auto add = [&](std::uint64_t vaddr, std::uint64_t cookie) {
    std::optional<std::uint64_t> offset = module.elf.offset_of_vaddr(vaddr);
    if (offset) probe.exits.push_back({*offset, cookie});
  };
  for (std::uint64_t vaddr : found.vaddrs) add(vaddr, dwell_probe_cookie(DWELL_SHAPE_NONE, probe.index, 8, 0));
  for (const EarlyExit& exit : found.branches) add(exit.vaddr, exit_cookie(exit, probe.index));
  if (found.why_not.empty() && probe.exits.size() == found.vaddrs.size() + found.branches.size()) {
    probe.early_exits = !found.branches.empty();
    TrapClass trap = probe.early_exits ? TrapClass::kEmulated : TrapClass::kStepped;
    for (Placement& placement : probe.placements) placement.cost_ns += calibration.prices.entry_ns[static_cast<int>(trap)];
    return;
  }
  const char* cause = probe.function.throws ? "it may throw, and an exception does not get past a return probe"
                                            : "no return probe is wanted, or safe, in it";
  probe.refusal = fmt::format("{}; where it returns could not be found instead: {}", cause,
                              found.why_not.empty() ? "not all of it is in the file" : found.why_not);
}

// What it is called with is seen at its entry, what it returns at its return instructions: nothing needs both.
void plan_go_function(const ElfFile& elf, const Calibration& calibration, const PlanOptions& options, PlannedProbe& probe) {
  const AllocFunction& function = probe.function;
  Result<std::string> bytes = elf.bytes_at(function.vaddr, function.size);
  if (function.size > kMaxFunction || !bytes) {
    probe.refusal = bytes ? "its code is too large" : bytes.error().what;
    return;
  }
  FunctionCode code{std::as_bytes(std::span(*bytes)), function.vaddr, true};
  if (probe.end == CallEnd::kExits) {
    GoReturns returns = find_go_returns(code);
    if (!returns.why_not.empty()) probe.refusal = "where it returns could not be found: " + returns.why_not;
    for (std::uint32_t offset : returns.offsets)
      probe.exits.push_back({function.file_offset + offset,
                             dwell_probe_cookie(DWELL_SHAPE_NONE, probe.index, DWELL_GO_CFA_OFFSET, DWELL_PROBE_GO)});
    return;
  }
  for (const GoPlacement& place : plan_go_placements(code, calibration.traps(), calibration.prices))
    if (options.nop5_allowed || place.trap != TrapClass::kNop5)
      probe.placements.push_back({function.shape, place.offset, DWELL_GO_CFA_OFFSET, place.trap, place.instruction, place.cost_ns, place.at_stack_check});
  if (probe.placements.empty()) probe.refusal = "no instruction at its entry can be probed";
}

void plan_function(ModulePlan& module, const Calibration& calibration, const PlanOptions& options,
                   PlannedProbe& probe) {
  const ElfFile& elf = module.elf;
  const AllocFunction& function = probe.function;
  if (function.go) return plan_go_function(elf, calibration, options, probe);
  bool returns = probe.end == CallEnd::kReturnProbe;
  bool of_pair = function.shape >= DWELL_SHAPE_TAKE_RESULT;
  if ((wants_return(function.shape) || of_pair) && is_go_code(elf, function.vaddr)) {
    probe.refusal = of_pair ? "the program's table of Go functions has no such function, or can't be read"
                            : "a return probe in Go code kills the program, because Go moves its stacks";
    return;
  }
  bool complete = function.size != 0 && function.size <= kMaxFunction;
  Result<std::string> bytes = elf.bytes_at(function.vaddr, complete ? function.size : kEntryBytes);
  if (!bytes) {
    probe.refusal = bytes.error().what;
    return;
  }
  std::span<const std::byte> code = std::as_bytes(std::span(*bytes));
  PlacementNeed need = need_of(function.shape);
  need.returns = returns;
  auto plan = [&] {
    return plan_placements({code, function.vaddr, complete}, need, calibration.traps(), calibration.prices, from_elsewhere(module.entered, function, code));
  };
  probe.placements = plan();
  // A reference count goes down in the first instruction, which the kernel refuses to probe (lock). Behind it, as behind that of what
  // takes, it is known as well who gave it back, whoever takes it meanwhile.
  if (probe.placements.empty() && function.shape == DWELL_SHAPE_GIVE) {
    need.shape = DWELL_SHAPE_TAKE_ARGUMENT;
    probe.placements = plan();
    for (Placement& placement : probe.placements) placement.shape = DWELL_SHAPE_GIVE;
  }
  if (!options.nop5_allowed)
    std::erase_if(probe.placements, [](const Placement& placement) { return placement.trap == TrapClass::kNop5; });
  if (probe.placements.empty())
    probe.refusal = "no instruction at its entry can be probed";
  else if (probe.end == CallEnd::kExits)
    plan_exits(module, calibration, probe);
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
                        .end = end_of(function, options),
                        .exits = {},
                        .site = {},
                        .candidate = 0});
    }
  Result<ElfFile> elf = ElfFile::open(module.open_path);
  if (!elf) {
    for (PlannedProbe& probe : probes) probe.refusal = elf.error().what;
    return probes;
  }
  ModulePlan plan{*elf, entered_inside(*elf, module.functions)};
  for (const PlannedProbe& probe : probes)
    if (probe.end == CallEnd::kReturnProbe) plan.returning.insert(probe.function.vaddr);
  for (PlannedProbe& probe : probes) {
    plan_function(plan, calibration, options, probe);
    if (!probe.refusal.empty()) probe.placements.clear();
    probe.site = make_site(module, probe);
  }
  return probes;
}

bool plan_by_exits(const AllocModule& module, const Calibration& calibration, const PlanOptions& options,
                   const std::vector<PlannedProbe*>& others, PlannedProbe& probe) {
  if (probe.end != CallEnd::kReturnProbe) return false;
  Result<ElfFile> elf = ElfFile::open(module.open_path);
  if (!elf) return false;
  ModulePlan plan{*elf, entered_inside(*elf, module.functions)};
  for (const PlannedProbe* other : others)
    if (other != &probe && other->end == CallEnd::kReturnProbe) plan.returning.insert(other->function.vaddr);
  PlannedProbe again = probe;
  again.end = CallEnd::kExits;
  again.placements.clear();
  again.exits.clear();
  again.candidate = 0;
  plan_function(plan, calibration, options, again);
  if (!again.refusal.empty() || again.placements.empty()) return false;
  again.site = make_site(module, again);
  probe = std::move(again);
  return true;
}

bool is_needed(const PlannedProbe& probe, bool any_exits) {
  return probe.function.shape != DWELL_SHAPE_THROW || any_exits;
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
  bool any_exits = std::any_of(probes.begin(), probes.end(), [](const PlannedProbe& probe) { return !probe.exits.empty(); });
  std::erase_if(probes, [&](const PlannedProbe& probe) { return !is_needed(probe, any_exits); });
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
