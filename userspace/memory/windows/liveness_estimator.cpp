// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/liveness_estimator.h"

#include <algorithm>
#include <utility>

#include "userspace/base/time_units.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kFirstLook = 2 * kMillisecond, kSettleLook = 8 * kMillisecond, kLastDoubling = 64 * kMillisecond;
constexpr std::uint64_t kLongestPause = 1'000 * kMillisecond, kShortestPause = 100 * kMillisecond;
constexpr std::uint64_t kWatchedAge = 100 * kMillisecond;
constexpr std::size_t kMostDead = 1 << 16;  // whose contents are kept, to compare them with what comes to their places
constexpr std::size_t kMostWatched = 200, kMostRenewed = 20;  // in a window; slots of a site
constexpr std::uint64_t kOldOfASite = 200;  // that are looked at as often as their age asks for: of more, each more rarely

std::uint8_t changes(const Words& a, const Words& b) {
  std::uint8_t bits = 0;
  for (std::size_t i = 0; i < kWords; ++i) bits |= static_cast<std::uint8_t>((a[i] != b[i]) << i);
  return bits;
}

}  // namespace

LivenessEstimator::Site& LivenessEstimator::site(std::uint32_t index) {
  if (sites_.size() <= index) sites_.resize(index + 1);
  return sites_[index];
}

void LivenessEstimator::ask(LookBatch& batch, std::uint32_t who, std::uint64_t address, std::uint64_t size, std::uint32_t site) const {
  batch.questions.push_back({address, size, sites_[site].allocator});
  batch.who.push_back(who);
}

// ---- samples ----

std::uint32_t LivenessEstimator::add(const WindowEvent& event, std::uint32_t window) {
  std::uint32_t id;
  if (free_.empty()) {
    id = static_cast<std::uint32_t>(samples_.size());
    samples_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
    samples_[id] = {};
  }
  Sample& sample = samples_[id];
  sample.address = event.address;
  sample.size = event.size;
  sample.birth_ns = event.time_ns;
  sample.site = event.site;
  sample.window = window;
  sample.at_ns = event.at_ns;
  sample.place = static_cast<std::uint32_t>(live_.size());
  live_.push_back(id);
  at_[event.address] = id;
  Site& of = site(event.site);
  ++of.met;
  ++of.live;
  of.allocator = event.allocator;
  of.sizes.add(event.size);
  return id;
}

void LivenessEstimator::remove(std::uint32_t id) {
  Sample& sample = samples_[id];
  live_[sample.place] = live_.back();
  samples_[live_.back()].place = sample.place;
  live_.pop_back();
  if (auto here = at_.find(sample.address); here != at_.end() && here->second == id) at_.erase(here);
  --site(sample.site).live;
  sample.address = 0;
  free_.push_back(id);
}

void LivenessEstimator::remember_slot(const Sample& sample) {
  std::vector<Slot>& slots = site(sample.site).renewed;
  auto same = std::find_if(slots.begin(), slots.end(), [&](const Slot& slot) { return slot.address == sample.address; });
  if (same == slots.end() && slots.size() < kMostRenewed) slots.push_back({sample.address, sample.size, sample.site});
}

void LivenessEstimator::dead(std::uint32_t id, std::uint64_t now_ns) {
  Sample& sample = samples_[id];
  if (sample.window == windows_.size() && open_ns_)
    ended_.push_back({sample.site, sample.birth_ns, sample.at_ns, now_ns});
  else
    site(sample.site).survival.watched(now_ns - std::min(now_ns, sample.close_ns), true);
  remember_slot(sample);
  if (sample.has_close && dead_at_.size() < kMostDead) dead_at_[sample.address] = {sample.site, sample.last};
  remove(id);
}

