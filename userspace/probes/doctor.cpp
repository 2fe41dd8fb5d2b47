// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/doctor.h"

#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/process/code_signs.h"
#include "userspace/base/privileges.h"
#include "userspace/kernel/kernel_types.h"
#include "userspace/kernel/kernel_version.h"
#include "userspace/probes/calibrate.h"

namespace dwell {

namespace {

std::vector<MissingPrivilege> missing_of(const CapabilitySets& sets, bool for_perf_uprobes) {
  std::vector<MissingPrivilege> missing;
  for (const Privilege& privilege : missing_privileges(sets, for_perf_uprobes)) missing.push_back({privilege, can_be_granted(sets, privilege)});
  return missing;
}

KernelFeature map_type(const char* name, bpf_map_type type, bool required, const char* instead) {
  int answer = libbpf_probe_bpf_map_type(type, nullptr);
  return {name, answer == 1, required, answer == 1 ? "" : instead};
}

KernelFeature perf_events() {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.mmap2 = 1;
  attributes.disabled = 1;
  int fd = static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
  KernelFeature feature{"perf events (libraries that arrive later)", fd >= 0, true, ""};
  if (fd < 0)
    feature.detail = system_error("perf_event_open", errno).what + "; sudo sysctl kernel.perf_event_paranoid=1";
  else
    close(fd);
  return feature;
}

std::vector<KernelFeature> kernel_features(const Calibration& calibration) {
  const ProbeAbilities& abilities = calibration.abilities;
  std::vector<KernelFeature> features;
  bool types = kernel_types() != nullptr;
  Result<void> version = require_version(kernel_release());
  features.push_back({fmt::format("Linux {}.{} or newer", kOldestKernel.major, kOldestKernel.minor), bool(version), true,
                      version ? "" : version.error().hint});
  features.push_back({"BTF (/sys/kernel/btf/vmlinux)", types, true,
                      types ? "" : "the kernel is built without CONFIG_DEBUG_INFO_BTF; use one that has it"});
  features.push_back(map_type("BPF ring buffer", BPF_MAP_TYPE_RINGBUF, true, "needs Linux 5.8"));
  features.push_back(map_type("task storage", BPF_MAP_TYPE_TASK_STORAGE, true, "needs Linux 5.11"));

  bool session = abilities.why_not_session.empty(), multi = abilities.why_not_multi.empty();
  features.push_back({"uprobe sessions", session, false,
                      session ? "" : abilities.why_not_session + "; entry and return probes are attached apart"});
  features.push_back({"uprobe_multi links", multi, false, multi ? "" : abilities.why_not_multi + "; perf uprobes instead"});
  features.push_back({"perf uprobes", abilities.why_not_perf.empty(), false, abilities.why_not_perf});
  features.push_back({"uprobes", abilities.best.has_value(), true, abilities.best ? "" : "none of these ways to attach works"});
  if (!abilities.best) return features;
  features.push_back({"process filter of probes", abilities.pid_filter_exact, false,
                      abilities.pid_filter_exact ? "" : "needs Linux 6.10; other processes trap too, and are ignored"});
  features.push_back({"nop5 probes without trap", abilities.nop5_is_a_call, false,
                      abilities.nop5_is_a_call ? "" : "here they cost what a trap costs; Linux 6.18 and newer can do better"});
  features.push_back(perf_events());
  return features;
}

std::string kernel_name() {
  utsname name{};
  if (uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string program_of(pid_t pid) {
  char path[4096];
  ssize_t size = readlink(fmt::format("/proc/{}/exe", living_thread(pid)).c_str(), path, sizeof path);
  return size < 0 ? std::string("?") : std::string(path, static_cast<std::size_t>(size));
}

TargetExamination examine_target(pid_t pid, const Calibration& calibration) {
  TargetExamination target{.pid = pid, .program = program_of(pid), .modules = {}, .probes = {}, .notes = {}, .code_signs = {}, .failure = {}};
  if (kill(pid, 0) != 0 && errno == ESRCH) {
    target.failure = Error{fmt::format("look at PID {}: no such process", pid), "", Exit::kNoTarget};
    return target;
  }
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  if (!mappings) {
    target.failure = mappings.error();
    return target;
  }
  Result<AllocatorSet> allocators = find_allocators(pid, *mappings);
  if (!allocators) {
    target.failure = allocators.error();
    return target;
  }
  target.notes = allocators->notes;
  std::vector<std::string> paths;
  for (const AllocModule& module : allocators->modules) paths.push_back(module.path);
  target.code_signs = code_signs(pid, *mappings, paths);
  Result<bool> filtered = has_seccomp_filter(pid);
  target.seccomp_filter = filtered && *filtered;
  PlanOptions options = plan_options_for(pid, calibration, &target.seccomp);
  target.probes = plan_all(*allocators, calibration, options);
  target.modules = std::move(allocators->modules);
  return target;
}

}  // namespace

PlanOptions plan_options_for(pid_t pid, const Calibration& calibration, SeccompAnswer* answer) {
  PlanOptions options;
  // What changes neither a return address nor the number of calls is right on every kernel.
  if (has_shadow_stack(pid)) options.returns_allowed = options.nop5_allowed = false;
  Result<bool> filtered = has_seccomp_filter(pid);
  if (!filtered || !*filtered || !calibration.abilities.best) return options;
  SeccompAnswer tried = try_seccomp(*calibration.abilities.best);
  if (answer) *answer = tried;
  // What could not be found out is taken for dangerous.
  options.returns_allowed &= tried == SeccompAnswer::kSurvives || tried == SeccompAnswer::kKilledByNop5;
  options.nop5_allowed &= tried == SeccompAnswer::kSurvives;
  return options;
}

namespace {

bool can_try(const CapabilitySets& sets) {
  return sets.holds(Capability::kBpf) && sets.holds(Capability::kPerfmon) && sets.initial_namespace;
}

// What fails without privileges says nothing about the kernel.
void leave_open(std::vector<KernelFeature>& features) {
  for (KernelFeature& feature : features) {
    if (feature.works || feature.name.starts_with("BTF") || feature.name.starts_with("Linux")) continue;
    feature.known = false;
    feature.detail = "not known: it could not be tried without CAP_BPF and CAP_PERFMON";
  }
}

// Each way to attach, for there may be reason to choose another than the best.
Calibration try_methods(std::vector<AttachMethod>& working) {
  Calibration best;
  if (Result<void> kernel = require_kernel(); !kernel) {
    best.failure = kernel.error();
    ProbeAbilities& none = best.abilities;
    none.why_not_session = none.why_not_multi = none.why_not_perf = "not tried on this kernel";
    return best;
  }
  ProbeAbilities reasons;
  for (AttachMethod method : {AttachMethod::kSession, AttachMethod::kMulti, AttachMethod::kPerf}) {
    Result<Calibration> tried = calibrate(method);
    std::string& why = method == AttachMethod::kSession ? reasons.why_not_session
                       : method == AttachMethod::kMulti ? reasons.why_not_multi
                                                        : reasons.why_not_perf;
    bool works = tried && tried->abilities.best;
    if (!works) why = tried ? tried->failure.value_or(Error{}).what : tried.error().what;
    if (works) working.push_back(method);
    if (tried && !best.abilities.best) best = *tried;
  }
  best.abilities.why_not_session = reasons.why_not_session;
  best.abilities.why_not_multi = reasons.why_not_multi;
  best.abilities.why_not_perf = reasons.why_not_perf;
  return best;
}

}  // namespace

DoctorReport examine(std::optional<pid_t> pid) {
  DoctorReport report;
  report.kernel = kernel_name();
  CapabilitySets sets = own_capabilities();
  report.own_user_namespace = !sets.initial_namespace;
  report.surroundings = surroundings();
  report.calibration = try_methods(report.methods);
  report.only_perf_uprobes = kernel_types() && !kernel_has_function("bpf_uprobe_multi_link_attach");
  // Not all kernels ask for it.
  report.missing = missing_of(sets, report.only_perf_uprobes && !report.calibration.abilities.best);
  report.features = kernel_features(report.calibration);
  if (!can_try(sets)) leave_open(report.features);
  if (pid) report.target = examine_target(*pid, report.calibration);
  return report;
}

Exit DoctorReport::exit() const {
  if (!missing.empty() && !calibration.abilities.best) return Exit::kNotPermitted;
  if (std::ranges::any_of(surroundings, &Surrounding::refuses)) return Exit::kUnsupported;
  for (const KernelFeature& feature : features)
    if (feature.required && feature.known && !feature.works) return Exit::kUnsupported;
  if (!trials.commands.empty() && trials.commands.front().failure) return trials.commands.front().failure->exit;
  if (target && target->failure) return target->failure->exit;
  bool any = !target || std::any_of(target->probes.begin(), target->probes.end(),
                                    [](const PlannedProbe& probe) { return probe.refusal.empty(); });
  return any ? Exit::kOk : Exit::kUnsupported;
}

}  // namespace dwell
