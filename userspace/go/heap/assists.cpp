// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/heap/assists.h"

#include <time.h>

#include <algorithm>
#include <map>
#include <random>

#include "userspace/base/clock.h"
#include "userspace/go/code/places.h"
#include "userspace/go/goroutines/reader.h"

namespace dwell {
namespace {

constexpr std::size_t kGlances = 20;
constexpr std::uint64_t kMostGlancingNs = 500'000'000;

}  // namespace

AssistGlances glance_at_assists(const GoRuntime& runtime) {
  AssistGlances assists;
  std::map<std::vector<std::uint64_t>, std::uint64_t> stacks;
  auto note = [&](const Goroutine& goroutine) {
    if (!waits(goroutine)) return;
    const std::string& reason = runtime.wait_reason(goroutine.wait_reason);
    if (reason == "GC assist marking")
      ++assists.marking;
    else if (reason == "GC assist wait")
      ++assists.waiting;
    else
      return;
    ++stacks[goroutine.pcs];
  };
  // A program that allocates in step with a clock should not be seen at the same point of its round each time.
  std::minstd_rand random(static_cast<unsigned>(monotonic_ns()));
  std::uniform_int_distribution<long> pause_ns(5'000'000, 25'000'000);
  std::uint64_t end = monotonic_ns() + kMostGlancingNs;
  for (; assists.glances < kGlances && monotonic_ns() < end; ++assists.glances) {
    if (!read_goroutines(runtime, note)) break;
    timespec pause{0, pause_ns(random)};
    ::nanosleep(&pause, nullptr);
  }
  std::map<std::string, std::uint64_t> places;
  for (const auto& [pcs, count] : stacks)
    if (std::string place = own_place_text(runtime.frames().calls(pcs)); !place.empty()) places[place] += count;
  assists.places.assign(places.begin(), places.end());
  std::ranges::stable_sort(assists.places, std::greater<>(), &std::pair<std::string, std::uint64_t>::second);
  return assists;
}

}  // namespace dwell
