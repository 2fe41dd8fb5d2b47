// SPDX-License-Identifier: Apache-2.0
// A process and a stack, as all chunks of threads have them.
#pragma once

#include <string>

#include "userspace/base/cursor.h"
#include "userspace/recording/model.h"
#include "userspace/threads/tick.h"

namespace dwell {

void put_thread_site(std::string& out, const ThreadSite& site);
// "", or what is wrong.
std::string get_thread_site(Cursor& in, const Recording& recording, ThreadSite& site);

}  // namespace dwell
