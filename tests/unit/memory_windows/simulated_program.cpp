// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/memory_windows/simulated_program.h"

namespace dwell::memory::windows {
namespace {

std::uint64_t drawn(std::mt19937_64& random, double mean) {
  return static_cast<std::uint64_t>(std::exponential_distribution<double>(1 / mean)(random)) + 1;
}

}  // namespace

SimulatedProgram::SimulatedProgram(std::vector<SimulatedSite> sites, std::uint64_t seed) : sites_(std::move(sites)), random_(seed) {
  for (std::uint32_t site = 0; site < sites_.size(); ++site) plan_next(site);
}

void SimulatedProgram::plan_next(std::uint32_t site) {
  const SimulatedSite& of = sites_[site];
  // A burst of 100 ms each five seconds, of all that the site allocates.
  std::uint64_t when = now_ns_ + drawn(random_, 1e9 / of.per_second / (of.fate == Fate::kBurst ? 50 : 1));
  constexpr std::uint64_t kEvery = 5'000'000'000, kLasts = 100'000'000;
  if (of.fate == Fate::kBurst && when % kEvery > kLasts) when = (when / kEvery + 1) * kEvery;
  steps_.push({when, false, site, 0, 0});
}

void SimulatedProgram::allocate(std::uint32_t site, const Allocated& allocated) {
  const SimulatedSite& of = sites_[site];
  std::vector<std::uint64_t>& free = free_[of.size];
  if (of.fate == Fate::kCache) {
    std::vector<std::uint64_t>& entries = caches_[site];
    if (entries.size() >= of.mean_ns) {
      std::size_t victim = random_() % entries.size();
      release(entries[victim]);
      entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(victim));
    }
  }
  std::uint64_t address = top_;
  if (free.empty()) {
    top_ += of.size + 16;
  } else {
    address = free.back();
    free.pop_back();
  }
  slots_[address] = {++owners_, now_ns_, of.size, site, true};
  if (of.fate == Fate::kCache) caches_[site].push_back(address);
  if (of.fate == Fate::kTemporary || of.fate == Fate::kSession)
    steps_.push({now_ns_ + drawn(random_, of.mean_ns), true, site, address, owners_});
  allocated(now_ns_, address, of.size, site);
}

void SimulatedProgram::release(std::uint64_t address) {
  Slot& slot = slots_[address];
  slot.live = false;
  free_[slot.size].push_back(address);
}

void SimulatedProgram::run_until(std::uint64_t time_ns, const Allocated& allocated) {
  while (!steps_.empty() && steps_.top().time_ns <= time_ns) {
    Step step = steps_.top();
    steps_.pop();
    now_ns_ = step.time_ns;
    if (step.free) {
      if (slots_[step.address].owner == step.owner) release(step.address);
      continue;
    }
    allocate(step.site, allocated);
    plan_next(step.site);
  }
  now_ns_ = time_ns;
}

Words SimulatedProgram::words_of(std::uint64_t address, const Slot& slot) const {
  Content content = sites_[slot.site].content;
  std::uint64_t own = content == Content::kConstant ? 7 : content == Content::kOfItsPlace ? address : slot.owner;
  std::uint64_t counter = content == Content::kMutating ? now_ns_ / 2'000'000 : 1;
  return {kTypes + slot.site * 64, own, counter};
}

void SimulatedProgram::look(std::span<const Question> questions, std::span<Look> looks) {
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Slot& slot = slots_[questions[i].address];
    looks[i] = {slot.live ? BlockState::kLive : BlockState::kFree, words_of(questions[i].address, slot)};
  }
}

std::vector<CensusBlock> SimulatedProgram::walk() const {
  std::vector<CensusBlock> blocks;
  for (const auto& [address, slot] : slots_)
    if (slot.live) blocks.push_back({address, slot.size, 0, words_of(address, slot)});
  return blocks;
}

double SimulatedProgram::live_bytes(std::uint32_t site, std::uint64_t born_before_ns, std::uint64_t born_after_ns) const {
  double sum = 0;
  for (const auto& [address, slot] : slots_)
    if (slot.live && slot.site == site && slot.birth_ns <= born_before_ns && slot.birth_ns > born_after_ns) sum += static_cast<double>(slot.size);
  return sum;
}

}  // namespace dwell::memory::windows
