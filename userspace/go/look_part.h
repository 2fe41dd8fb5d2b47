// SPDX-License-Identifier: Apache-2.0
// `dwell go`: one look at a Go program.
#pragma once

#include "userspace/record/look_command.h"

namespace dwell {

LookCommand go_look_command();

}  // namespace dwell
