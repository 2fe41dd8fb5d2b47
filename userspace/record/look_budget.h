// SPDX-License-Identifier: Apache-2.0
// LookBudget: how often the mappings of a process may be read. That takes its mmap lock, and in a process with
// tens of thousands of mappings tens of milliseconds. Pure: time is an argument.
#pragma once

#include <cstdint>

namespace dwell {

class LookBudget {
 public:
  // Reading may take a twentieth of the time, with 100 ms in advance; nothing waits for more than a second.
  bool allows(std::uint64_t now_ns) const;
  void spent(std::uint64_t began_ns, std::uint64_t ended_ns);

 private:
  std::int64_t credit_at(std::uint64_t now_ns) const;
  std::int64_t credit_ns_ = 0;
  std::uint64_t counted_ns_ = 0;  // 0: nothing was read yet
};

// Pace: for how long news may wait, when so many come that answering each would be a storm of our own.
class Pace {
 public:
  // There was news. Returns until when the next is left to gather: at once as long as they are few.
  std::uint64_t after_news(std::uint64_t now_ns);

 private:
  std::uint64_t since_ns_ = 0, count_ = 0;
};

// How long to wait for the next look at a target: often at first, less so as the recording ages, and never for more than a
// hundredth of the time. `age_ns` 0: the first look, which has everything to find out.
std::uint64_t look_pause_ns(std::uint64_t age_ns, std::uint64_t look_ns);

}  // namespace dwell
