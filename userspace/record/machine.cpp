// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/machine.h"

#include <sys/utsname.h>

#include "userspace/base/clock.h"

namespace dwell {

RecordingInfo describe_recording(const std::string& command_line, const ProcessFacts& target) {
  utsname system{};
  ::uname(&system);
  RecordingInfo info;
  info.dwell_version = DWELL_VERSION;
  info.kernel = system.release;
  info.host = system.nodename;
  info.arch = system.machine;
  info.command_line = command_line;
  info.container = target.container;
  info.start_unix_ns = clock_ns(CLOCK_REALTIME);
  info.start_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
  return info;
}

}  // namespace dwell
