// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/driven_process.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/memory/windows/hit_count.h"
#include "userspace/probes/toggle_price.h"
#include "userspace/process/process.h"

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kExactPollNs = 10 * kMillisecond;
constexpr std::uint64_t kIdleNs = 100 * kMillisecond;
constexpr int kSteps = 3;  // of attaching
constexpr int kFewTold = 2;  // processes; of many, the report tells
constexpr const char* kFromHereOn = "windows keep within the budget, and figures are estimates; --exact records everything";
constexpr std::uint64_t kTrialNs = 20 * kMillisecond, kTrialHits = 500;
constexpr std::uint64_t kMostTrialsNs = 1000 * kMillisecond;  // of all processes
constexpr double kTrialFewHits = 20, kClearlyMore = 2, kFewCpus = 0.2;
constexpr double kLeastWindowNs = 1000;
constexpr std::size_t kUnnamedSizes = 8;  // that are told one by one

}  // namespace

DrivenProcess::DrivenProcess(const DriverParts& parts, ProcessSlot slot, TargetSlot target, pid_t pid, std::uint64_t now_ns)
    : parts_(parts),
      slot_(slot),
      kernel_slot_(target),
      pid_(pid),
      links_(std::make_unique<ProbeLinks>(parts.settings.method, parts.settings.programs, pid)),
      policy_(now_ns),
      estimator_(std::make_unique<LivenessEstimator>(now_ns)),
      budget_(parts.settings.part->share, now_ns),
      random_start_(now_ns ^ static_cast<std::uint64_t>(pid)),
      liveness_(pid),
      survey_(pid),
      cpu_at_start_ns_(process_cpu_ns(pid).value_or(0)),
      began_ns_(now_ns) {
  hits_seen_ = parts_.kernel.hits(kernel_slot_);  // of a process that had the number before
  parts_.kernel.begin_exact(kernel_slot_, hits_seen_ + allowed_hits(~std::uint64_t{0} / 2));
}

// ---- the recorder's thread ----

Result<std::vector<AttachedSite>> DrivenProcess::attach(const std::vector<DrivenSite>& sites) {
  std::lock_guard lock(mutex_);
  if (!std::exchange(tried_, true)) try_price(sites);
  bool now = policy_.level() != Level::kWindows && !too_dear_;
  Result<std::vector<AttachedSite>> answers = now ? attach_now(sites) : std::vector<AttachedSite>(sites.size(), AttachedSite{0, "", ""});
  if (!answers) return answers;
  for (std::size_t i = 0; i < sites.size(); ++i)
    if ((*answers)[i].candidate >= 0) sites_.push_back(sites[i]);
  // What is not the C library's own stands before it.
  for (const DrivenSite& site : sites) {
    if (!site.in_windows || site.allocator == Allocator::kMain || site.allocator == Allocator::kGlibc) continue;
    if (main_ != Allocator::kJemalloc) main_ = site.allocator;
  }
  return answers;
}

// Probes of a program that does little but allocate are in its way until all of them are gone again, which takes a second. So the
// functions that give out blocks are probed for a moment, in which hits are only counted.
void DrivenProcess::try_price(const std::vector<DrivenSite>& sites) {
  std::vector<ProbeSite> chosen;
  for (const DrivenSite& site : sites)
    if (site.in_windows) chosen.push_back(site.site);
  // Of many processes not each is tried: what the kernel's side counts bounds the price all the same.
  if (chosen.empty() || parts_.trials_ns > kMostTrialsNs) return;
  std::uint64_t tried_from_ns = monotonic_ns();
  parts_.kernel.set_level(kernel_slot_, DWELL_LEVEL_CLOSED);
  std::uint64_t begun_ns = monotonic_ns(), cpu_ns = process_cpu_ns(pid_).value_or(0);
  Result<HitCount> trial = count_hits(parts_.kernel, kernel_slot_, ProbeLinks(parts_.settings.method, parts_.settings.programs, pid_), chosen, kTrialNs, kTrialHits);
  HitCount count = trial ? *trial : HitCount{0, 1};
  double seconds = static_cast<double>(count.lasted_ns) / 1e9, met = static_cast<double>(count.hits);
  parts_.trials_ns += monotonic_ns() - tried_from_ns;
  double cpus = static_cast<double>(process_cpu_ns(pid_).value_or(cpu_ns) - cpu_ns) / static_cast<double>(monotonic_ns() - begun_ns);
  double cost = met / seconds * (allocation_ns() + parts_.prices.free()), allowed = parts_.settings.part->share * std::max(cpus, kFewCpus) * 1e9;
  too_dear_ = met >= kTrialFewHits && cost > kClearlyMore * allowed;
  if (too_dear_) {
    told_price_ = true;
    if (++parts_.told > kFewTold) return;
    notes_.push_back(fmt::format("{:.0f} allocations a second: exact recording would take {:.0f} % of a CPU; {}", met / seconds, cost / 1e7, kFromHereOn));
    return;
  }
  parts_.kernel.begin_exact(kernel_slot_, parts_.kernel.hits(kernel_slot_) + allowed_hits(~std::uint64_t{0} / 2));
}

