// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/semaphores.h"

#include <array>
#include <deque>

namespace dwell {
namespace {

constexpr std::size_t kMostSemaphores = 200'000;

}  // namespace

// Who waits for semaphores hangs on a table of trees, by address; those who wait for one hang on its node.
SemaphoreWaiters read_semaphore_waiters(const GoRuntime& runtime,
                                        const absl::flat_hash_set<std::uint64_t>* wanted) {
  SemaphoreWaiters waiters;
  const GoLayout& layout = runtime.layout();
  std::uint64_t table = 0;
  for (const CodeReference& reference : runtime.references("runtime.semacquire1")) {
    if (!table && reference.is_address && runtime.module().bss.contains(reference.target))
      table = reference.target;
  }
  constexpr std::size_t kRoots = 251, kRootSize = 64;
  std::string roots = table ? runtime.memory().text(table, kRoots * kRootSize, kRoots * kRootSize) : "";
  // Breadth first: who has waited longest for each comes before those behind.
  std::deque<std::uint64_t> open;
  for (std::size_t i = 0; i < kRoots && !roots.empty(); ++i) {
    if (std::uint64_t tree = field_of<std::uint64_t>(roots, i * kRootSize + 8)) open.push_back(tree);
  }
  absl::flat_hash_set<std::uint64_t> seen;
  std::size_t missing = wanted ? wanted->size() : 1;
  while (!open.empty() && missing && seen.size() < kMostSemaphores) {
    std::uint64_t sudog = open.front();
    open.pop_front();
    std::array<char, kSudogSize> bytes{};
    if (!seen.insert(sudog).second || !runtime.memory().read(sudog, bytes.data(), bytes.size())) continue;
    std::string_view view(bytes.data(), bytes.size());
    std::uint64_t goroutine = field_of<std::uint64_t>(view, 0);
    waiters.semaphore_of[goroutine] = field_of<std::uint64_t>(view, layout.sudog_element);
    missing -= wanted && wanted->contains(goroutine) ? 1 : 0;
    waiters.sudogs.push_back(sudog);
    for (std::size_t link : {std::size_t{8}, std::size_t{16}, std::size_t{layout.sudog_next_case}}) {
      if (std::uint64_t next = field_of<std::uint64_t>(view, link)) open.push_back(next);
    }
  }
  return waiters;
}

}  // namespace dwell
