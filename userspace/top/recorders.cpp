// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/recorders.h"

#include <fmt/core.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace dwell::top {

Result<Recorders> Recorders::start(const std::vector<pid_t>& pids, const std::string& output, const RecordInto& record) {
  Recorders all;
  if (output.empty()) {
    std::error_code failed;
    std::string folder = (std::filesystem::temp_directory_path(failed) / "dwell-top.XXXXXX").string();
    if (failed || !::mkdtemp(folder.data()))
      return Error{fmt::format("make a folder for the recording in {}: {}", folder, failed ? failed.message() : system_error("", errno).what),
                   "give it a place with -o FILE, or TMPDIR", Exit::kOutput};
    all.folder_ = folder;
  }
  for (pid_t pid : pids) {
    std::string path = output.empty() ? fmt::format("{}/{}.dwell", all.folder_, pid) : output;
    Result<Helper> helper = Helper::start([&, screen = ::getpid()](int) {
      int code = record(pid, path);
      if (::getppid() != screen) all.remove_folder({{pid, path}});  // it was killed, and removes nothing any more; as far as we get, for the kernel may ask us twice to end
      return code;
    });
    if (!helper) return helper.error();
    all.recordings_.push_back({pid, path});
    all.helpers_.push_back(std::move(*helper));
  }
  return all;
}

Recorders::Recorders(Recorders&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), recordings_(std::move(other.recordings_)), helpers_(std::move(other.helpers_)) {}

Recorders::~Recorders() {
  helpers_.clear();
  remove_folder(recordings_);
}

void Recorders::remove_folder(const std::vector<Followed>& recordings) const {
  if (folder_.empty()) return;
  std::error_code ignored;
  for (const Followed& one : recordings) std::filesystem::remove(one.path, ignored);
  std::filesystem::remove(folder_, ignored);
}

void Recorders::mark(std::size_t recording) const { helpers_[recording].signal(SIGUSR1); }

void Recorders::finish() {
  for (const Helper& one : helpers_) one.signal(SIGINT);
  for (Helper& one : helpers_) (void)one.wait();
}

}  // namespace dwell::top
