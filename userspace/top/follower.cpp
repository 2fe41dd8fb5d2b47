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

namespace dwell::top {
namespace {

constexpr std::uint64_t kSoonestReadNs = 500 * kMillisecond;
constexpr std::uint64_t kRestAfterRead = 12;  // times as long as reading took: less than a tenth of one CPU

std::uint64_t bytes_in(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

Result<std::unique_ptr<Follower>> Follower::start(const std::string& recording) {
  UniqueFd news(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!news.valid()) return system_error("follow a recording", errno);
  std::unique_ptr<Follower> follower(new Follower(recording, std::move(news)));
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

void Follower::show(std::optional<pid_t> process) {
  std::lock_guard lock(mutex_);
  if (process == process_) return;
  process_ = process;
  model_ = nullptr;
  hurry_ = true;
  wake_.notify_all();
}

void Follower::hurry() {
  std::lock_guard lock(mutex_);
  hurry_ = true;
  wake_.notify_all();
}

std::shared_ptr<const Model> Follower::model() const {
  std::lock_guard lock(mutex_);
  return model_;
}

void Follower::save(const std::string& to) {
  std::lock_guard lock(mutex_);
  to_save_ = to;
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
    std::optional<pid_t> process = process_;
    auto save = std::exchange(to_save_, std::nullopt);
    lock.unlock();
    if (hurried || monotonic_ns() >= due_ns_) read(process);
    if (save) save_now(*save);
    lock.lock();
    if (!stop_ && !hurry_ && !to_save_) wake_.wait_for(lock, std::chrono::nanoseconds(kSoonestReadNs / 2));
  }
}

void Follower::read(std::optional<pid_t> process) {
  std::uint64_t began_ns = monotonic_ns(), bytes = bytes_in(path_);
  due_ns_ = began_ns + kSoonestReadNs;
  if (bytes == 0 || (bytes == read_bytes_ && process == read_of_)) return;
  std::shared_ptr<const Model> model;
  try {
    Result<Recording> read = read_recording(path_);
    if (!read || (read->costs.empty() && !read->ended)) return;  // probes are still being set: no tick has come
    names_.add_to(*read);
    ModelRequest request;
    request.process = process;
    Model fresh = model_of(std::make_shared<const Recording>(std::move(*read)), request);
    histories_[process.value_or(0)].follow(fresh);
    model = std::make_shared<const Model>(std::move(fresh));
    read_bytes_ = bytes;
    read_of_ = process;
  } catch (const std::bad_alloc&) {
    auto without = std::make_shared<Model>();
    without->state = "there is no memory to show this recording; it goes on, and can be saved";
    model = std::move(without);
  }
  {
    std::lock_guard lock(mutex_);
    if (process == process_) model_ = std::move(model);
  }
  std::uint64_t now_ns = monotonic_ns();
  due_ns_ = now_ns + std::max(kSoonestReadNs, kRestAfterRead * (now_ns - began_ns));
  tell();
}

void Follower::save_now(const std::string& to) {
  Result<std::string> saved = to;
  try {
    if (Result<void> written = rewrite_symbols(path_, to, names_.known()); !written) saved = written.error();
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
