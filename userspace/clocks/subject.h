// SPDX-License-Identifier: Apache-2.0
// Clocks, as the table of subjects has them.
#pragma once

#include "userspace/record/subject.h"

namespace dwell {

Subject clocks_subject();

}  // namespace dwell