void LivenessEstimator::queue(std::uint32_t id, std::uint64_t now_ns) {
  Sample& sample = samples_[id];
  std::uint64_t since = kFirstLook << std::min<std::uint32_t>(sample.looks, 6);
  std::uint64_t when = sample.close_ns + since;
  if (since > kLastDoubling || when <= now_ns) {
    std::uint64_t age = now_ns - std::min(now_ns, sample.birth_ns);
    std::uint64_t pause = std::clamp(age / 20, kShortestPause, kLongestPause);
    if (age > kLongestPause) pause = pause * std::max<std::uint64_t>(1, site(sample.site).live / kOldOfASite);
    when = since > kLastDoubling ? now_ns + pause : now_ns + std::min(pause, kFirstLook);
  }
  sample.due_ns = when;  // what else waits for it in the queue is void
  due_.emplace(when, id);
}

void LivenessEstimator::look_at(Sample& sample, const Look& look, std::uint64_t now_ns) {
  if (!sample.has_close) {  // a known block: identity begins here
    sample.close = look.words;
    sample.has_close = true;
    sample.close_ns = std::max(sample.close_ns, now_ns - std::min(now_ns, kSettleLook));
  }
  sample.changed |= changes(sample.close, look.words);
  if (!sample.has_settle && now_ns >= sample.close_ns + kSettleLook) {
    sample.has_settle = true;
    sample.settle = look.words;
    sample.changed_by_settling = sample.changed;
    site(sample.site).words.settled(sample.close, look.words);
  }
  if (sample.has_settle) sample.changed_since_settling |= changes(sample.settle, look.words);
  sample.last = look.words;
}

// ---- a window ----

LookBatch LivenessEstimator::open_window(std::uint64_t open_ns, Why why) {
  open_ns_ = open_ns;
  why_ = why;
  own_.clear();
  ended_.clear();
  watches_.clear();
  watch_at_.clear();
  watch_some(open_ns);
  LookBatch batch;
  for (std::uint32_t i = 0; i < watches_.size(); ++i) ask(batch, i, watches_[i].address, watches_[i].size, watches_[i].site);
  return batch;
}

void LivenessEstimator::watch_some(std::uint64_t open_ns) {
  std::size_t step = std::max<std::size_t>(1, live_.size() / kMostWatched);
  for (std::size_t i = next_watched_++ % step; i < live_.size() && watches_.size() < kMostWatched; i += step) {
    const Sample& sample = samples_[live_[i]];
    std::uint64_t age = open_ns - std::min(open_ns, sample.birth_ns);
    if (age < kWatchedAge || !sample.has_settle) continue;
    Watch watch;
    watch.id = live_[i];
    watch.last = sample.last;
    watch.address = sample.address;
    watch.site = sample.site;
    watch.age_ns = age;
    watch.size = sample.size;
    watches_.push_back(watch);
  }
  for (std::uint32_t index = 0; index < sites_.size() && watches_.size() < 3 * kMostWatched; ++index) {
    for (const Slot& slot : sites_[index].renewed) {
      if (at_.contains(slot.address)) continue;  // a sample of its own by now
      Watch watch;
      watch.renewed = true;
      watch.address = slot.address;
      watch.site = index;
      watch.size = slot.size;
      watches_.push_back(watch);
    }
  }
  for (std::uint32_t i = 0; i < watches_.size(); ++i) watch_at_.emplace(watches_[i].address, i);
}

void LivenessEstimator::answer_open(const LookBatch& batch, std::uint64_t now_ns) {
  for (std::size_t i = 0; i < batch.who.size(); ++i) {
    Watch& watch = watches_[batch.who[i]];
    watch.at_open = batch.looks[i].state == BlockState::kLive;
    watch.open = batch.looks[i].words;
    if (watch.renewed) continue;
    Sample& sample = samples_[watch.id];
    if (sample.address != watch.address || batch.looks[i].state == BlockState::kUnknown) continue;
    if (watch.at_open)
      look_at(sample, batch.looks[i], now_ns);
    else
      dead(watch.id, now_ns);
  }
}

