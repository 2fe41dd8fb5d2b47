// SPDX-License-Identifier: Apache-2.0
// Threads, as the table of subjects has them.
#pragma once

#include "userspace/record/subject.h"

namespace dwell {

Subject threads_subject();

}  // namespace dwell
