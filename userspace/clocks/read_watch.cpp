// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/read_watch.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/process/process.h"
#include "userspace/probes/toggle_price.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSlice =
    100'000'000;  // a long window counts as several, so that their spread can be told
// A program that is idle may pay a little too, or one that reads now and then could hardly ever be watched.
constexpr double kIdleShare = 0.2;
constexpr double kProgramNs = 250;  // of our program, as long as the kernel has not counted
constexpr std::uint64_t kSeed = 0x9e3779b97f4a7c15;

std::uint64_t sum_of_entries(const std::vector<dwell_hits>& hits) {
  std::uint64_t sum = 0;
  for (const dwell_hits& one : hits) sum += one.entries;
  return sum;
}

std::string bytes_of(const dwell_read_key& key) { return {reinterpret_cast<const char*>(&key), sizeof key}; }

}  // namespace

ReadWatch::ReadWatch(ClockTracer& tracer, AttachMethod method, const WindowSettings& settings, double trap_ns)
    : tracer_(tracer),
      // A read is seen at its entry; sessions are for those who want the return too.
      method_(method == AttachMethod::kSession ? AttachMethod::kMulti : method),
      settings_(settings),
      random_start_(kSeed),
      rates_(trap_ns) {}

Result<void> ReadWatch::add(pid_t pid, std::uint16_t first_index, std::vector<ReadProbe> probes) {
  std::lock_guard lock(mutex_);
  auto known =
      std::find_if(processes_.begin(), processes_.end(), [&](const Process& p) { return p.pid == pid; });
  if (known == processes_.end()) {
    processes_.push_back({pid,
                          process_cpu_ns(pid).value_or(0),
                          {},
                          std::make_unique<ProbeLinks>(method_, tracer_.programs(), pid)});
    known = processes_.end() - 1;
  }
  std::vector<ProbeSite> fresh;
  prices_.resize(std::max<std::size_t>(prices_.size(), first_index + probes.size()));
  for (ReadProbe& probe : probes) {
    prices_[first_index++] = probe.price_ns;
    fresh.push_back(std::move(probe.site));
  }
  known->sites.insert(known->sites.end(), fresh.begin(), fresh.end());
  if (fresh.empty() || !windows_ || !windows_->is_open()) return {};
  Result<std::vector<AttachedSite>> attached = known->links->attach(fresh);
  return attached ? Result<void>{} : attached.error();
}

void ReadWatch::remove(pid_t pid) {
  std::lock_guard lock(mutex_);
  std::erase_if(processes_, [&](const Process& process) { return process.pid == pid; });
}

Result<void> ReadWatch::start() {
  start_ns_ = monotonic_ns();
  settings_.places = 0;
  for (const Process& process : processes_) settings_.places = std::max(settings_.places, process.sites.size());
  settings_.flush_ns = flush_ns();
  windows_ = std::make_unique<ProbeWindows>(settings_, start_ns_, kSeed);
  if (Result<void> opened = open(); !opened) return opened;
  start_ns_ = slice_ns_;
  // Signals are the main thread's business.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void ReadWatch::set_share(double share) {
  std::lock_guard lock(mutex_);
  settings_.share = share;
  if (windows_) windows_->set_share(share);
}

void ReadWatch::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void ReadWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && failure_.empty()) {
    wake_.wait_for(lock, std::chrono::nanoseconds(windows_->ask_again_in_ns()), [this] { return stopping_; });
    if (stopping_) break;
    std::uint64_t now_ns = monotonic_ns();
    switch (windows_->next(now_ns, cost_ns(), target_ns(now_ns))) {
      case ProbeWindows::Step::kOpen:
        if (Result<void> opened = open(); !opened) failure_ = opened.error().what;
        break;
      case ProbeWindows::Step::kClose:
        close();
        break;
      case ProbeWindows::Step::kStay:
        if (windows_->is_open() && now_ns - slice_ns_ >= kSlice) take_slice(now_ns, false);
        break;
    }
  }
  stop_ns_ = monotonic_ns();
  if (windows_->is_open()) stop_ns_ = close();
}

