// SPDX-License-Identifier: Apache-2.0
// StopSignals: SIGINT and SIGTERM as something to poll, for as long as the object lives.
#pragma once

#include <signal.h>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

class StopSignals {
 public:
  static Result<StopSignals> catch_them();
  StopSignals(StopSignals&&) noexcept = default;
  ~StopSignals() { let_go(); }

  int fd() const { return fd_.get(); }
  bool arrived();  // takes what has arrived
  // From now on a signal ends us at once, as it would have without us.
  void let_go();

 private:
  StopSignals(UniqueFd fd, sigset_t before) : fd_(std::move(fd)), before_(before) {}
  UniqueFd fd_;
  sigset_t before_;
};

}  // namespace dwell