Result<std::vector<AttachedSite>> DrivenProcess::attach_now(const std::vector<DrivenSite>& sites) {
  std::vector<AttachedSite> answers(sites.size());
  for (int step = 0; step < kSteps; ++step) {
    std::vector<ProbeSite> chosen;
    std::vector<std::size_t> whose;
    for (std::size_t i = 0; i < sites.size(); ++i)
      if (sites[i].step == step) chosen.push_back(sites[i].site), whose.push_back(i);
    if (chosen.empty()) continue;
    Result<std::vector<AttachedSite>> attached = links_->try_attach(chosen);
    if (!attached) return attached;
    for (std::size_t n = 0; n < whose.size(); ++n) answers[whose[n]] = std::move((*attached)[n]);
  }
  return answers;
}

void DrivenProcess::forget_probes() {
  std::lock_guard lock(mutex_);
  sites_.clear();
  forget_kept();
  links_ = std::make_unique<ProbeLinks>(parts_.settings.method, parts_.settings.programs, pid_);
}

void DrivenProcess::restart(std::uint64_t now_ns) {
  std::scoped_lock lock(mutex_, estimator_mutex_);
  estimator_ = std::make_unique<LivenessEstimator>(now_ns);
}

void DrivenProcess::ended() {
  std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  ended_ns_ = monotonic_ns();
  links_->detach();
  forget_kept();
}

bool DrivenProcess::has_ended() const {
  std::lock_guard lock(mutex_);
  return ended_;
}

// Its blocks are gone with it: of a server whose workers come and go, nothing piles up.
void DrivenProcess::let_go() {
  std::scoped_lock lock(mutex_, estimator_mutex_);
  estimator_ = std::make_unique<LivenessEstimator>(ended_ns_);
  times_.reset();
  sites_ = {};
  let_go_ = true;
}

void DrivenProcess::add_known(const std::vector<KnownBlock>& blocks) {
  std::lock_guard lock(estimator_mutex_);
  for (const KnownBlock& block : blocks) {
    std::uint32_t site = site_of({block.series, SiteKey::kSeries});
    estimator_->add_known({block.birth_ns, block.address, block.size, site, false, main_}, block.weight);
  }
}

std::vector<LevelChange> DrivenProcess::take_changes() {
  std::lock_guard lock(mutex_);
  return std::exchange(changes_, {});
}

std::vector<WindowFacts> DrivenProcess::take_windows() {
  std::lock_guard lock(mutex_);
  return std::exchange(windows_taken_, {});
}

std::vector<std::string> DrivenProcess::take_notes() {
  std::lock_guard lock(mutex_);
  return std::exchange(notes_, {});
}

void DrivenProcess::add_note(const std::string& text) {
  std::lock_guard lock(mutex_);
  notes_.push_back(text);
}

std::uint64_t DrivenProcess::in_windows_ns(std::uint64_t now_ns) const {
  std::lock_guard lock(mutex_);
  now_ns = std::min(now_ns, ended_ns_);
  std::uint64_t open = policy_.level() == Level::kWindows ? now_ns - std::min(now_ns, policy_.since_ns()) : 0;
  return in_windows_ns_ + open;
}

OwnTime DrivenProcess::take_own_time() {
  std::lock_guard lock(mutex_);
  // What the probes take is estimated anew each time, so that a sum may even shrink.
  auto since = [](std::uint64_t now, std::uint64_t told) { return now - std::min(now, told); };
  OwnTime fresh{since(own_.covered_ns, own_told_.covered_ns), since(own_.lasted_ns, own_told_.lasted_ns),
                since(own_.elapsed_ns, own_told_.elapsed_ns), since(own_.passed_ns, own_told_.passed_ns), since(own_.cost_ns, own_told_.cost_ns)};
  own_told_.add(fresh);
  return fresh;
}

std::vector<std::uint32_t> DrivenProcess::same_sites(const std::function<std::uint32_t(const SiteKey&)>& series_of) const {
  std::vector<std::uint32_t> same_as;
  std::map<std::uint32_t, std::uint32_t> first;  // by series
  for (std::uint32_t site = 0; site < keys_.size(); ++site) same_as.push_back(first.try_emplace(series_of(keys_[site]), site).first->second);
  return same_as;
}

