// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/open_files.h"

namespace dwell {
namespace {

constexpr std::uint64_t kFewestMore = 5;   // over all looks
constexpr std::uint64_t kClosedPart = 20;  // one of so many may be closed

}  // namespace

GoOpenFiles open_files_since(const GoFileSet& first, std::uint64_t between, const GoFileSet& last,
                             std::uint64_t since_ns) {
  GoOpenFiles files{
      .count = last.size(), .count_before = first.size(), .count_between = between, .since_ns = since_ns};
  for (const auto& [address, descriptor] : first) {
    auto now = last.find(address);
    files.closed += now == last.end() || now->second != descriptor;
  }
  return files;
}

bool files_seem_to_grow(const GoOpenFiles& files) {
  return files.since_ns && files.count >= kManyOpenFiles && files.count > files.count_before;
}

bool files_grow(const GoOpenFiles& files) {
  return files_seem_to_grow(files) && files.count_between > files.count_before &&
         files.count > files.count_between && files.count >= files.count_before + kFewestMore &&
         files.closed * kClosedPart <= files.count_before;
}

}  // namespace dwell
