// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "symbolizer/demangle.h"
#include "ui/escape.h"
#include "ui/words.h"
#include "userspace/probes/doctor.h"

namespace dwell {

namespace {

const char* seccomp_text(SeccompAnswer answer) {
  switch (answer) {
    case SeccompAnswer::kSurvives:
      return "probes are safe under a filter on this kernel";
    case SeccompAnswer::kKilledByReturns:
      return "return probes would kill it on this kernel, so return instructions are probed (fixed in Linux 6.14 and stable kernels of February 2025)";
    case SeccompAnswer::kKilledByNop5:
      return "probes on five-byte nops would kill it on this kernel; they are not used";
    case SeccompAnswer::kUnknown:
      return "whether probes are safe could not be found out; no return probes";
  }
  return "";
}

std::string file_name(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return printable(slash == std::string::npos ? path : path.substr(slash + 1));
}

std::string readable(const std::string& function) { return printable(demangle(function, DemangleWidth::kFull)); }

// "emulated, 3 exits"
std::string class_text(const PlannedProbe& probe) {
  std::string text = trap_class_name(probe.chosen().trap);
  if (!probe.exits.empty()) text += fmt::format(", {} exit{}", probe.exits.size(), probe.exits.size() == 1 ? "" : "s");
  return text;
}

void add_probe_table(const TargetExamination& target, std::string& out) {
  std::size_t name_width = 8, module_width = 6, text_width = 11;
  for (const PlannedProbe& probe : target.probes) {
    name_width = std::max(name_width, readable(probe.function.name).size());
    module_width = std::max(module_width, file_name(probe.module).size());
    if (probe.refusal.empty()) text_width = std::max(text_width, probe.chosen().instruction.size());
  }
  out += fmt::format("\n  {:<{}}  {:<{}}  {:>6}  {:<{}}  {:<14}  {:>9}\n", "function", name_width, "module", module_width,
                     "offset", "instruction", text_width, "class", "ns a call");
  for (const PlannedProbe& probe : target.probes) {
    out += fmt::format("  {:<{}}  {:<{}}  ", readable(probe.function.name), name_width, file_name(probe.module), module_width);
    if (!probe.refusal.empty()) {
      out += fmt::format("refused: {}\n", printable(probe.refusal));
      continue;
    }
    const Placement& place = probe.chosen();
    out += fmt::format("{:>6}  {:<{}}  {:<19}  {:>9.0f}\n", fmt::format("+{:#x}", place.offset), place.instruction, text_width,
                       class_text(probe), place.cost_ns);
  }
}

// Forwarders as one line a module: a C++ runtime has twenty.
void add_skipped(const TargetExamination& target, std::string& out) {
  std::string lines;
  for (const AllocModule& module : target.modules) {
    std::size_t forwarders = 0;
    for (const SkippedFunction& skipped : module.skipped) {
      if (skipped.forwards_to.empty())
        lines += fmt::format("  {} in {}: {}\n", readable(skipped.name), file_name(module.path), printable(skipped.reason));
      else
        ++forwarders;
    }
    if (forwarders > 0)
      lines += fmt::format("  {}: {} function{} that only call{} another that is probed (--json lists them)\n",
                           file_name(module.path), forwarders, forwarders == 1 ? "" : "s", forwarders == 1 ? "s" : "");
  }
  if (!lines.empty()) out += "\n  not probed:\n" + lines;
}

void add_code_signs(const TargetExamination& target, std::string& out) {
  if (target.code_signs.empty()) return;
  for (const std::string& sign : target.code_signs) out += fmt::format("  warning: {}\n", printable(sign));
  out += fmt::format(
      "  A probe is a breakpoint in code. A program that reads, copies or rewrites its own code may stumble over it.\n"
      "  Without any breakpoint: dwell threads {} (and dwell go, dwell memory); see docs/security.md\n",
      target.pid);
}

// What is to be expected of `dwell record`.
void add_price(const AllocationPrice& price, std::string& out) {
  constexpr double kFits = 1;  // percent: half of the usual budget
  out += fmt::format("  about {} allocations a second just now, {:.0f} % of a CPU in use", count_text(std::round(price.per_second)), 100 * price.cpus);
  if (price.percent() <= kFits) {
    out += fmt::format(": recording each of them costs {}; dwell record does so\n",
                       price.percent() > 0 ? fmt::format("{:.1f} % of the CPU time that it uses", price.percent()) : "next to nothing");
    return;
  }
  out += fmt::format(": recording each of them would cost {:.0f} % of the CPU time that it uses (--exact);\n  dwell record keeps to 2 % by windows, "
                     "and its figures are estimates (--max-overhead)\n", price.percent());
}

void add_target(const TargetExamination& target, std::string& out) {
  out += fmt::format("\nPID {}: {}\n", target.pid, printable(target.program));
  if (target.failure) {
    // Threads, clocks and what a runtime tells of itself may be seen all the same.
    bool at_all = target.failure->exit != Exit::kUnsupported;
    out += fmt::format("  {}cannot be traced: {}\n", at_all ? "" : "its native memory ", printable(target.failure->what));
    if (!target.failure->hint.empty()) out += fmt::format("  hint: {}\n", printable(target.failure->hint));
    return;
  }
  for (const AllocModule& module : target.modules)
    out += fmt::format("  {} in {}: {} function{}\n", module.allocator, printable(module.path), module.functions.size(),
                       module.functions.size() == 1 ? "" : "s");
  if (target.seccomp_filter) out += fmt::format("  runs under a seccomp filter: {}\n", seccomp_text(target.seccomp));
  for (const std::string& note : target.notes) out += fmt::format("  note: {}\n", printable(note));
  if (target.price) add_price(*target.price, out);
  add_code_signs(target, out);
  add_probe_table(target, out);
  add_skipped(target, out);
}

const char* call_end_name(CallEnd end) {
  switch (end) {
    case CallEnd::kReturnProbe:
      return "return probe";
    case CallEnd::kExits:
      return "return instructions";
    case CallEnd::kInnerCall:
      return "inner call";
    case CallEnd::kNone:
      break;
  }
  return "not looked at";
}

nlohmann::json probe_json(const PlannedProbe& probe) {
  nlohmann::json json = {{"function", probe.function.name},
                         {"aliases", probe.function.aliases},
                         {"module", probe.module},
                         {"shape", shape_text(probe.function.shape)},
                         {"returns", wants_return(probe.function.shape)},
                         {"end", call_end_name(probe.end)}};
  if (!probe.refusal.empty()) {
    json["refused"] = probe.refusal;
    return json;
  }
  const Placement& place = probe.chosen();
  json["file_offset"] = probe.function.file_offset + place.offset;
  json["offset"] = place.offset;
  json["cfa_offset"] = place.cfa_offset;
  json["instruction"] = place.instruction;
  json["class"] = trap_class_name(place.trap);
  json["cost_ns"] = place.cost_ns;
  for (const ProbeSite::Candidate& exit : probe.exits) json["exits"].push_back(exit.file_offset);
  json["alternatives"] = probe.placements.size() - 1;
  return json;
}

}  // namespace

namespace {

void add_privileges(const DoctorReport& report, std::string& out) {
  bool excluded = false;
  for (const MissingPrivilege& missing : report.missing) {
    out += fmt::format("missing: {} ({}{})\n", missing.privilege.name, missing.privilege.needed_for,
                       missing.can_be_granted ? "" : "; this container excludes it");
    excluded |= !missing.can_be_granted;
  }
  if (report.own_user_namespace)
    out += "missing: the initial user namespace: BPF asks for its capabilities there, not in a container's own\n";
  if (excluded) {
    out += "hint: start the container with ";
    for (const MissingPrivilege& missing : report.missing)
      if (!missing.can_be_granted) out += fmt::format("--cap-add {} ", missing.privilege.name + std::strlen("CAP_"));
    out += "(Kubernetes: securityContext.capabilities.add)\n";
  } else if (!report.missing.empty()) {
    out += fmt::format("hint: sudo dwell ..., or once, for a group of people: {}\n", setcap_advice(report.only_perf_uprobes));
  }
}

}  // namespace

namespace {

void add_commands(const KernelTrials& trials, std::string& out) {
  if (trials.commands.empty()) return;
  out += "\ncommands, tried here\n";
  std::string told;
  for (const CommandAnswer& answer : trials.commands) {
    out += fmt::format("  {} {}\n", answer.failure ? "no " : "yes", answer.command);
    if (!answer.failure) continue;
    if (answer.failure->what != told) out += fmt::format("      {}\n", printable(answer.failure->what));
    told = answer.failure->what;
  }
  for (const CommandAnswer& answer : trials.commands) {
    if (!answer.failure || answer.failure->hint.empty()) continue;
    out += fmt::format("hint: {}\n", printable(answer.failure->hint));
    break;
  }
}

nlohmann::json error_json(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return {{"what", error->what}, {"hint", error->hint}, {"exit", static_cast<int>(error->exit)}};
}

void add_trials(const KernelTrials& trials, nlohmann::json& json) {
  json["objects"] = nlohmann::json::array();
  for (const ObjectTrial& trial : trials.objects)
    json["objects"].push_back({{"name", trial.object}, {"how", trial.how}, {"failure", error_json(trial.failure)}});
  json["commands"] = nlohmann::json::array();
  for (const CommandAnswer& answer : trials.commands)
    json["commands"].push_back(
        {{"command", answer.command}, {"works", !answer.failure}, {"failure", error_json(answer.failure)}});
}

}  // namespace

std::string doctor_text(const DoctorReport& report) {
  std::string out = fmt::format("kernel: {}\n", report.kernel);
  for (const KernelFeature& feature : report.features) {
    const char* mark = feature.works ? "yes" : !feature.known ? "?  " : feature.required ? "NO " : "no ";
    out += fmt::format("  {} {}{}{}\n", mark, feature.name, feature.detail.empty() ? "" : ": ", feature.detail);
  }
  add_privileges(report, out);
  for (const Surrounding& one : report.surroundings)
    out += fmt::format("{}: {}: {}{}\n", one.refuses ? "missing" : "here", one.name, one.detail,
                       one.hint.empty() ? "" : "; " + one.hint);
  if (report.calibration.abilities.best) {
    const TrapPrices& prices = report.calibration.prices;
    out += fmt::format("\nattach by {}; measured now, ns a hit: nop5 {:.0f}, emulated {:.0f}, single-stepped {:.0f}, "
                       "return +{:.0f}\n",
                       attach_method_name(*report.calibration.abilities.best), prices.entry_ns[0], prices.entry_ns[1],
                       prices.entry_ns[2], prices.return_ns);
  }
  add_commands(report.trials, out);
  if (report.target) add_target(*report.target, out);
  return out;
}

std::string doctor_json(const DoctorReport& report) {
  nlohmann::json json = {{"kernel", report.kernel}, {"exit", static_cast<int>(report.exit())}};
  for (const KernelFeature& feature : report.features)
    json["features"].push_back(
        {{"name", feature.name}, {"works", feature.works}, {"required", feature.required}, {"known", feature.known},
         {"detail", feature.detail}});
  json["missing_privileges"] = nlohmann::json::array();
  for (const MissingPrivilege& missing : report.missing)
    json["missing_privileges"].push_back({{"name", missing.privilege.name},
                                          {"needed_for", missing.privilege.needed_for},
                                          {"can_be_granted", missing.can_be_granted}});
  json["own_user_namespace"] = report.own_user_namespace;
  json["surroundings"] = nlohmann::json::array();
  for (const Surrounding& one : report.surroundings)
    json["surroundings"].push_back(
        {{"name", one.name}, {"detail", one.detail}, {"hint", one.hint}, {"refuses", one.refuses}});
  const TrapPrices& prices = report.calibration.prices;
  if (report.calibration.abilities.best)
    json["attach"] = {{"method", attach_method_name(*report.calibration.abilities.best)},
                      {"ns",
                       {{"nop5", prices.entry_ns[0]},
                        {"emulated", prices.entry_ns[1]},
                        {"single_stepped", prices.entry_ns[2]},
                        {"return", prices.return_ns}}}};
  add_trials(report.trials, json);
  if (report.target) {
    const TargetExamination& target = *report.target;
    nlohmann::json& to = json["target"] = {{"pid", target.pid}, {"program", target.program}, {"notes", target.notes}};
    to["code_signs"] = target.code_signs;
    if (target.price)
      to["price"] = {{"allocations_per_second", target.price->per_second}, {"cpus_in_use", target.price->cpus},
                     {"ns_an_allocation", target.price->ns_each}, {"exact_percent", target.price->percent()}};
    to["seccomp_filter"] = target.seccomp_filter;
    if (target.seccomp_filter) to["seccomp"] = seccomp_text(target.seccomp);
    if (target.failure) to["failure"] = {{"what", target.failure->what}, {"hint", target.failure->hint}};
    to["probes"] = nlohmann::json::array();
    for (const PlannedProbe& probe : target.probes) to["probes"].push_back(probe_json(probe));
    to["not_probed"] = nlohmann::json::array();
    for (const AllocModule& module : target.modules)
      for (const SkippedFunction& skipped : module.skipped)
        to["not_probed"].push_back({{"function", skipped.name}, {"module", module.path}, {"reason", skipped.reason}});
  }
  // Paths are bytes of the target's choosing, and JSON is UTF-8.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace dwell
