// SPDX-License-Identifier: Apache-2.0
// What every recording says of where and when it was made.
#pragma once

#include <string>

#include "userspace/process/process.h"
#include "userspace/recording/model.h"

namespace dwell {

// From now on. `command_line` is dwell's own.
RecordingInfo describe_recording(const std::string& command_line, const ProcessFacts& target);

}  // namespace dwell
