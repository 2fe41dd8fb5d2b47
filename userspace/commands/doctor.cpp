// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/doctor.h"

#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/doctor/allocation_price.h"
#include "userspace/doctor/kernel_trials.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/process/find_process.h"

namespace dwell {

Result<Exit> run(const DoctorCommand& command) {
  if (command.verbose) listen_to_libbpf(true);
  std::optional<pid_t> pid;
  if (!command.target.empty()) {
    Result<pid_t> found = find_process(command.target);
    if (!found) return found.error();
    pid = *found;
  }
  DoctorReport report = examine(pid);
  report.trials = try_kernel(report.calibration, report.methods);
  // Not where a probe may be noticed.
  if (report.target && report.exit() == Exit::kOk && !command.no_probes && report.target->code_signs.empty())
    if (Result<AllocationPrice> price = measure_allocations(*report.target, report.calibration)) report.target->price = *price;
  if (Result<void> written = write_output("", command.json ? doctor_json(report) : doctor_text(report)); !written)
    return written.error();
  return report.exit();
}

}  // namespace dwell
