// SPDX-License-Identifier: Apache-2.0
// Session: what `dwell top` does from when everything runs until it ends: waits for keys, figures, looks and signals.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/top/follower.h"
#include "userspace/top/layout.h"
#include "userspace/top/looks.h"
#include "userspace/top/recorder_process.h"
#include "userspace/top/state.h"
#include "userspace/top/terminal.h"
#include "userspace/top/top.h"

namespace dwell::top {

class Session {
 public:
  Session(const TopRequest& request, RecorderProcess& recorder, Follower& follower, Looks& looks, UniqueFd signals);

  Result<void> on_terminal();
  Result<void> in_lines();
  // The code of a recorder that ended before it had anything to show, and what it said.
  std::optional<int> failed() const { return failed_; }

 private:
  bool wait(int keys, std::uint64_t until_ns);  // false: it is over
  bool signalled();
  void take_figures();
  void take_saved();
  void check_recorder();
  void handle_keys(Terminal& terminal);
  void act(Action action);
  void look_if_due(const Terminal& terminal);
  void draw(Terminal& terminal);
  void say(const std::string& message);
  const Model& model() const;
  std::vector<pid_t> running() const;  // that can be chosen; none of one process
  void choose();                       // what the keys have chosen, by now
  pid_t looked_at() const;             // by the tabs

  const TopRequest& request_;
  RecorderProcess& recorder_;
  Follower& follower_;
  Looks& looks_;
  UniqueFd signals_;
  State state_;
  std::optional<pid_t> process_;  // that is shown alone
  std::shared_ptr<const Model> shown_, waiting_;  // waiting_: until figures come
  std::optional<int> failed_;
  std::string message_;
  std::uint64_t message_until_ns_ = 0;
  std::size_t refreshes_ = 0, page_ = 10;
  bool over_ = false, resized_ = false, keys_ready_ = false;
};

}  // namespace dwell::top
