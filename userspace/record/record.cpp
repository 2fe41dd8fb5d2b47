// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/record.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "userspace/base/confinement.h"
#include "userspace/base/memory_limit.h"
#include "userspace/collect/launch.h"
#include "userspace/kernel/kernel_version.h"
#include "userspace/probes/calibrate.h"
#include "userspace/process/process.h"
#include "userspace/record/recorder.h"
#include "userspace/record/signals.h"
#include "userspace/record/targets.h"

namespace dwell {
namespace {

// Those that the kernel would kill at their first probe are left out.
Result<void> leave_out_filtered(Targets& targets, AttachMethod method) {
  std::optional<SeccompAnswer> answer;
  std::optional<Error> first;
  std::erase_if(targets.found, [&](const ProcessFacts& target) {
    Result<bool> filtered = has_seccomp_filter(target.pid);
    if (!filtered || !*filtered) return false;
    if (!answer) answer = try_seccomp(method);
    if (*answer != SeccompAnswer::kKilledByReturns) return false;
    Error error{fmt::format("trace PID {}: it runs under a seccomp filter, and this kernel kills such a process at its first return probe",
                            target.pid),
                "use a kernel with the fix (6.14, 6.13.3, 6.12.14 or newer), or run the target without the filter", Exit::kUnsupported};
    targets.missed.push_back({target.pid, error.what});
    if (!first) first = error;
    return true;
  });
  return targets.found.empty() && first ? Result<void>(*first) : Result<void>();
}

Result<Calibration> calibrate_for(Targets& targets, const RecordOptions& options) {
  Result<Calibration> calibration = calibrate(method_for(targets.found[0], options.attach_method));
  if (!calibration) return calibration;
  const ProbeAbilities& able = calibration->abilities;
  if (!able.best) return calibration->why_no_probes();
  if (Result<void> left = leave_out_filtered(targets, *able.best); !left) return left.error();
  return calibration;
}

Result<Targets> launched_target(pid_t pid) {
  Result<ProcessFacts> facts = read_process(pid);
  if (!facts) return facts.error();
  return Targets{{std::move(*facts)}, {}};
}

std::string started_text(const Recorder& recorder, const RecordOptions& options) {
  std::string who = recorder.first_process();
  if (options.group)
    who = fmt::format("{} process{} of {}", recorder.process_count(), recorder.process_count() == 1 ? "" : "es", options.group->name);
  else if (recorder.process_count() > 1)
    who = fmt::format("{} processes", recorder.process_count());
  return fmt::format("recording {} into {}", who, recorder.path());
}

// What was needed to begin, and is not needed to go on. A program that we have started keeps what it has.
Result<void> give_up_privileges(const std::string& output, const Calibration& calibration, const RecordOptions& options) {
  if (Result<void> done = forbid_new_privileges(); !done) return done;
  struct stat folder {};
  std::string name = std::filesystem::path(output).parent_path().string();
  bool foreign = ::stat(name.empty() ? "." : name.c_str(), &folder) != 0 || folder.st_uid != ::geteuid();
  std::vector<Capability> kept = {Capability::kBpf,       Capability::kPerfmon,           Capability::kSysPtrace,
                                  Capability::kSyslog,    Capability::kCheckpointRestore, Capability::kDacReadSearch};
  // Linux opens perf uprobes for CAP_SYS_ADMIN only (since 2025, in older series too); libraries can arrive at any time.
  if (calibration.abilities.best == AttachMethod::kPerf) kept.push_back(Capability::kSysAdmin);
  if (overhead_budget(options) > 0) kept.push_back(Capability::kSysNice);
  // The recording is finished in another user's folder.
  if (foreign) kept.insert(kept.end(), {Capability::kDacOverride, Capability::kFowner});
  return keep_capabilities(kept);
}

}  // namespace

Result<RecordOutcome> record(const RecordOptions& options, const RecordCallbacks& callbacks) {
  if (Result<void> kernel = require_kernel(); !kernel) return kernel.error();
  StopSignals::restore_defaults();  // until probes are in place, a signal ends us at once

  // A command is started and held before its first instruction.
  std::optional<LaunchedProgram> launched;
  if (!options.command.empty()) {
    int shell_exit = 0;
    Result<LaunchedProgram> program = LaunchedProgram::start(options.command, &shell_exit);
    if (!program) {
      Error error = program.error();
      if (shell_exit) error.exit = static_cast<Exit>(shell_exit);
      return error;
    }
    launched.emplace(std::move(*program));
  }
  StopSignals::ignore_marks();
  keep_memory_limit();  // from here on: what we start is not held to it
  Result<Targets> targets = launched ? launched_target(launched->pid()) : read_targets(options);
  if (!targets) return targets.error();

  // What this kernel can do, and at what price, is tried out on ourselves.
  Result<Calibration> calibration = calibrate_for(*targets, options);
  if (!calibration) return calibration.error();
  Result<std::unique_ptr<Recorder>> recorder = Recorder::open(options, callbacks, *targets, *calibration);
  if (!recorder) return recorder.error();
  Result<void> dropped = give_up_privileges((*recorder)->path(), *calibration, options);
  if (!dropped) return (*recorder)->abandon(dropped.error());

  // From here on the target is traced, and a signal ends the recording, not us.
  Result<StopSignals> signals = StopSignals::install_handlers();
  if (!signals) return signals.error();
  Result<void> attached = launched ? (*recorder)->attach(*launched, targets->found[0]) : (*recorder)->attach(*targets);
  if (!attached) return (*recorder)->abandon(attached.error());
  if (callbacks.started) callbacks.started(started_text(**recorder, options));
  if (Result<void> watched = (*recorder)->watch(*signals); !watched) return watched.error();

  // A second signal ends us at once; the file is whole up to its last chunk.
  signals->end_at_second();
  if (Result<void> finished = (*recorder)->finish(); !finished) return finished.error();
  RecordOutcome outcome{(*recorder)->path(), (*recorder)->end_reason(), (*recorder)->gave_way(), (*recorder)->partial(), std::nullopt};
  if (int status = 0; launched && launched->ended(&status)) outcome.child_status = status;
  return outcome;
}

}  // namespace dwell
