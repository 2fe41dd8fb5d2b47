// SPDX-License-Identifier: Apache-2.0
// Looks: the looks of subjects at a process, as `dwell threads PID` takes them, each in a process of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/top/helper.h"
#include "userspace/top/layout.h"
#include "userspace/top/state.h"

namespace dwell::top {

class Looks {
 public:
  // Before any thread is started.
  static Result<Looks> start(const std::string& command_line);

  int fd() const { return over_ ? -1 : helper_.connection(); }  // -1: there are no looks any more
  // Asks for a look, unless one is on its way. What was asked for a process or tab that is shown no more is thrown away.
  void ask(pid_t pid, Tab tab, std::size_t columns);
  bool asked() const { return asked_.has_value(); }
  // When something can be read: true if a look is whole now.
  bool take();
  // What is known of it; null: nothing yet.
  const LookPage* page(pid_t pid, Tab tab, std::uint64_t now_ns);
  // When the next look should begin: looks that take long are taken seldom.
  std::uint64_t due_ns(pid_t pid, Tab tab) const;
  void forget() { known_.reset(); }

 private:
  struct Subject {
    pid_t pid;
    Tab tab;
    bool operator==(const Subject&) const = default;
  };
  struct Known {
    Subject of;
    LookPage page;
    std::uint64_t taken_ns = 0, took_ns = 0;
  };

  explicit Looks(Helper helper) : helper_(std::move(helper)) {}

  Helper helper_;
  std::optional<Subject> asked_;
  std::uint64_t asked_ns_ = 0;
  std::string received_;
  std::optional<Known> known_;
  bool over_ = false;
};

}  // namespace dwell::top
