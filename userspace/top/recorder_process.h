// SPDX-License-Identifier: Apache-2.0
// RecorderProcess: the recording of what is watched, made in a process of its own as `dwell record` makes it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/top/helper.h"

namespace dwell::top {

// Records into `path`, until SIGINT or SIGTERM, and says on standard error what went wrong. An exit code.
using RecordInto = std::function<int(const std::string& path)>;

class RecorderProcess {
 public:
  // `first`: one of the processes. `output`: where the recording is to stay; "": in a folder that goes away with us.
  static Result<RecorderProcess> start(pid_t first, const std::string& output, const RecordInto& record);
  RecorderProcess(RecorderProcess&& other) noexcept;
  ~RecorderProcess();

  const std::string& path() const { return path_; }
  // The exit code, if it has ended.
  std::optional<int> ended() { return helper_->ended(); }
  const std::string& said() { return helper_->said(); }
  void mark() const;
  // Ends it, and waits until the recording is whole.
  void finish();

 private:
  RecorderProcess() = default;
  void remove_folder() const;

  std::string folder_;  // to be removed; "": none
  std::string path_;
  std::optional<Helper> helper_;
};

}  // namespace dwell::top
