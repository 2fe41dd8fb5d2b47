// SPDX-License-Identifier: Apache-2.0
// LateRuntime: the runtime of a program that was perhaps only just started, and has no goroutines yet. It is
// looked for again and again, every 50 ms, for ten seconds.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

class LateRuntime {
 public:
  // True if it was found now. Nothing is done if it is known, if it is too early to try again, or if all
  // tries are used up; otherwise an error says why it was not found.
  Result<bool> look_for(pid_t pid, std::uint64_t now_ns) {
    if (runtime_ || has_given_up() || now_ns - tried_ns_ < kTryEveryNs) return false;
    tried_ns_ = now_ns;
    ++tries_;
    Result<GoRuntime> runtime = GoRuntime::attach(pid);
    if (!runtime) return runtime.error();
    runtime_ = std::move(*runtime);
    return true;
  }

  bool has_given_up() const { return tries_ >= kMostTries; }
  void give_up() {
    runtime_.reset();
    tries_ = kMostTries;
  }
  // Another program runs in the process now.
  void start_anew() { *this = {}; }

  explicit operator bool() const { return runtime_.has_value(); }
  const GoRuntime& operator*() const { return *runtime_; }
  const GoRuntime* operator->() const { return &*runtime_; }

 private:
  static constexpr std::uint64_t kTryEveryNs = 50'000'000;
  static constexpr int kMostTries = 200;

  std::optional<GoRuntime> runtime_;
  std::uint64_t tried_ns_ = 0;
  int tries_ = 0;
};

}  // namespace dwell
