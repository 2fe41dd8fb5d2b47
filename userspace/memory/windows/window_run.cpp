// SPDX-License-Identifier: Apache-2.0
// One window of a process, from attaching to closing, and the looks between windows.
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <numeric>

#include "userspace/base/clock.h"
#include "userspace/memory/windows/driven_process.h"
#include "userspace/process/process.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kSliceNs = 500'000;  // of waiting: a window that has met its limit is closed at once
constexpr std::uint64_t kFewestWindowHits = 64, kMostWindowHits = DWELL_WINDOW_BLOCKS / 2;
constexpr std::uint64_t kOfExpected = 6;  // times the hits that a window is expected to have, it may have
constexpr std::uint64_t kMostFailures = 20;
constexpr std::size_t kEnoughCalls = 20;  // to measure what the probes cost one
constexpr double kUndisturbed = 0.95;     // of calls
constexpr double kWithColdCaches = 1.1;
constexpr double kFreshCost = 0.3;        // weight of the latest window in that
constexpr std::uint64_t kLongestStretch = 6;  // of a window, by what probes cost
constexpr std::uint64_t kLongestGrowthWindowNs = 6'000'000;  // where nothing happens
constexpr std::uint64_t kGrowthWindowNs = 1'500'000;  // at least: what bursts may be one part of what a program does each millisecond
constexpr std::size_t kLooksAtOnce = 1000;
constexpr std::size_t kLooksWithProbes = 64;  // between two glances at whether the window has met its limit
constexpr int kRoundsOfLooks = 8;  // in one step

}  // namespace

void DrivenProcess::window(Why why) {
  std::vector<ProbeSite> sites;
  placed_.clear();
  places_ = 0;
  allocators_.clear();
  breakpoints_.clear();
  {
    std::lock_guard lock(mutex_);
    for (const DrivenSite& site : sites_) {
      if (site.in_windows && !kept_.contains(site.probe)) {
        sites.push_back(site.site);
        placed_.emplace(site.probe, 0);
        places_ += 1 + site.site.exits.size();
      }
      allocators_[site.probe] = site.allocator == Allocator::kMain ? main_ : site.allocator;
      if (site.trap != TrapClass::kNop5) breakpoints_.insert(site.probe);
    }
  }
  auto links = std::make_unique<ProbeLinks>(parts_.settings.method, parts_.settings.programs, pid_);
  if (why == Why::kChance && !sites.empty()) random_start_.wait(*links);
  watch_kept();
  std::uint64_t most = kOfExpected * policy_.plan().hits;
  if (why == Why::kGrowth) most = allowed_hits(kMostWindowHits, most_debt_ns());
  parts_.kernel.begin_window(kernel_slot_, std::clamp(most, kFewestWindowHits, kMostWindowHits));
  Result<std::vector<AttachedSite>> attached = links->attach(sites);
  if (why == Why::kChance) due_->taken();
  std::optional<WindowFacts> facts;
  if (attached) facts = wait_through(why, *links);
  parts_.kernel.set_level(kernel_slot_, DWELL_LEVEL_CLOSED);
  std::uint64_t seen_ns = facts && why == Why::kChance ? facts->length_ns : 0;
  if (facts) {
    if (why == Why::kChance) keep(std::move(*facts));  // others are no sample of what is allocated
    failed_windows_ = 0;
  } else if (++failed_windows_ == kMostFailures) {
    add_note(attached.error().what);
  }
  links.reset();  // here, where nothing holds it up: the process would go on running into them
  double toggles_ns = static_cast<double>(places_) * place_ns();
  cost_ns_ += toggles_ns;
  parts_.prices.add_toggles(toggles_ns);
  if (seen_ns) keep_in_place(seen_ns);
  hits_before_ = parts_.kernel.hits(kernel_slot_);
  while (due_->next_ns() <= monotonic_ns()) due_->taken();  // fell due meanwhile: it would come late, and not at random
}

// What stays in place between windows is worth it as long as it is hardly hit.
void DrivenProcess::watch_kept() {
  std::uint64_t hits = parts_.kernel.hits(kernel_slot_), before = std::exchange(hits_before_, hits);
  std::lock_guard lock(mutex_);
  if (!kept_.worth(hits - before, parts_.prices.per_hit())) forget_kept();
}

