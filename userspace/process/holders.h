// SPDX-License-Identifier: Apache-2.0
// Holders: which processes have a socket or a pipe open, by their descriptors. Reads the descriptors of every process that
// can be seen.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

struct Holder {
  pid_t pid = 0;
  std::string name;  // comm
  int fd = -1;
  bool readable = false, writable = false;  // what the descriptor is open for
  bool operator==(const Holder&) const = default;
};

struct Holders {
  std::map<std::string, std::vector<Holder>, std::less<>> by_link;  // "pipe:[4711]"; by PID and descriptor
  std::size_t not_seen = 0;  // processes whose descriptors could not be listed

  std::vector<Holder> of(std::string_view link) const;
};

Holders find_holders(const std::set<std::string, std::less<>>& links);

// "worker (12), worker (13) and 3 more": each process once; "" of none. `without` is left out.
std::string holder_names(const std::vector<Holder>& holders, pid_t without = 0);

}  // namespace dwell
