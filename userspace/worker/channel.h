// SPDX-License-Identifier: Apache-2.0
// Messages between processes of ours over a stream socket: a length, that many bytes, and descriptors beside them.
// The other side may be taken over by what it has read: nothing of what it says is believed, and its length is bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

// What send() and receive() say when there is nobody at the other end any more.
inline constexpr const char* kOtherHasEnded = "the other process has ended";

struct Message {
  std::string bytes;
  std::vector<UniqueFd> fds;
};

// Asked again and again while the other side is silent; why to wait no longer, "" to go on.
using Patience = std::function<std::string()>;

class Channel {
 public:
  Channel() = default;
  explicit Channel(UniqueFd socket) : socket_(std::move(socket)) {}
  static Result<std::pair<UniqueFd, UniqueFd>> make_pair();

  bool is_open() const { return socket_.valid(); }
  int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }

  Result<void> send(std::string_view bytes, std::span<const int> fds = {}, const Patience& patience = {}) const;
  Result<Message> receive(std::size_t limit, const Patience& patience = {}) const;

 private:
  Result<void> wait(short events, const Patience& patience) const;
  UniqueFd socket_;
};

}  // namespace dwell