void LivenessEstimator::met(const WindowEvent& event) {
  if (auto watched = watch_at_.find(event.address); watched != watch_at_.end()) watches_[watched->second].returned = true;
  if (auto here = at_.find(event.address); here != at_.end()) dead(here->second, event.time_ns);
  if (event.gone) return;
  std::uint32_t id = add(event, static_cast<std::uint32_t>(windows_.size()));
  own_.push_back(id);
  Site& of = site(event.site);
  if (std::exchange(of.last_window, samples_[id].window) != samples_[id].window && why_ == Why::kChance) ++of.windows;
  if (auto before = dead_at_.find(event.address); before != dead_at_.end()) {
    samples_[id].before = before->second;
    dead_at_.erase(before);
  }
}

LookBatch LivenessEstimator::middle_of_window() {
  LookBatch batch;
  for (std::uint32_t id : own_)
    if (samples_[id].address && samples_[id].window == windows_.size()) ask(batch, id, samples_[id].address, samples_[id].size, samples_[id].site);
  return batch;
}

void LivenessEstimator::answer_middle(const LookBatch& batch, std::uint64_t now_ns) {
  for (std::size_t i = 0; i < batch.who.size(); ++i) {
    Sample& sample = samples_[batch.who[i]];
    if (sample.address != batch.questions[i].address) continue;
    if (batch.looks[i].state == BlockState::kFree) dead(batch.who[i], now_ns);
    if (batch.looks[i].state != BlockState::kLive) continue;
    sample.middle = batch.looks[i].words;
    sample.has_middle = true;
  }
}

// The first part of the batch is of this window's blocks, `who` of the rest lies behind all samples.
LookBatch LivenessEstimator::close_window() {
  LookBatch batch = middle_of_window();
  samples_at_close_ = static_cast<std::uint32_t>(samples_.size());
  for (std::uint32_t i = 0; i < watches_.size(); ++i)
    if (watches_[i].at_open)
      ask(batch, samples_at_close_ + i, watches_[i].address, watches_[i].size, watches_[i].site);
  return batch;
}

void LivenessEstimator::answer_close(const LookBatch& batch, std::uint64_t now_ns, const CountedTime& counted, bool whole) {
  for (std::size_t i = 0; i < batch.who.size() && batch.who[i] < samples_at_close_; ++i) {
    if (samples_[batch.who[i]].address == batch.questions[i].address) close_sample(batch.who[i], batch.looks[i], now_ns, counted);
  }
  for (std::uint32_t id : own_)  // met too late to be looked at
    if (const Sample& own = samples_[id]; own.address && own.window == windows_.size() && !own.has_close) remove(id);
  for (const Ended& one : ended_)
    if (one.at_ns <= counted.length_ns)
      site(one.site).survival.saw_in_own_window(one.end_ns - std::min(one.end_ns, one.birth_ns), counted.length_ns, true);
  close_watches(batch, now_ns - open_ns_, whole);
  std::size_t unknown = 0, own = 0;
  for (std::size_t i = 0; i < batch.who.size() && batch.who[i] < samples_at_close_; ++i, ++own) unknown += batch.looks[i].state == BlockState::kUnknown;
  bool counts = counted.length_ns > 0 && 2 * unknown <= own && why_ == Why::kChance;
  windows_.push_back({counts ? counted.stands_for_ns / static_cast<double>(counted.length_ns) : 0, why_});
  if (counts) stood_for_ns_ += counted.stands_for_ns;
  open_ns_ = 0;
}

