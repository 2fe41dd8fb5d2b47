// SPDX-License-Identifier: Apache-2.0
// StopSignals: SIGINT and SIGTERM as something to poll, until what they end is being finished; and SIGUSR1, by which
// `dwell mark` asks for a mark.
#pragma once

#include <signal.h>

#include <utility>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

class StopSignals {
 public:
  // A shell without job control starts its background jobs with SIGINT ignored. A recorder must hear it: kill -INT is how
  // a script ends it, also while it is still attaching.
  static void restore_defaults();
  // From here on a mark that is asked for too early or too late is left out, and does no harm. Programs that are started
  // later would inherit that.
  static void ignore_marks();
  static Result<StopSignals> install_handlers();
  StopSignals(StopSignals&&) noexcept = default;
  ~StopSignals() { unblock(); }

  int fd() const { return fd_.get(); }
  bool arrived();  // takes what has arrived: whether a signal to stop was among it
  bool take_mark() { return std::exchange(mark_, false); }  // whether a mark was asked for, as far as was taken
  // What was asked for is being finished. The signal that asked for it, or else the first that comes now, changes nothing;
  // the next one ends us at once.
  void end_at_second();

 private:
  StopSignals(UniqueFd fd, sigset_t before) : fd_(std::move(fd)), before_(before) {}
  void unblock();

  UniqueFd fd_;
  sigset_t before_;
  bool came_ = false, mark_ = false;
};

}  // namespace dwell