Retained DrivenProcess::retained(std::uint64_t now_ns, const std::function<std::uint32_t(const SiteKey&)>& series_of) const {
  double scale = 1, covered = 0;
  {
    double lasted = static_cast<double>(in_windows_ns(now_ns));
    std::scoped_lock lock(mutex_, estimator_mutex_);
    if (estimator_->stood_for_ns() > 0) scale = lasted / estimator_->stood_for_ns();
    scale *= own_.factor();
    if (lasted > 0) covered = covered_ns_ / lasted;
  }
  std::lock_guard lock(estimator_mutex_);
  Retained result{slot_, main_ != Allocator::kOther || walked_, now_ns, {}, count_.has_value(), {}};
  std::vector<std::uint32_t> same_as;
  if (series_of) same_as = same_sites(series_of);
  Estimates estimates = estimator_->estimate(now_ns, scale, covered, count_ ? &*count_ : nullptr, same_as);
  for (const SiteEstimate& one : estimates.sites)
    result.sites.push_back({keys_[one.site], one.bytes, one.low, one.high, one.blocks, one.identity, one.anchored, one.windows, one.oldest_ns});
  if (count_) result.unnamed = unnamed_rows(*count_, estimates.unknown);
  return result;
}

std::vector<LiveSample> DrivenProcess::live_samples() const {
  std::lock_guard lock(estimator_mutex_);
  std::vector<LiveSample> samples;
  estimator_->for_each_live([&](std::uint32_t site, std::uint64_t address, std::uint64_t size, double weight) {
    samples.push_back({keys_[site], address, size, weight});
  });
  return samples;
}

std::vector<UnnamedRow> DrivenProcess::unnamed_rows(const HeapCount& count, const std::vector<double>& unknown) const {
  std::map<std::uint64_t, double> by_size;
  for (std::size_t cell = 0; cell < unknown.size(); ++cell)
    if (unknown[cell] > 0) by_size[count.cells[cell].usable] += unknown[cell];
  std::vector<UnnamedRow> rows;
  for (const auto& [usable, bytes] : by_size) rows.push_back({slot_, usable, bytes});
  std::ranges::sort(rows, std::greater<>(), &UnnamedRow::bytes);
  if (rows.size() <= kUnnamedSizes) return rows;
  UnnamedRow others{slot_, 0, 0};
  for (std::size_t i = kUnnamedSizes; i < rows.size(); ++i) others.bytes += rows[i].bytes;
  rows.resize(kUnnamedSizes);
  rows.push_back(others);
  return rows;
}

// ---- budget ----

void DrivenProcess::earn(std::uint64_t now_ns) {
  std::uint64_t hits = parts_.kernel.hits(kernel_slot_), cpu_ns = process_cpu_ns(pid_).value_or(0);
  cost_ns_ += static_cast<double>(hits - hits_seen_) * parts_.prices.per_hit();
  hits_seen_ = hits;
  budget_.set_share(parts_.settings.part->share);
  budget_.update(now_ns, cpu_ns - std::min(cpu_ns, cpu_at_start_ns_), cost_ns_);
}

std::uint64_t DrivenProcess::allowed_hits(std::uint64_t at_most, double debt_ns) const {
  double affordable = std::max(0.0, budget_.left_ns() + debt_ns) / parts_.prices.per_hit();
  return std::min<std::uint64_t>(at_most, static_cast<std::uint64_t>(affordable));
}

double DrivenProcess::allocation_ns() const { return std::max(parts_.prices.allocation(), parts_.prices.per_hit()); }

LevelPrices DrivenProcess::level_prices() const {
  return {allocation_ns(), parts_.prices.free(), std::max<double>(kLeastWindowNs, static_cast<double>(places_) * place_ns())};
}

double DrivenProcess::place_ns() const { return toggle_ns(1, budget_.busy_cpus(), flush_ns()); }

// ---- levels ----

