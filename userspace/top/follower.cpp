// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/follower.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/recording/writer.h"
#include "userspace/subjects/chunks.h"
#include "userspace/top/history.h"
#include "userspace/top/names.h"

namespace dwell::top {
namespace {

constexpr std::uint64_t kSoonestReadNs = 500 * kMillisecond;
constexpr std::uint64_t kRestAfterRead = 12;  // times as long as reading took: less than a tenth of one CPU

std::uint64_t bytes_in(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

struct Follower::Job {
  explicit Job(const Followed& what) : followed(what), names(what.pid) {}
  Followed followed;
  Names names;
  History history;
  std::uint64_t read_bytes = 0, due_ns = 0;
  std::shared_ptr<const Model> model;
};

Follower::Follower(const std::vector<Followed>& recordings, UniqueFd news) : news_(std::move(news)) {
  for (const Followed& one : recordings) jobs_.push_back(std::make_unique<Job>(one));
}

Result<std::unique_ptr<Follower>> Follower::start(const std::vector<Followed>& recordings) {
  UniqueFd news(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!news.valid()) return system_error("follow a recording", errno);
  std::unique_ptr<Follower> follower(new Follower(recordings, std::move(news)));
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);  // signals are the screen's
  follower->thread_ = std::thread([one = follower.get()] { one->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return follower;
}

Follower::~Follower() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Follower::taken() {
  std::uint64_t count = 0;
  (void)!::read(news_.get(), &count, sizeof count);
}

void Follower::tell() const {
  std::uint64_t one = 1;
  (void)!::write(news_.get(), &one, sizeof one);
}

void Follower::show(std::size_t recording) {
  std::lock_guard lock(mutex_);
  shown_ = recording;
  hurry_ = true;
  wake_.notify_all();
}

void Follower::hurry() {
  std::lock_guard lock(mutex_);
  hurry_ = true;
  wake_.notify_all();
}

std::shared_ptr<const Model> Follower::model(std::size_t recording) const {
  std::lock_guard lock(mutex_);
  return recording < jobs_.size() ? jobs_[recording]->model : nullptr;
}

void Follower::save(std::size_t recording, const std::string& to) {
  std::lock_guard lock(mutex_);
  to_save_ = {recording, to};
  wake_.notify_all();
}

std::optional<Result<std::string>> Follower::take_saved() {
  std::lock_guard lock(mutex_);
  return std::exchange(saved_, std::nullopt);
}

void Follower::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    bool hurried = std::exchange(hurry_, false);
    std::size_t shown = std::min(shown_, jobs_.size() - 1);
    auto save = std::exchange(to_save_, std::nullopt);
    lock.unlock();
    if (hurried || monotonic_ns() >= jobs_[shown]->due_ns) read(shown);
    if (save) save_now(save->first, save->second);
    lock.lock();
    if (!stop_ && !hurry_ && !to_save_) wake_.wait_for(lock, std::chrono::nanoseconds(kSoonestReadNs / 2));
  }
}

void Follower::read(std::size_t recording) {
  Job& job = *jobs_[recording];
  std::uint64_t began_ns = monotonic_ns(), bytes = bytes_in(job.followed.path);
  job.due_ns = began_ns + kSoonestReadNs;
  if (bytes == 0 || bytes == job.read_bytes) return;
  try {
    Result<Recording> read = read_recording(job.followed.path);
    if (!read || (read->costs.empty() && !read->ended)) return;  // probes are still being set: no tick has come
    job.names.add_to(*read);
    Model fresh = model_of(std::make_shared<const Recording>(std::move(*read)));
    job.history.follow(fresh);
    auto model = std::make_shared<const Model>(std::move(fresh));
    job.read_bytes = bytes;
    std::lock_guard lock(mutex_);
    job.model = std::move(model);
  } catch (const std::bad_alloc&) {
    auto model = std::make_shared<Model>();
    model->state = "there is no memory to show this recording; it goes on, and can be saved";
    std::lock_guard lock(mutex_);
    job.model = std::move(model);
  }
  std::uint64_t now_ns = monotonic_ns();
  job.due_ns = now_ns + std::max(kSoonestReadNs, kRestAfterRead * (now_ns - began_ns));
  tell();
}

void Follower::save_now(std::size_t recording, const std::string& to) {
  Job& job = *jobs_[recording];
  Result<std::string> saved = to;
  try {
    if (Result<void> written = rewrite_symbols(job.followed.path, to, job.names.known()); !written) saved = written.error();
  } catch (const std::bad_alloc&) {
    saved = Error{"save " + to + ": there is no memory for it", ""};
  }
  {
    std::lock_guard lock(mutex_);
    saved_ = std::move(saved);
  }
  tell();
}

}  // namespace dwell::top
