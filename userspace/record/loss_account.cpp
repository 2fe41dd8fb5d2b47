// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/loss_account.h"

#include <algorithm>

namespace dwell {

void LossAccount::note_time(Kind& kind, std::uint64_t first_ns, std::uint64_t last_ns) {
  kind.first_ns = kind.first_ns ? std::min(kind.first_ns, first_ns) : first_ns;
  kind.last_ns = std::max(kind.last_ns, last_ns);
}

void LossAccount::add(LossKind kind, std::uint64_t time_ns) {
  Kind& one = kinds_[static_cast<std::size_t>(kind)];
  ++one.added;
  note_time(one, time_ns, time_ns);
}

void LossAccount::total(LossKind kind, std::uint64_t count) { kinds_[static_cast<std::size_t>(kind)].total = count; }

void LossAccount::total(LossKind kind, std::uint64_t count, std::uint64_t first_ns, std::uint64_t last_ns) {
  Kind& one = kinds_[static_cast<std::size_t>(kind)];
  if (count > one.total) note_time(one, first_ns, last_ns);
  one.total = count;
}

std::vector<Loss> LossAccount::take(std::uint64_t now_ns) {
  std::vector<Loss> fresh;
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    Kind& kind = kinds_[i];
    std::uint64_t sum = kind.added + kind.total;
    if (sum > kind.told) {
      std::uint64_t last_ns = kind.last_ns ? std::min(kind.last_ns, now_ns) : now_ns;
      std::uint64_t first_ns = kind.first_ns ? kind.first_ns : taken_ns_;
      fresh.push_back({last_ns, static_cast<LossKind>(i), sum - kind.told, last_ns - std::min(first_ns, last_ns)});
      kind.told = sum;
    }
    kind.first_ns = kind.last_ns = 0;
  }
  taken_ns_ = now_ns;
  return fresh;
}

}  // namespace dwell
