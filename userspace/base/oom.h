// SPDX-License-Identifier: Apache-2.0
// Which process the kernel ends first when memory runs out.
#pragma once

namespace dwell {

// From now on: this one. Without a word where /proc does not allow it.
void offer_ourselves_to_oom();
// In a child that is about to become another program: what this process had at its start.
void withdraw_oom_offer();

}  // namespace dwell
