// SPDX-License-Identifier: Apache-2.0
// For a process that computes, prints and ends: memory is taken in large pieces of large pages, and kept.
//
// A fifth of the time that it takes to name 20,000 addresses went into the first touch of 4 KiB pages. Not
// for a recording, which runs for days beside the service and gives back what it no longer needs.
#pragma once

namespace dwell {

void prepare_for_short_life();

}  // namespace dwell
