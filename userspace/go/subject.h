// SPDX-License-Identifier: Apache-2.0
// Go programs, as the table of subjects has them.
#pragma once

#include "userspace/record/subject.h"

namespace dwell {

Subject go_subject();

}  // namespace dwell