// Of many processes nobody looks often enough at what it costs them.
void DrivenProcess::keep_in_place(std::uint64_t length_ns) {
  if (!watches_growth_) return;
  for (const dwell_window_block& event : events_)
    if (auto placed = placed_.find(event.probe); placed != placed_.end()) ++placed->second;
  std::lock_guard lock(mutex_);
  if (ended_) return;
  std::vector<std::uint16_t> rare = kept_.window_over(length_ns, policy_.plan().interval_ns, placed_, place_ns(), parts_.prices.per_hit());
  std::vector<ProbeSite> sites;
  for (const DrivenSite& site : sites_)
    if (std::ranges::find(rare, site.probe) != rare.end()) sites.push_back(site.site);
  if (sites.empty()) return;
  if (!kept_links_) kept_links_ = std::make_unique<ProbeLinks>(parts_.settings.method, parts_.settings.programs, pid_);
  Result<std::vector<AttachedSite>> attached = kept_links_->try_attach(sites);
  if (!attached || std::ranges::any_of(*attached, [](const AttachedSite& site) { return site.candidate < 0; })) forget_kept();
}

void DrivenProcess::forget_kept() {
  kept_.clear();
  kept_links_.reset();
}

// Beyond its limit nothing is seen any more, but the process goes on running into the probes: they go at once, whatever is still to
// be asked.
bool DrivenProcess::met_limit(ProbeLinks& links) {
  if (!parts_.kernel.cut_ns(kernel_slot_)) return false;
  parts_.kernel.set_level(kernel_slot_, DWELL_LEVEL_CLOSED);
  links.detach();
  return true;
}

// Counted is what is given out while we sleep: looks take a CPU that the process may need. So the blocks of earlier windows
// are looked at first, and the window's own behind it.
WindowFacts DrivenProcess::wait_through(Why why, ProbeLinks& links) {
  WindowPlan plan = policy_.plan();
  if (why == Why::kGrowth) plan.length_ns = std::max(plan.length_ns, kGrowthWindowNs);
  events_.clear();
  at_.clear();
  log_read_ = 0;
  std::lock_guard lock(estimator_mutex_);
  LookBatch older = estimator_->open_window(monotonic_ns(), why);
  ask(older, &links);
  estimator_->answer_open(older, monotonic_ns());
  bool measured = times_ && why == Why::kChance;
  if (measured) work_.opened(monotonic_ns(), times_->read());
  WindowFacts facts{slot_, monotonic_ns(), plan.length_ns, plan.interval_ns, false, {}};
  Backlog backlog(facts.start_ns, cost_of_a_call_ns_);
  facts.length_ns = wait_for_work(facts.start_ns, plan.length_ns, backlog);
  // In a burst, too, a program sleeps between its tasks: to wait for the next one costs nothing.
  while (why == Why::kGrowth && events_.empty() && !parts_.kernel.cut_ns(kernel_slot_) && facts.length_ns < kLongestGrowthWindowNs)
    facts.length_ns = wait_for_work(facts.start_ns, facts.length_ns + plan.length_ns, backlog);
  met_limit(links);
  if (measured) work_.ended(monotonic_ns(), times_->read());
  std::uint64_t ended_ns = monotonic_ns();
  read_log(false, backlog);
  LookBatch middle = estimator_->middle_of_window();
  ask(middle, &links);
  estimator_->answer_middle(middle, monotonic_ns());
  read_log(true, backlog);
  LookBatch all = estimator_->close_window();
  met_limit(links);
  ask(all);
  // What was given out again before that look is not what it saw.
  read_log(true, backlog);
  std::uint64_t cut = parts_.kernel.cut_ns(kernel_slot_);
  facts.cut = cut != 0 && cut < ended_ns;
  bool tells = main_ != Allocator::kOther || walked_;
  CountedTime counted{tells ? facts.length_ns : 0, static_cast<double>(facts.interval_ns)};
  estimator_->answer_close(all, monotonic_ns(), counted, cut == 0 && parts_.kernel.dropped() == 0);
  measure_work(facts, ended_ns, backlog, why);
  return facts;
}