Result<void> ReadWatch::open() {
  if (!processes_.empty()) random_start_.wait(*processes_.front().links);
  std::uint64_t before_ns = monotonic_ns();
  for (Process& process : processes_) {
    if (process.sites.empty()) continue;
    Result<std::vector<AttachedSite>> attached = process.links->attach(process.sites);
    bool ended = !process_cpu_ns(process.pid);  // and nobody has told us yet
    if (!attached && !ended) return attached.error();
  }
  slice_ns_ = monotonic_ns();
  toggle_ns_ += slice_ns_ - before_ns;
  tracer_.open_window(slice_ns_);
  windows_->opened(slice_ns_);
  return {};
}

std::uint64_t ReadWatch::close() {
  tracer_.close_window();
  std::uint64_t now_ns = monotonic_ns();
  for (Process& process : processes_) process.links->detach();
  toggle_ns_ += monotonic_ns() - now_ns;
  // No program is under way any more.
  take_slice(now_ns, true);
  windows_->closed(now_ns);
  return now_ns;
}

void ReadWatch::take_slice(std::uint64_t now_ns, bool last) {
  std::vector<std::pair<dwell_read_key, std::uint64_t>> fresh;
  for (const auto& [key, count] : tracer_.reads()) {
    if (key.call == DWELL_CALL_VDSO) continue;
    std::uint64_t& before = counted_[bytes_of(key)];
    if (count > before) fresh.emplace_back(key, count - before);
    before = count;
    if (last && key.hot_tid) {
      tracer_.drop_reads(key);
      counted_.erase(bytes_of(key));
    }
  }
  rates_.add_slice(now_ns - slice_ns_, fresh);
  slice_ns_ = now_ns;
}

double ReadWatch::trap_cost_ns(const std::vector<dwell_hits>& hits) const {
  double cost = 0;
  for (std::size_t probe = 0; probe < prices_.size(); ++probe)
    cost += static_cast<double>(hits[probe].entries) * prices_[probe];
  return cost;
}

KnownTime ReadWatch::program_cost_ns(const std::vector<dwell_hits>& hits) const {
  return time_of_all_runs(tracer_.run_time(), sum_of_entries(hits));
}

double ReadWatch::cost_ns() const {
  std::vector<dwell_hits> hits = tracer_.hits(prices_.size());
  KnownTime counted = program_cost_ns(hits);
  double programs =
      counted ? static_cast<double>(*counted) : kProgramNs * static_cast<double>(sum_of_entries(hits));
  return trap_cost_ns(hits) + programs;
}

double ReadWatch::target_ns(std::uint64_t now_ns) const {
  std::uint64_t cpu_ns = 0;
  for (const Process& process : processes_)
    cpu_ns += process_cpu_ns(process.pid).value_or(process.cpu_at_start_ns) - process.cpu_at_start_ns;
  return static_cast<double>(cpu_ns) + kIdleShare * static_cast<double>(now_ns - start_ns_);
}

ReadWatchState ReadWatch::state() const {
  std::lock_guard lock(mutex_);
  ReadWatchState state;
  std::uint64_t now_ns = stop_ns_ ? stop_ns_ : monotonic_ns();
  state.rates = rates_;
  state.elapsed_ns = now_ns - start_ns_;
  state.watched_ns = windows_ ? windows_->watched_ns(now_ns) : 0;
  state.windows = windows_ ? windows_->windows() : 0;
  std::vector<dwell_hits> hits = tracer_.hits(prices_.size());
  state.hits = sum_of_entries(hits);
  state.bpf_ns = program_cost_ns(hits);
  state.trap_ns = trap_cost_ns(hits) + (windows_ ? windows_->toggles_ns() : 0);
  state.toggle_ns = toggle_ns_;
  state.failure = failure_;
  return state;
}

}  // namespace dwell
