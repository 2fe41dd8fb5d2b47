// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/marking.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <optional>

#include "userspace/base/clock.h"
#include "userspace/base/files.h"
#include "userspace/base/time_units.h"
#include "userspace/base/unique_fd.h"
#include "userspace/process/process.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"

namespace dwell {
namespace {

namespace fs = std::filesystem;


// The processes that a recording begins with, and all of its marks if it is read as a `whole`. None: it is none.
std::optional<Recording> skim(const std::string& path, bool whole) {
  Result<ByteSource> file = ByteSource::open(path);
  if (!file) return std::nullopt;
  Result<ChunkWalker> walker = ChunkWalker::open(std::move(*file), path);
  if (!walker) return std::nullopt;
  Recording recording;
  std::string scratch;
  for (Chunk chunk;;) {
    Result<bool> more = walker->next(chunk);
    if (!more || !*more) break;
    if (!whole && chunk.type != kChunkProcess && !recording.processes.empty()) break;
    if (chunk.type != kChunkInfo && chunk.type != kChunkProcess && chunk.type != kChunkMark) continue;
    Result<std::span<const std::byte>> content = walker->content(chunk, scratch);
    if (!content) break;
    Cursor in(*content);
    if (chunk.type == kChunkInfo) (void)decode_info(in, recording);
    if (chunk.type == kChunkProcess) (void)decode_process(in, recording);
    if (chunk.type == kChunkMark) (void)decode_mark(in, recording);
  }
  return recording;
}

bool is_written(const std::string& process, const std::string& fd) {
  Result<std::string> info = read_file(process + "/fdinfo/" + fd);
  std::string flags = info ? status_field(*info, "flags") : "";
  int value = 0;
  std::from_chars(flags.data(), flags.data() + flags.size(), value, 8);
  return info && (value & O_ACCMODE) != O_RDONLY;
}

// The recordings that a process writes.
void add_recordings_of(const std::string& process, pid_t pid, std::vector<RunningRecorder>& found) {
  Result<std::string> status = read_file(process + "/status");
  if (!status || !waits_for_marks(*status)) return;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(process + "/fd", failed)) {
    std::string fd = entry.path().filename(), opens = entry.path();
    struct stat file {};
    if (::stat(opens.c_str(), &file) || !S_ISREG(file.st_mode) || !is_written(process, fd)) continue;
    std::optional<Recording> recording = skim(opens, false);
    if (!recording || recording->processes.empty()) continue;
    std::string path = fs::read_symlink(entry.path(), failed);
    std::vector<std::uint32_t> targets;
    for (const ProcessInfo& one : recording->processes) targets.push_back(one.pid);
    found.push_back({pid, std::move(targets), path, opens});
  }
}

std::vector<RunningRecorder> all_recorders() {
  std::vector<RunningRecorder> found;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", failed)) {
    std::string name = entry.path().filename();
    pid_t pid = 0;
    auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong == std::errc() && end == name.data() + name.size()) add_recordings_of(entry.path(), pid, found);
  }
  return found;
}

Result<std::vector<RunningRecorder>> those(const std::string& of, const std::function<bool(const RunningRecorder&)>& wanted) {
  std::vector<RunningRecorder> found;
  for (RunningRecorder& one : all_recorders())
    if (wanted(one)) found.push_back(std::move(one));
  if (!found.empty()) return found;
  return Error{"mark " + of + ": no dwell that can be seen here records it", "a recording must be going on: dwell record, or dwell top, and by a user whose processes you may look at",
               Exit::kNoTarget};
}

}  // namespace

bool waits_for_marks(std::string_view status) {
  constexpr std::uint64_t kBit = std::uint64_t{1} << (SIGUSR1 - 1);
  std::string blocked = status_field(status, "SigBlk");
  std::uint64_t mask = 0;
  std::from_chars(blocked.data(), blocked.data() + blocked.size(), mask, 16);
  return mask & kBit;
}

Result<std::vector<RunningRecorder>> recorders_of_process(pid_t target) {
  return those(fmt::format("the recording of PID {}", target), [target](const RunningRecorder& one) { return std::ranges::count(one.targets, static_cast<std::uint32_t>(target)) > 0; });
}

Result<std::vector<RunningRecorder>> recorders_of_file(const std::string& path) {
  struct stat wanted {};
  if (::stat(path.c_str(), &wanted)) return system_error("mark " + path, errno);
  return those(path, [&wanted](const RunningRecorder& one) {
    struct stat file {};
    return ::stat(one.opens.c_str(), &file) == 0 && file.st_dev == wanted.st_dev && file.st_ino == wanted.st_ino;
  });
}

Result<SetMark> ask_for_mark(const RunningRecorder& recorder) {
  std::string doing = fmt::format("mark {}", recorder.path);
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, recorder.pid, 0)));
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", recorder.pid));
  std::optional<Recording> before = skim(recorder.opens, true);
  if (!process.valid() || !status || !before || !waits_for_marks(*status))
    return Error{doing + ": its recorder has just ended", "", Exit::kNoTarget};
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGUSR1, nullptr, 0)) return system_error(doing, errno);
  constexpr std::uint64_t kPatienceNs = 10 * kSecond;
  constexpr int kPauseMs = 20;
  for (std::uint64_t until_ns = monotonic_ns() + kPatienceNs; monotonic_ns() < until_ns;) {
    pollfd ended{process.get(), POLLIN, 0};
    bool gone = ::poll(&ended, 1, kPauseMs) > 0;
    std::optional<Recording> now = skim(gone ? recorder.path : recorder.opens, true);
    if (now && now->marks.size() > before->marks.size())
      return SetMark{before->marks.size() + 1, now->marks[before->marks.size()].time_ns - now->start_ns()};
    if (gone) return Error{doing + ": its recorder ended meanwhile", "", Exit::kNoTarget};
  }
  return Error{doing + ": its recorder has not answered for 10 s", "it may be very busy: look for the mark later, with dwell report"};
}

}  // namespace dwell
