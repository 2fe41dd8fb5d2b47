// SPDX-License-Identifier: Apache-2.0
// pprof: a Profile as the gzipped protobuf that `go tool pprof` and profile stores read.
#pragma once

#include <string>

#include "userspace/views/profile.h"
#include "userspace/base/result.h"

namespace dwell {

// Equal profiles give equal bytes: no time stamp, no host name goes into the compressed stream.
Result<std::string> pprof(const Profile& profile);

}  // namespace dwell