// Until each thread did what it would have done in `length_ns` without probes. Returns how much of that was seen: the limit of
// hits may have been met, or it takes too long.
std::uint64_t DrivenProcess::wait_for_work(std::uint64_t start_ns, std::uint64_t length_ns, Backlog& backlog) {
  std::uint64_t latest_ns = start_ns + kLongestStretch * length_ns;
  for (std::uint64_t end_ns = start_ns + length_ns;;) {
    wait_until(end_ns);
    read_log(false, backlog);
    std::uint64_t cut_ns = parts_.kernel.cut_ns(kernel_slot_), now_ns = cut_ns ? cut_ns : monotonic_ns();
    auto behind_ns = static_cast<std::uint64_t>(backlog.most_behind_ns());
    end_ns = start_ns + length_ns + behind_ns;
    if (now_ns >= end_ns) return length_ns;
    if (cut_ns || now_ns >= latest_ns) return now_ns - std::min(now_ns, start_ns + behind_ns);
    end_ns = std::min(end_ns, latest_ns);
  }
}

// What the probes cost a call: our programs, and the traps at its entry and at its end. What lies between the programs is half of
// both traps and the call itself, which is short mostly: so the traps are twice the median of that, and what a breakpoint was found to
// take beyond it on calls of our own. And traps leave caches cold: a program that counts its own work was seen to need so much more for it.
void DrivenProcess::measure_cost_of_a_call() {
  std::vector<std::uint32_t> between, programs;
  double uneven = 0;
  for (const dwell_window_block& event : events_) {
    if (event.event != DWELL_WINDOW_ALLOC) continue;
    between.push_back(event.between_ns);
    programs.push_back(event.program_ns);
    if (breakpoints_.contains(event.probe)) uneven += parts_.prices.uneven();
  }
  // A program that another thread came in between, ours above all, seems to have run for milliseconds.
  std::ranges::sort(programs);
  programs.resize(static_cast<std::size_t>(kUndisturbed * static_cast<double>(programs.size())));
  double program_ns = std::accumulate(programs.begin(), programs.end(), 0.0) / static_cast<double>(std::max<std::size_t>(programs.size(), 1));
  constexpr std::uint64_t kRunsOfACall = 2;
  parts_.prices.add_runs({kRunsOfACall * between.size(), static_cast<std::uint64_t>(program_ns * static_cast<double>(between.size()))});
  if (between.size() < kEnoughCalls) return;
  auto middle = between.begin() + static_cast<std::ptrdiff_t>(between.size() / 2);
  std::nth_element(between.begin(), middle, between.end());
  double cost = kWithColdCaches * (2.0 * *middle + program_ns + uneven / static_cast<double>(between.size()));
  cost_of_a_call_ns_ += kFreshCost * (cost - cost_of_a_call_ns_);
}

void DrivenProcess::measure_work(const WindowFacts& facts, std::uint64_t ended_ns, const Backlog& backlog, Why why) {
  measure_cost_of_a_call();
  bool counts = why == Why::kChance;
  for (const dwell_window_block& event : events_)
    if (event.event == DWELL_WINDOW_ALLOC)
      work_.allocated(event.tid, cost_of_a_call_ns_, counts && event.time_ns >= facts.start_ns && event.time_ns < ended_ns);
  if (counts && !facts.cut) work_.count(facts.length_ns, backlog);
  std::lock_guard lock(mutex_);
  own_ = work_.sum();
}

// Until then, or until the window has met its limit.
void DrivenProcess::wait_until(std::uint64_t time_ns) const {
  for (std::uint64_t now_ns = monotonic_ns(); now_ns < time_ns && !parts_.kernel.cut_ns(kernel_slot_); now_ns = monotonic_ns()) {
    std::uint64_t until = std::min(time_ns, now_ns + kSliceNs);
    timespec when{static_cast<time_t>(until / 1'000'000'000), static_cast<long>(until % 1'000'000'000)};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
  }
}

