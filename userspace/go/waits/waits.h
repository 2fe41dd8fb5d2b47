// SPDX-License-Identifier: Apache-2.0
// What a goroutine waits for: the channels of a send, receive or select with who else waits there, the lock,
// the descriptor, the time.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/go/runtime/runtime.h"
#include "userspace/go/goroutines/goroutine.h"
#include "userspace/go/record/look.h"

namespace dwell {

class GoWaits {
 public:
  explicit GoWaits(const GoRuntime& runtime) : runtime_(runtime), layout_(runtime.layout()) {}

  // Those that will be asked for, by address: what is looked up for all of them at once is looked up for no
  // others.
  void expect(std::uint64_t goroutine) { expected_.insert(goroutine); }
  // `calls` are those of the goroutine's stack: they tell which kind of lock it is.
  GoWait describe(const Goroutine& goroutine, const std::vector<GoCall>& calls);

 private:
  void add_channels(const Goroutine& goroutine, GoWait& wait);
  struct Queues {
    GoChannel channel;
    absl::flat_hash_set<std::uint64_t> senders;  // their sudogs
  };
  const Queues& queues_at(std::uint64_t address);
  std::vector<std::uint64_t> queue_from(std::uint64_t first) const;
  std::optional<GoLock> lock_of(const Goroutine& goroutine, const std::vector<GoCall>& calls);
  void read_descriptors();

  const GoRuntime& runtime_;
  const GoLayout& layout_;
  absl::flat_hash_set<std::uint64_t> expected_;
  absl::flat_hash_map<std::uint64_t, Queues> channels_;
  bool semaphores_read_ = false, descriptors_read_ = false;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> semaphores_;  // by goroutine
  absl::flat_hash_map<std::uint64_t, GoDescriptor> descriptors_;  // by goroutine
};

// Pure: the lines "tfd: N events: E data: D" of an epoll descriptor's /proc/PID/fdinfo.
struct EpollEntry {
  int fd;
  std::uint64_t data;
};
std::vector<EpollEntry> parse_epoll(std::string_view text);

}  // namespace dwell
