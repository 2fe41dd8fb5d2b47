// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/process_liveness.h"

#include <algorithm>

#include "symbolizer/proc_maps.h"
#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kFirstPause = kSecond / 2, kLongestPause = 30 * kSecond;
constexpr std::uint64_t kShareOfTime = 100;  // finding it may take a hundredth of the time

}  // namespace

void ProcessLiveness::refresh(std::uint64_t now_ns) {
  bool missing = (glibc_wanted_ && !glibc_) || (jemalloc_wanted_ && !jemalloc_);
  if (now_ns - looked_ns_ < (missing ? std::min(pause_ns_, kFirstPause) : pause_ns_)) return;
  Result<std::vector<Mapping>> mappings = read_maps(memory_.pid());
  if (mappings && glibc_wanted_)
    if (auto found = GlibcLiveness::open(memory_, *mappings)) {
      if (glibc_) found->take_key(*glibc_);
      glibc_ = std::move(found);
    }
  if (mappings && jemalloc_wanted_)
    if (auto found = JemallocLiveness::open(memory_, *mappings)) jemalloc_ = std::move(found);
  looked_ns_ = now_ns;
  std::uint64_t took_ns = monotonic_ns() - now_ns;
  pause_ns_ = std::max(kShareOfTime * took_ns, std::clamp(2 * pause_ns_, kFirstPause, kLongestPause));
}

// What no reader can tell stays unknown.
void ProcessLiveness::look(std::span<const Question> questions, std::span<Look> looks) {
  std::vector<Question> asked;
  std::vector<Look> answers;
  std::vector<std::size_t> whose;
  for (Allocator allocator : {Allocator::kGlibc, Allocator::kJemalloc}) {
    asked.clear(), whose.clear();
    for (std::size_t i = 0; i < questions.size(); ++i)
      if (questions[i].allocator == allocator) asked.push_back(questions[i]), whose.push_back(i);
    if (asked.empty()) continue;
    bool glibc = allocator == Allocator::kGlibc;
    (glibc ? glibc_wanted_ : jemalloc_wanted_) = true;
    LivenessReader* reader = glibc ? static_cast<LivenessReader*>(glibc_.get()) : jemalloc_.get();
    if (!reader) continue;
    answers.resize(asked.size());
    reader->look(asked, answers);
    for (std::size_t n = 0; n < whose.size(); ++n) looks[whose[n]] = answers[n];
  }
}

}  // namespace dwell::memory::windows
