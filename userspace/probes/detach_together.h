// SPDX-License-Identifier: Apache-2.0
// Takes the probes of many processes away. The kernel waits with each link until nobody runs in its programs any more: several that
// wait at the same time wait no longer than one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "userspace/probes/attach.h"

namespace dwell {

inline void detach_together(const std::vector<ProbeLinks*>& all) {
  constexpr std::size_t kMostThreads = 16;
  std::atomic<std::size_t> next = 0;
  auto work = [&] {
    for (std::size_t i = next++; i < all.size(); i = next++) all[i]->detach();
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < std::min(kMostThreads, all.size()); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace dwell
