// SPDX-License-Identifier: Apache-2.0
// Follower: reads a recording while it is being written, and makes of it what the screen shows. In a thread of its own, so
// that keys are answered while names are looked for; and never for more than a small share of the time.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/top/history.h"
#include "userspace/top/model.h"
#include "userspace/top/names.h"

namespace dwell::top {

class Follower {
 public:
  static Result<std::unique_ptr<Follower>> start(const std::string& recording);
  ~Follower();

  int fd() const { return news_.get(); }  // readable when something is new
  void taken();                           // afterwards
  void show(std::optional<pid_t> process);  // it alone; none: all of them
  void hurry();                           // something has happened: read again at once
  // Of what is to be shown; null: nothing is known yet.
  std::shared_ptr<const Model> model() const;
  // Writes the recording as it is now, with names, to `to`; what became of it is an answer, once.
  void save(const std::string& to);
  std::optional<Result<std::string>> take_saved();

 private:
  Follower(const std::string& recording, UniqueFd news) : path_(recording), news_(std::move(news)) {}
  void run();
  void read(std::optional<pid_t> process);
  void save_now(const std::string& to);
  void tell() const;

  std::string path_;
  UniqueFd news_;
  // The thread alone.
  Names names_;
  std::map<pid_t, History> histories_;  // by what was shown; 0: all
  std::uint64_t read_bytes_ = 0, due_ns_ = 0;
  std::optional<pid_t> read_of_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::optional<pid_t> process_;
  std::shared_ptr<const Model> model_;
  bool hurry_ = true, stop_ = false;
  std::optional<std::string> to_save_;
  std::optional<Result<std::string>> saved_;
  std::thread thread_;
};

}  // namespace dwell::top
