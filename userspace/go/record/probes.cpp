// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/probes.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "bpf/go_probes.h"

namespace dwell {
namespace {

std::vector<std::optional<GoRecord>> find_functions(const GoTable& table,
                                                    std::span<const std::string_view> names) {
  std::vector<std::optional<GoRecord>> records(names.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    if (!record) continue;
    auto wanted = std::find(names.begin(), names.end(), record->name);
    if (wanted != names.end()) records[static_cast<std::size_t>(wanted - names.begin())] = *record;
  }
  return records;
}

void place(GoProbe& probe, const GoModule& module, const GoRecord& record, const Calibration& calibration) {
  std::optional<std::uint64_t> offset = module.elf->offset_of_vaddr(record.entry - module.bias);
  std::string code = module.code_of(record);
  if (!offset || code.empty()) {
    probe.why_not = fmt::format("the code of {} is not in {}", probe.function, module.path);
    return;
  }
  probe.address = record.entry;
  probe.file_offset = *offset;
  probe.placements = plan_go_placements({std::as_bytes(std::span(code)), record.entry, true},
                                        calibration.traps(), calibration.prices);
  if (probe.placements.empty())
    probe.why_not = fmt::format("no instruction of {} could take a probe", probe.function);
}

}  // namespace

ProbeSite GoProbe::site(std::uint8_t kind, std::uint16_t index, std::uint8_t flags) const {
  ProbeSite site;
  site.path = open_path;
  site.name = fmt::format("{} in {}", function, path);
  for (const GoPlacement& placement : placements) {
    std::uint8_t where = placement.at_stack_check ? DWELL_GO_AT_STACK_CHECK : 0;
    site.candidates.push_back(
        {file_offset + placement.offset,
         dwell_probe_cookie(kind, index, DWELL_GO_CFA_OFFSET, static_cast<unsigned>(flags | where))});
  }
  return site;
}

std::vector<GoProbe> find_go_probes(const GoModule& module, std::span<const std::string_view> functions,
                                    const Calibration& calibration) {
  std::vector<std::optional<GoRecord>> records = find_functions(module.table, functions);
  std::vector<GoProbe> probes;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    GoProbe& probe = probes.emplace_back();
    probe.function = functions[i];
    probe.path = module.path;
    probe.open_path = module.open_path;
    if (records[i])
      place(probe, module, *records[i], calibration);
    else
      probe.why_not = fmt::format(
          "{} has no function {} of its own: it is inlined, never called, or goes by "
          "another name in this version of Go",
          module.path, probe.function);
  }
  return probes;
}

GoProbe find_go_probe_behind(const GoModule& module, std::string_view function, std::string_view callee,
                             const Calibration& calibration) {
  const std::string_view kNames[] = {function, callee};
  std::vector<GoProbe> probes = find_go_probes(module, kNames, calibration);
  GoProbe& probe = probes[0];
  if (!probe.found()) return probe;
  std::optional<GoRecord> record = module.table.record_at(probe.address);
  std::string code = record ? module.code_of(*record) : "";
  probe.placements = plan_behind_call({std::as_bytes(std::span(code)), probe.address, true},
                                      probes[1].address, calibration.traps(), calibration.prices);
  if (probe.placements.empty())
    probe.why_not = fmt::format("{} does not call {} as dwell expects", function, callee);
  return probe;
}

AttachMethod go_probe_method(const Calibration& calibration) {
  AttachMethod best = *calibration.abilities.best;
  return best == AttachMethod::kSession ? AttachMethod::kMulti : best;
}

}  // namespace dwell
