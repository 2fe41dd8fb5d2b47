// SPDX-License-Identifier: Apache-2.0
// Helper: a process of our own, forked, that does one thing apart: what it does can neither delay the screen nor write on it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell::top {

class Helper {
 public:
  // Runs `work` in a process group of its own, with a connection to us, and ends with what it returns. It gets SIGTERM when
  // we end. Its standard input and output lead nowhere; what it writes to standard error is kept for said(). Before any
  // thread is started.
  static Result<Helper> start(const std::function<int(int connection)>& work);
  Helper(Helper&& other) noexcept;
  Helper& operator=(Helper&&) = delete;
  ~Helper();  // ends it, and waits for that

  pid_t pid() const { return pid_; }
  int connection() const { return connection_.get(); }
  void signal(int number) const;
  // Whether it has ended, and its exit code (128 and the signal, if one ended it). Does not block.
  std::optional<int> ended();
  int wait();  // for its end
  // What it has written to standard error so far, the beginning of it.
  const std::string& said();

 private:
  Helper(pid_t pid, UniqueFd connection, UniqueFd errors) : pid_(pid), connection_(std::move(connection)), errors_(std::move(errors)) {}
  void take(int status);

  pid_t pid_ = -1;
  UniqueFd connection_, errors_;
  std::optional<int> exit_;
  std::string said_;
};

}  // namespace dwell::top
