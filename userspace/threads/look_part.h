// SPDX-License-Identifier: Apache-2.0
// `dwell threads`: one look at every thread of a process.
#pragma once

#include "userspace/record/look_command.h"

namespace dwell {

LookCommand threads_look_command();

}  // namespace dwell