void DrivenProcess::read_log(bool to_the_end, Backlog& backlog) {
  parts_.kernel.read_log(log_read_, to_the_end, [&](const dwell_window_block& event) {
    if (event.slot != kernel_slot_) return;
    events_.push_back(event);
    bool gone = event.event == DWELL_WINDOW_GONE;
    at_.push_back(gone ? Backlog::kBefore : backlog.add(event.tid, event.time_ns, event.sleeps));
    auto allocator = allocators_.find(event.probe);
    if (allocator == allocators_.end()) return;
    std::uint32_t site = gone ? 0 : site_of({event.stack, event.probe});
    estimator_->met({event.time_ns, event.address, event.size, site, gone, allocator->second, at_.back()});
  });
}

std::uint32_t DrivenProcess::site_of(const SiteKey& key) {
  auto [known, fresh] = index_of_.try_emplace(key, static_cast<std::uint32_t>(keys_.size()));
  if (fresh) keys_.push_back(key);
  return known->second;
}

// What the window saw, for the recording.
void DrivenProcess::keep(WindowFacts facts) {
  if (facts.length_ns == 0) return;
  std::uint64_t allocations = 0;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (at_[i] > facts.length_ns) continue;
    ++allocations;
    SiteKey key{events_[i].stack, events_[i].probe};
    auto site = std::find_if(facts.sites.begin(), facts.sites.end(), [&](const SiteCount& count) { return count.site == key; });
    if (site == facts.sites.end()) site = facts.sites.insert(facts.sites.end(), {key, 0, 0});
    ++site->blocks;
    site->bytes += events_[i].size;
  }
  std::lock_guard lock(mutex_);
  policy_.saw_window(facts.start_ns + facts.length_ns, facts.length_ns, allocations);
  covered_ns_ += static_cast<double>(facts.length_ns);
  windows_taken_.push_back(std::move(facts));
}

// ---- looks ----

void DrivenProcess::ask(LookBatch& batch, ProbeLinks* in_place) {
  std::size_t all = batch.questions.size(), at_once = in_place ? kLooksWithProbes : std::max<std::size_t>(all, 1);
  batch.looks.assign(all, Look{});
  for (std::size_t i = 0; i < all && !(in_place && met_limit(*in_place)); i += at_once) {
    std::size_t count = std::min(at_once, all - i);
    liveness_.look(std::span(batch.questions).subspan(i, count), std::span(batch.looks).subspan(i, count));
  }
  // The memory of a process that has ended cannot be read: its blocks lived until then.
  bool any_free = std::ranges::any_of(batch.looks, [](const Look& look) { return look.state == BlockState::kFree; });
  if (any_free && process_has_ended(pid_))
    for (Look& look : batch.looks) look.state = BlockState::kUnknown;
}

void DrivenProcess::look(std::uint64_t now_ns) {
  liveness_.refresh(now_ns);
  std::lock_guard lock(estimator_mutex_);
  for (int round = 0; round < kRoundsOfLooks; ++round) {
    LookBatch batch = estimator_->due(now_ns, kLooksAtOnce);
    if (batch.who.empty()) return;
    ask(batch);
    estimator_->answer(batch, monotonic_ns());
    now_ns = monotonic_ns();
    if (due_ && due_->next_ns() <= now_ns) return;
  }
}

// Walks tell of blocks of which no reader does.
void DrivenProcess::survey(std::uint64_t now_ns) {
  std::lock_guard lock(estimator_mutex_);
  walked_ = survey_.works();
  liveness_.set_walked(walked_);
  if (std::optional<HeapSurvey::Found> found = survey_.found()) estimator_->answer_walk(found->blocks, found->began_ns);
  if (liveness_.needs_walks() && survey_.is_due(now_ns)) survey_.look_for(estimator_->all(), now_ns);
}

void DrivenProcess::stop() {
  {
    std::lock_guard lock(mutex_);
    links_->detach();
    forget_kept();
    if (ended_) return;
  }
  std::lock_guard lock(estimator_mutex_);
  LookBatch all = estimator_->all();
  ask(all);
  estimator_->answer(all, monotonic_ns());
  if (policy_.level() != Level::kWindows) return;
  LookBatch watched = estimator_->all();
  std::uint64_t began_ns = monotonic_ns();
  count_ = survey_.finish(watched);
  walked_ = count_.has_value();
  if (!count_) return;
  estimator_->answer_walk(watched, began_ns);
  count_->shared_error = own_.error();  // no window follows
}

}  // namespace dwell::memory::windows
