// SPDX-License-Identifier: Apache-2.0
// The heap of a Go program as rows: what it retains by call site, by the program's own profile or by samples.
#pragma once

#include "userspace/recording/model.h"
#include "userspace/top/model.h"

namespace dwell::top {

void add_go_heap(const Recording& recording, const ModelRequest& request, Model& model);

}  // namespace dwell::top
