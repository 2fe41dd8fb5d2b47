// SPDX-License-Identifier: Apache-2.0
// `dwell clocks`: how a process uses clocks, watched for a few seconds.
#pragma once

#include "userspace/record/look_command.h"

namespace dwell {

LookCommand clocks_look_command();

}  // namespace dwell
