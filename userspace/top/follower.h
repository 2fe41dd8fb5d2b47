// SPDX-License-Identifier: Apache-2.0
// Follower: reads a recording while it is being written, and makes of it what the screen shows. In a thread of its own, so
// that keys are answered while names are looked for; and never for more than a small share of the time.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/top/model.h"

namespace dwell::top {

struct Followed {
  pid_t pid = 0;
  std::string path;  // of its recording
};

class Follower {
 public:
  static Result<std::unique_ptr<Follower>> start(const std::vector<Followed>& recordings);
  ~Follower();

  int fd() const { return news_.get(); }  // readable when something is new
  void taken();                           // afterwards
  void show(std::size_t recording);       // the one that is followed closely
  void hurry();                           // something has happened: read again at once
  // Null: nothing is known yet.
  std::shared_ptr<const Model> model(std::size_t recording) const;
  // Writes the recording as it is now, with names, to `to`; what became of it is an answer, once.
  void save(std::size_t recording, const std::string& to);
  std::optional<Result<std::string>> take_saved();

 private:
  struct Job;
  explicit Follower(const std::vector<Followed>& recordings, UniqueFd news);
  void run();
  void read(std::size_t recording);
  void save_now(std::size_t recording, const std::string& to);
  void tell() const;

  std::vector<std::unique_ptr<Job>> jobs_;
  UniqueFd news_;
  mutable std::mutex mutex_;  // guards what follows, and the models
  std::condition_variable wake_;
  std::size_t shown_ = 0;
  bool hurry_ = true, stop_ = false;
  std::optional<std::pair<std::size_t, std::string>> to_save_;
  std::optional<Result<std::string>> saved_;
  std::thread thread_;
};

}  // namespace dwell::top
