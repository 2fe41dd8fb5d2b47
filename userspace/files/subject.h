// SPDX-License-Identifier: Apache-2.0
// Files: what a process has open, as a subject.
#pragma once

#include "userspace/record/subject.h"

namespace dwell {

Subject files_subject();

}  // namespace dwell