std::uint64_t DrivenProcess::step(std::uint64_t now_ns) {
  bool exact, over, begun;
  {
    std::lock_guard lock(mutex_);
    exact = policy_.level() == Level::kExact;
    over = ended_;
    begun = tried_;
  }
  if (over) return now_ns + 1000 * kMillisecond;
  if (!begun) return now_ns + kExactPollNs;
  parts_.prices.update(now_ns);
  earn(now_ns);
  if (exact) {
    parts_.kernel.set_level(kernel_slot_, DWELL_LEVEL_EXACT);  // what had the number before may have closed it at its end
    if (too_dear_ || parts_.kernel.cut_ns(kernel_slot_) || budget_.left_ns() <= 0) {
      to_windows(now_ns);
    } else {
      parts_.kernel.set_limit(kernel_slot_, hits_seen_ + allowed_hits(~std::uint64_t{0} / 2));
      return now_ns + kExactPollNs;
    }
  }
  watch_kept();
  look(now_ns);
  survey(now_ns);
  now_ns = monotonic_ns();
  // Windows do not wait for money: they would come when the process is quiet, and miss what it does when it is busy. The plan
  // keeps them within the budget; only a debt as large as what may be kept stops them.
  bool in_debt = budget_.left_ns() < -most_debt_ns();
  if (grows(now_ns) && !in_debt) {
    window(Why::kGrowth);
    earn(now_ns = monotonic_ns());
  }
  if (due_->next_ns() <= now_ns && !in_debt) {
    due_->skip_missed(now_ns);
    window(Why::kChance);
    earn(monotonic_ns());
    std::unique_lock lock(mutex_);
    std::uint64_t since_ns = policy_.since_ns();
    if (policy_.decide(monotonic_ns(), budget_.income_ns(), level_prices())) {
      bool up = policy_.level() == Level::kExact;
      if (up) in_windows_ns_ += policy_.since_ns() - since_ns;
      lock.unlock();
      up ? to_exact(monotonic_ns()) : lay_windows(monotonic_ns());
      if (up) return monotonic_ns() + kExactPollNs;
    }
  }
  std::uint64_t next = std::max(due_->next_ns(), in_debt ? now_ns + kExactPollNs : 0);
  std::lock_guard lock(estimator_mutex_);
  return std::min({next, estimator_->next_look_ns().value_or(next), now_ns + (watches_growth_ ? GrowthTrigger::kLookEveryNs : kIdleNs)});
}

// Of many processes reading so often would take a CPU.
void DrivenProcess::set_processes(std::size_t processes) {
  constexpr std::size_t kFew = 8;
  budget_.share_idle_time(processes);
  watches_growth_ = processes <= kFew;
}

bool DrivenProcess::grows(std::uint64_t now_ns) {
  std::optional<std::uint64_t> pages = watches_growth_ && resident_ ? resident_->read() : std::nullopt;
  return pages && growth_.update(now_ns, *pages);
}

void DrivenProcess::keep_up(std::uint64_t now_ns) {
  {
    std::lock_guard lock(mutex_);
    if (policy_.level() != Level::kExact || ended_ || !tried_ || too_dear_) return;
  }
  if (parts_.kernel.cut_ns(kernel_slot_)) return;
  earn(now_ns);
  parts_.kernel.set_limit(kernel_slot_, hits_seen_ + allowed_hits(~std::uint64_t{0} / 2));
}

void DrivenProcess::to_windows(std::uint64_t now_ns) {
  std::uint64_t cut = parts_.kernel.cut_ns(kernel_slot_);
  parts_.kernel.set_level(kernel_slot_, DWELL_LEVEL_CLOSED);
  if (!cut) cut = too_dear_ ? began_ns_ : monotonic_ns();
  std::unique_ptr<ProbeLinks> old = std::make_unique<ProbeLinks>(parts_.settings.method, parts_.settings.programs, pid_);
  {
    std::lock_guard lock(mutex_);
    std::swap(old, links_);
    too_dear_ = false;
    policy_.exceeded(cut);
    changes_.push_back({slot_, Level::kWindows, cut});
  }
  old.reset();  // at once, and not behind a process that is busy with these probes
  (void)flush_ns();  // to measure it takes a moment, and no probe is in place now
  if (!std::exchange(told_price_, true) && ++parts_.told <= kFewTold)
    add_note(fmt::format("exact recording takes more than its part of {:g} % of the CPU time that the target uses: {}", 100 * parts_.settings.share, kFromHereOn));
  work_.begin();
  if (cost_of_a_call_ns_ == 0) cost_of_a_call_ns_ = allocation_ns();
  if (!times_) {
    if (Result<ThreadTimes> times = ThreadTimes::open(pid_))
      times_.emplace(std::move(*times));
    else
      add_note(times.error().what);
  }
  if (!resident_) resident_ = ResidentPages::open(pid_);
  lay_windows(std::max(now_ns, cut));
  survey_.begin(now_ns);
}

void DrivenProcess::lay_windows(std::uint64_t now_ns) {
  due_.emplace(now_ns, policy_.plan().interval_ns, now_ns ^ static_cast<std::uint64_t>(pid_) << 32);
}

void DrivenProcess::to_exact(std::uint64_t now_ns) {
  std::lock_guard lock(mutex_);
  forget_kept();  // a call is seen by one probe
  parts_.kernel.begin_exact(kernel_slot_, parts_.kernel.hits(kernel_slot_) + allowed_hits(~std::uint64_t{0} / 2));
  if (Result<std::vector<AttachedSite>> attached = attach_now(sites_); !attached) notes_.push_back(attached.error().what);
  changes_.push_back({slot_, Level::kExact, now_ns});
}

}  // namespace dwell::memory::windows
