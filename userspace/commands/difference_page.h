// SPDX-License-Identifier: Apache-2.0
// `dwell diff -f html`: the difference of two recordings as one page.
#pragma once

#include "userspace/base/result.h"
#include "userspace/commands/options.h"
#include "userspace/recording/model.h"

namespace dwell {

Result<void> write_difference_page(const DiffCommand& command, const Recording& before, const Recording& after);

}  // namespace dwell
