// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/recorder_process.h"

#include <fmt/core.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace dwell::top {

Result<RecorderProcess> RecorderProcess::start(pid_t first, const std::string& output, const RecordInto& record) {
  RecorderProcess one;
  one.path_ = output;
  if (output.empty()) {
    std::error_code failed;
    std::string folder = (std::filesystem::temp_directory_path(failed) / "dwell-top.XXXXXX").string();
    if (failed || !::mkdtemp(folder.data()))
      return Error{fmt::format("make a folder for the recording in {}: {}", folder, failed ? failed.message() : system_error("", errno).what),
                   "give it a place with -o FILE, or TMPDIR", Exit::kOutput};
    one.folder_ = folder;
    one.path_ = fmt::format("{}/{}.dwell", folder, first);
  }
  Result<Helper> helper = Helper::start([&, screen = ::getpid()](int) {
    int code = record(one.path_);
    if (::getppid() != screen) one.remove_folder();  // it was killed, and removes nothing any more; as far as we get, for the kernel may ask us twice to end
    return code;
  });
  if (!helper) return helper.error();
  one.helper_.emplace(std::move(*helper));
  return one;
}

RecorderProcess::RecorderProcess(RecorderProcess&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), path_(std::move(other.path_)), helper_(std::move(other.helper_)) {}

RecorderProcess::~RecorderProcess() {
  helper_.reset();
  remove_folder();
}

void RecorderProcess::remove_folder() const {
  if (folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
  std::filesystem::remove(folder_, ignored);
}

void RecorderProcess::mark() const { helper_->signal(SIGUSR1); }

void RecorderProcess::finish() {
  helper_->signal(SIGINT);
  (void)helper_->wait();
}

}  // namespace dwell::top
