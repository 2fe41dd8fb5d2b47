// SPDX-License-Identifier: Apache-2.0
// `dwell files`: one look at the descriptors of a process.
#pragma once

#include "userspace/record/look_command.h"

namespace dwell::files {

LookCommand files_look_command();

}  // namespace dwell::files
