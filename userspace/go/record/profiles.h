// SPDX-License-Identifier: Apache-2.0
// Profiles of recorded Go programs, with the sample types that Go's own profiles have. Pure: from a recording
// alone.
#pragma once

#include "userspace/views/profile.h"
#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/go/record/look.h"

namespace dwell {

// Of the last look; the runtime's own goroutines are left out, as Go leaves them out. Sample type: goroutine.
Result<Profile> goroutine_profile(const Recording& recording);
// As of the last look, since the program began. Sample types: alloc_objects, alloc_space, inuse_objects,
// inuse_space.
Result<Profile> go_heap_profile(const Recording& recording);
// Waits for locks, or all waits; the same. Sample types: contentions, delay.
Result<Profile> go_contention_profile(const Recording& recording, GoProfileKind kind);

}  // namespace dwell
