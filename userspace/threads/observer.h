// SPDX-License-Identifier: Apache-2.0
// ThreadObserver: looks at the threads of a process, as often as wanted, and tells what each waits for, held
// by whom. Stacks go to the recording that it was opened with.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/recording/writer.h"
#include "userspace/threads/looker.h"
#include "userspace/threads/look.h"

namespace dwell {

class ThreadObserver {
 public:
  // The writer outlives the observer.
  static Result<ThreadObserver> open(pid_t pid, RecordingWriter& writer, const LookOptions& options = {});
  ThreadObserver(ThreadObserver&&) noexcept;
  ThreadObserver& operator=(ThreadObserver&&) noexcept;
  ~ThreadObserver();

  // Of process 0 of the recording. Exit::kNoTarget if the process has ended.
  Result<ThreadLook> look();

  // Of a thread of the last look, its id in the initial PID namespace. 0: it was not there.
  Tid kernel_tid(Tid tid) const;

  // By location of the recording, as far as they are in its looks.
  const std::vector<LocationSymbol>& names();
  // Code through which stacks may be wrong or cut, and why.
  std::vector<std::string> problems() const;

 private:
  class Impl;
  explicit ThreadObserver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
