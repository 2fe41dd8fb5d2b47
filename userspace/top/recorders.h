// SPDX-License-Identifier: Apache-2.0
// Recorders: one recording for each process that is watched, each made in a process of its own as `dwell record` makes it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/top/follower.h"
#include "userspace/top/helper.h"

namespace dwell::top {

// Records the process into `path`, until SIGINT or SIGTERM, and says on standard error what went wrong. An exit code.
using RecordInto = std::function<int(pid_t pid, const std::string& path)>;

class Recorders {
 public:
  // `output`: where the recording of the only process is to stay; "": in a folder that goes away with us.
  static Result<Recorders> start(const std::vector<pid_t>& pids, const std::string& output, const RecordInto& record);
  Recorders(Recorders&& other) noexcept;
  ~Recorders();

  const std::vector<Followed>& recordings() const { return recordings_; }
  // The exit code of one that has ended.
  std::optional<int> ended(std::size_t recording) { return helpers_[recording].ended(); }
  const std::string& said(std::size_t recording) { return helpers_[recording].said(); }
  void mark(std::size_t recording) const;
  // Ends all of them, and waits until their recordings are whole.
  void finish();

 private:
  Recorders() = default;
  void remove_folder(const std::vector<Followed>& recordings) const;

  std::string folder_;  // to be removed; "": none
  std::vector<Followed> recordings_;
  std::vector<Helper> helpers_;
};

}  // namespace dwell::top
