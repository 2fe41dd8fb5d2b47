// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/process_liveness.h"

#include <algorithm>

#include "symbolizer/proc_maps.h"
#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/memory/windows/cut_words.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kFirstPause = kSecond / 2, kLongestReaderPause = 30 * kSecond;
constexpr std::uint64_t kShareOfReaderTime = 100;  // finding it may take a hundredth of the time

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
  pause_ns_ = std::max(kShareOfReaderTime * took_ns, std::clamp(2 * pause_ns_, kFirstPause, kLongestReaderPause));
}

void WordsAlone::look(std::span<const Question> questions, std::span<Look> looks) {
  std::vector<MemoryPiece> pieces;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    std::uint64_t size = std::clamp<std::uint64_t>(questions[i].size & ~std::uint64_t{7}, 8, sizeof(Words));
    pieces.push_back({questions[i].address, size, reinterpret_cast<char*>(looks[i].words.data())});
  }
  memory_.read_pieces(pieces);
  for (std::size_t i = 0; i < questions.size(); ++i)
    looks[i] = {pieces[i].read ? BlockState::kLive : BlockState::kFree, cut_words(looks[i].words, questions[i].size)};
}

LivenessReader* ProcessLiveness::reader_of(Allocator allocator) {
  if (allocator == Allocator::kGlibc) {
    glibc_wanted_ = true;
    return glibc_.get();
  }
  if (allocator == Allocator::kJemalloc) {
    jemalloc_wanted_ = true;
    if (jemalloc_) return jemalloc_.get();
  }
  if (!walked_) return nullptr;
  needs_walks_ = true;
  return &words_alone_;
}

// What no reader can tell stays unknown.
void ProcessLiveness::look(std::span<const Question> questions, std::span<Look> looks) {
  std::vector<Question> asked;
  std::vector<Look> answers;
  std::vector<std::size_t> whose;
  for (Allocator allocator : {Allocator::kOther, Allocator::kGlibc, Allocator::kJemalloc}) {
    asked.clear(), whose.clear();
    for (std::size_t i = 0; i < questions.size(); ++i)
      if (questions[i].allocator == allocator) asked.push_back(questions[i]), whose.push_back(i);
    LivenessReader* reader = asked.empty() ? nullptr : reader_of(allocator);
    if (!reader) continue;
    answers.assign(asked.size(), {});
    reader->look(asked, answers);
    for (std::size_t n = 0; n < whose.size(); ++n) looks[whose[n]] = answers[n];
  }
}

}  // namespace dwell::memory::windows