// Hits outside of the counted time tell that addresses were given out again, and are no samples.
void LivenessEstimator::close_sample(std::uint32_t id, const Look& look, std::uint64_t now_ns, const CountedTime& counted) {
  Sample& sample = samples_[id];
  if (look.state == BlockState::kFree) return dead(id, now_ns);
  if (look.state == BlockState::kUnknown || sample.at_ns > counted.length_ns) return remove(id);
  Site& of = site(sample.site);
  if (sample.before) site(sample.before->site).words.saw_reuse(sample.before->words, look.words);
  if (sample.has_middle) of.words.saw_in_own_window(sample.middle, look.words);
  sample.close_ns = now_ns;
  of.words.closed(look.words);
  look_at(sample, look, now_ns);
  of.survival.saw_in_own_window(now_ns - sample.birth_ns, counted.length_ns, false);
  sample.window = static_cast<std::uint32_t>(windows_.size());
  queue(id, now_ns);
}

void LivenessEstimator::close_watches(const LookBatch& batch, std::uint64_t length_ns, bool whole) {
  std::uint64_t now_ns = open_ns_ + length_ns;
  for (std::size_t i = 0; i < batch.who.size(); ++i) {
    if (batch.who[i] < samples_at_close_) continue;
    const Watch& watch = watches_[batch.who[i] - samples_at_close_];
    const Look& look = batch.looks[i];
    if (look.state == BlockState::kUnknown) continue;
    bool died = watch.returned || look.state == BlockState::kFree;
    Site& of = site(watch.site);
    if (!whole && (watch.renewed || !died)) continue;
    if (watch.renewed) {
      of.survival.saw_renewed(length_ns, died);
      continue;
    }
    if (whole) of.survival.saw_in_later_window(open_ns_ - std::min(open_ns_, start_ns_), watch.age_ns, length_ns, died);
    Sample& sample = samples_[watch.id];
    if (sample.address != watch.address) continue;
    if (died) {
      dead(watch.id, now_ns);
    } else {
      of.words.saw_in_later_window(watch.last, watch.open, look.words);
      look_at(sample, look, now_ns);
    }
  }
}

// ---- between windows ----

std::optional<std::uint64_t> LivenessEstimator::next_look_ns() const {
  return due_.empty() ? std::nullopt : std::optional(due_.top().first);
}

LookBatch LivenessEstimator::due(std::uint64_t now_ns, std::size_t at_most) {
  LookBatch batch;
  while (!due_.empty() && due_.top().first <= now_ns && batch.who.size() < at_most) {
    auto [when, id] = due_.top();
    due_.pop();
    const Sample& sample = samples_[id];
    if (sample.address && sample.due_ns == when) ask(batch, id, sample.address, sample.size, sample.site);
  }
  return batch;
}

void LivenessEstimator::answer(const LookBatch& batch, std::uint64_t now_ns) {
  for (std::size_t i = 0; i < batch.who.size(); ++i) {
    std::uint32_t id = batch.who[i];
    Sample& sample = samples_[id];
    if (sample.address != batch.questions[i].address) continue;
    if (batch.looks[i].state == BlockState::kFree) {
      dead(id, now_ns);
      continue;
    }
    if (batch.looks[i].state == BlockState::kLive) look_at(sample, batch.looks[i], now_ns);
    ++sample.looks;
    queue(id, now_ns);
  }
}

LookBatch LivenessEstimator::all() {
  LookBatch batch;
  for (std::uint32_t id : live_) ask(batch, id, samples_[id].address, samples_[id].size, samples_[id].site);
  return batch;
}

void LivenessEstimator::answer_walk(const LookBatch& batch, std::uint64_t began_ns) {
  for (std::size_t i = 0; i < batch.who.size(); ++i) {
    const Sample& sample = samples_[batch.who[i]];
    bool same = sample.address == batch.questions[i].address && sample.birth_ns < began_ns;
    if (same && batch.looks[i].state == BlockState::kFree) dead(batch.who[i], began_ns);
  }
}

void LivenessEstimator::add_known(const WindowEvent& event, double weight) {
  if (auto here = at_.find(event.address); here != at_.end()) remove(here->second);
  std::uint32_t id = add(event, kKnown);
  samples_[id].weight = weight;
  samples_[id].close_ns = event.time_ns;
  queue(id, event.time_ns);
}

}  // namespace dwell::memory::windows
