// SPDX-License-Identifier: Apache-2.0
// Closes probes that see nothing any more, without waiting for it: each perf event waits for a grace period of its own.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include "userspace/probes/attach.h"

namespace dwell {

class BackgroundClose {
 public:
  void close(std::unique_ptr<ProbeLinks> links) {
    std::erase_if(under_way_, [](auto& one) { return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    under_way_.push_back(std::async(std::launch::async, [old = std::move(links)]() mutable { old.reset(); }));
  }

 private:
  std::vector<std::future<void>> under_way_;  // waited for at the end
};

}  // namespace dwell
