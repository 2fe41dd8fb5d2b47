// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/doctor.h"

#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"

namespace dwell {

Result<Exit> run(const DoctorCommand& command) {
  DoctorReport report = examine(command.pid);
  if (Result<void> written = write_output("", command.json ? doctor_json(report) : doctor_text(report)); !written)
    return written.error();
  return report.exit();
}

}  // namespace dwell
