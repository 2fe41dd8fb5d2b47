// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/probes.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "bpf/probe_shapes.h"
#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"
#include "userspace/clocks/functions.h"
#include "userspace/clocks/names.h"

namespace dwell {
namespace {

std::uint64_t load_bias(const ElfFile& elf, const Mapping& mapping) {
  std::optional<std::uint64_t> vaddr = elf.vaddr_of_mapping(mapping.file_offset, mapping.executable);
  return vaddr ? mapping.start - *vaddr : 0;
}

ReadProbe probe_of(const ClockFunction& function, const std::string& path, const Mapping& mapping,
                   std::uint16_t index) {
  ReadProbe probe{{.path = path,
                   .name = fmt::format("{} in {}", function.name, mapping.path),
                   .returns = false,
                   .candidates = {}},
                  function.placements[0].cost_ns};
  for (const Placement& placement : function.placements) {
    std::uint64_t behind = function.size > placement.offset ? function.size - placement.offset : 0;
    behind = std::min<std::uint64_t>(behind, DWELL_CODE_BEHIND_MOST);
    probe.site.candidates.push_back(
        {function.file_offset + placement.offset,
         dwell_probe_cookie(placement.shape, index, placement.cfa_offset, function.call) |
             behind << DWELL_CODE_BEHIND_SHIFT});
  }
  return probe;
}

bool is_go(const ElfFile& elf) { return elf.section(".gopclntab") || elf.section(".note.go.buildid"); }

struct ReadModule {
  const Mapping* mapping;
  std::string open_path;
  std::uint64_t bias;
  bool is_go;
  ClockFunctions found;
};

std::vector<ReadModule> modules_of(pid_t pid, const std::vector<Mapping>& mappings,
                                   const Calibration& calibration, PlannedModules& known) {
  std::vector<ReadModule> modules;
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.is_file()) continue;
    if (!known.files.insert({mapping.device(), mapping.inode}).second) continue;
    Result<std::string> path = path_to_open(pid, mapping);
    Result<ElfFile> elf = path ? ElfFile::open(*path) : Result<ElfFile>(path.error());
    if (!elf) continue;  // what else maps code: the symbols' report tells
    modules.push_back(
        {&mapping, *path, load_bias(*elf, mapping), is_go(*elf), clock_functions_of(*elf, calibration)});
  }
  return modules;
}

// "name: value" anywhere in a text of /proc.
std::optional<long> field_of(std::string_view text, std::string_view name) {
  std::size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  return std::strtol(std::string(text.substr(at + name.size(), 24)).c_str(), nullptr, 10);
}

}  // namespace

double highest_read_price(const std::vector<ReadProbe>& probes) {
  constexpr double kProgramNs = 250, kCommonPrice = 600;
  double price = probes.empty() ? kCommonPrice : 0;
  for (const ReadProbe& probe : probes) price = std::max(price, probe.price_ns);
  return price + kProgramNs;
}

bool ClockProbes::covers(std::uint64_t return_address) const {
  return std::any_of(functions.begin(), functions.end(), [&](const CodeSpan& function) {
    return return_address > function.start && return_address <= function.end;
  });
}

ClockProbes plan_clock_probes(pid_t pid, const std::vector<Mapping>& mappings, const Calibration& calibration,
                              std::uint16_t first_index, PlannedModules& known) {
  ClockProbes result;
  std::vector<ReadModule> modules = modules_of(pid, mappings, calibration, known);
  // By the loader: the function that the library defines is not the one that is called.
  for (const ReadModule& module : modules)
    known.chosen.insert(module.found.chosen.begin(), module.found.chosen.end());
  std::uint16_t index = first_index;
  for (const ReadModule& module : modules) {
    for (const ClockFunction& function : module.found.functions) {
      if (function.stub && !known.chosen.contains(function.call)) continue;
      result.probes.push_back(probe_of(function, module.open_path, *module.mapping, index++));
      std::uint64_t start = module.bias + function.vaddr, size = std::max<std::uint64_t>(function.size, 1);
      result.functions.push_back({start, start + size});
      result.places.push_back({module.mapping->device(), module.mapping->inode, function.file_offset,
                               function.file_offset + size});
    }
    for (std::uint8_t call : module.found.without_stub)
      if (known.chosen.contains(call))
        result.notes.push_back(
            fmt::format("{} calls {} without a stub that could be probed: it is seen by samples only",
                        module.mapping->path, clock_call_name(call)));
    if (module.is_go)
      result.notes.push_back(
          fmt::format("{} is a Go program: it reads clocks in the vDSO, which can't be probed; "
                      "its reads are seen by samples only, and their stacks end in the runtime",
                      module.mapping->path));
  }
  for (const Mapping& mapping : mappings)
    if (mapping.path == "[vdso]") result.vdso = {mapping.start, mapping.end};
  if (result.probes.empty() && first_index == 1)
    result.notes.push_back(
        "no function that reads a clock could be probed: reads are seen by samples of the vDSO, and "
        "by system call");
  return result;
}

std::vector<TimerClock> parse_timers(std::string_view text) {
  std::vector<TimerClock> timers;
  std::optional<long> id;
  for (std::string_view line : split(text, '\n')) {
    if (line.starts_with("ID:")) id = field_of(line, "ID:");
    std::optional<long> clock = line.starts_with("ClockID:") ? field_of(line, "ClockID:") : std::nullopt;
    if (clock && id)
      timers.push_back({DWELL_CALL_TIMER_CREATE, static_cast<std::uint64_t>(*id), static_cast<std::uint32_t>(*clock)});
  }
  return timers;
}

std::vector<TimerClock> timers_of(pid_t pid) {
  std::vector<TimerClock> timers;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fdinfo", living_thread(pid)), ignored)) {
    Result<std::string> text = read_file(entry.path());
    std::optional<long> clock = text ? field_of(*text, "clockid:") : std::nullopt;
    if (!clock) continue;
    timers.push_back({DWELL_CALL_TIMERFD_CREATE, std::strtoull(entry.path().filename().c_str(), nullptr, 10),
                      static_cast<std::uint32_t>(*clock)});
  }
  if (Result<std::string> text = read_file(fmt::format("/proc/{}/timers", pid))) {
    std::vector<TimerClock> posix = parse_timers(*text);
    timers.insert(timers.end(), posix.begin(), posix.end());
  }
  return timers;
}

}  // namespace dwell
