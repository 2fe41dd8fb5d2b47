// SPDX-License-Identifier: Apache-2.0
// Pager: reports that go to a terminal go through one: DWELL_PAGER, PAGER, or less.
//
// Its process is started first of all, before dwell limits its memory and gives up its rights, which it would inherit; it
// waits, and becomes the pager when there is something to show. One that is missing or ends early does no harm.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

// The command line of the pager, by DWELL_PAGER and PAGER; "": none, as where they are empty or "cat".
using ReadEnvironment = std::function<const char*(const char* name)>;
std::string pager_command(const ReadEnvironment& environment);

// Where somebody reads. EPIPE: whoever reads has seen enough, which is no error. `where`: for what is said of others.
Result<void> write_all(int fd, std::string_view content, const char* where);

class Pager {
 public:
  // None where standard output is no terminal.
  static void start();

  // What standard output is to get goes through here, as by write_all().
  static Result<void> write(std::string_view content);

  // Waits until the user has left the pager. What one that could not be started was given is printed then.
  static void finish();
};

}  // namespace dwell
