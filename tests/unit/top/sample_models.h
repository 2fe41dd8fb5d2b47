// SPDX-License-Identifier: Apache-2.0
// Models that the tests of `dwell top` share.
#pragma once

#include "userspace/top/model.h"

namespace dwell::top {

Model server_model();    // grows, has a limit that comes nearer, a mark, Go's tab not
Model quiet_model();     // recorded for a while, and nothing is retained
Model troubled_model();  // estimates, events lost, ended, over its budget

}  // namespace dwell::top
