// SPDX-License-Identifier: Apache-2.0
// DrivenProcess: one process whose allocations are followed within a budget: its level, its probes, its windows, and the
// blocks that were met. A thread of its own calls step(); everything else may be called from the recorder's thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "userspace/memory/windows/due_times.h"
#include "userspace/memory/windows/facts.h"
#include "userspace/memory/windows/growth_trigger.h"
#include "userspace/memory/windows/heap_survey.h"
#include "userspace/memory/windows/hit_prices.h"
#include "userspace/memory/windows/kept_probes.h"
#include "userspace/memory/windows/kernel_levels.h"
#include "userspace/memory/windows/level_policy.h"
#include "userspace/memory/windows/liveness_estimator.h"
#include "userspace/memory/windows/overhead_budget.h"
#include "userspace/memory/windows/process_liveness.h"
#include "userspace/memory/windows/resident_pages.h"
#include "userspace/probes/random_start.h"
#include "userspace/memory/windows/thread_times.h"
#include "userspace/memory/windows/thread_work.h"
#include "userspace/probes/attach.h"
#include "userspace/record/overhead_shares.h"

namespace dwell::memory::windows {

inline constexpr double kMostDebt = 0.25;     // of a second's income

struct DrivenSite {
  ProbeSite site;
  std::uint16_t probe = 0;
  TrapClass trap = TrapClass::kEmulated;
  std::optional<TrapClass> exit;
  int step = 0;             // the order of attaching: what ends a block before what begins one
  bool in_windows = false;  // it gives out blocks
  Allocator allocator = Allocator::kOther;  // whose blocks they are
};

struct DriverSettings {
  std::shared_ptr<const OverheadShares::Part> part;  // of the target's CPU time, what memory may cost now,
  double share = 0.02;                               // and all of the recording
  AttachMethod method = AttachMethod::kSession;
  ProbePrograms programs;
};

struct DriverParts {  // that all processes of a recording share
  const DriverSettings& settings;
  KernelLevels& kernel;
  HitPrices& prices;
  std::uint64_t& trials_ns;  // how long prices were tried, of the recorder's thread
  std::atomic<int>& told;    // how many processes said that they are too dear: a few are enough
};

class DrivenProcess {
 public:
  DrivenProcess(const DriverParts& parts, ProcessSlot slot, TargetSlot target, pid_t pid, std::uint64_t now_ns);

  // ---- the recorder's thread ----
  Result<std::vector<AttachedSite>> attach(const std::vector<DrivenSite>& sites);
  void forget_probes();
  void restart(std::uint64_t now_ns);  // another program now
  void ended();
  void add_known(const std::vector<KnownBlock>& blocks);
  std::vector<LevelChange> take_changes();
  std::vector<WindowFacts> take_windows();
  std::vector<std::string> take_notes();
  // `series_of`: which of its sites are one call site; null: each is one.
  Retained retained(std::uint64_t now_ns, const std::function<std::uint32_t(const SiteKey&)>& series_of = nullptr) const;
  std::vector<LiveSample> live_samples() const;
  bool has_ended() const;
  ProbeLinks* links() { return links_.get(); }  // when the driver's thread has ended
  std::uint64_t in_windows_ns(std::uint64_t now_ns) const;  // how long it was on that level
  OwnTime take_own_time();

  // ---- the driver's thread ----
  // Does what is due, and returns when something will be.
  std::uint64_t step(std::uint64_t now_ns);
  // While another one's window was open: at the exact level, what it has earned since.
  void keep_up(std::uint64_t now_ns);
  // With how many others it shares the driver's time.
  void set_processes(std::size_t processes);
  void stop();  // a last look; no probe is left
  void let_go();  // of what is kept for it: it has ended
  bool is_let_go() const { return let_go_; }

 private:
  void earn(std::uint64_t now_ns);
  std::uint64_t allowed_hits(std::uint64_t at_most, double debt_ns = 0) const;
  double most_debt_ns() const { return kMostDebt * budget_.income_ns(); }
  void to_windows(std::uint64_t now_ns);
  void to_exact(std::uint64_t now_ns);
  void lay_windows(std::uint64_t now_ns);
  using Why = LivenessEstimator::Why;
  void window(Why why);
  void watch_kept();
  void keep_in_place(std::uint64_t length_ns);
  void forget_kept();
  double place_ns() const;
  WindowFacts wait_through(Why why, ProbeLinks& links);
  bool met_limit(ProbeLinks& links);
  bool grows(std::uint64_t now_ns);
  std::uint64_t wait_for_work(std::uint64_t start_ns, std::uint64_t length_ns, Backlog& backlog);
  void measure_cost_of_a_call();
  void measure_work(const WindowFacts& facts, std::uint64_t ended_ns, const Backlog& backlog, Why why);
  void wait_until(std::uint64_t time_ns) const;
  void read_log(bool to_the_end, Backlog& backlog);
  void keep(WindowFacts facts);
  // `in_place`: of a window's probes, until its limit is met: what has not been asked then is not known.
  void ask(LookBatch& batch, ProbeLinks* in_place = nullptr);
  void look(std::uint64_t now_ns);
  void survey(std::uint64_t now_ns);
  std::uint32_t site_of(const SiteKey& key);
  void add_note(const std::string& text);
  std::vector<std::uint32_t> same_sites(const std::function<std::uint32_t(const SiteKey&)>& series_of) const;
  std::vector<UnnamedRow> unnamed_rows(const HeapCount& count, const std::vector<double>& unknown) const;
  double allocation_ns() const;
  LevelPrices level_prices() const;
  Result<std::vector<AttachedSite>> attach_now(const std::vector<DrivenSite>& sites);
  void try_price(const std::vector<DrivenSite>& sites);

  const DriverParts parts_;
  ProcessSlot slot_;
  TargetSlot kernel_slot_;
  pid_t pid_;

  mutable std::mutex mutex_;  // of what follows; held for short
  std::vector<DrivenSite> sites_;
  std::unique_ptr<ProbeLinks> links_;
  std::unique_ptr<ProbeLinks> kept_links_;  // on the level of windows: of kept_
  KeptProbes kept_;
  LevelPolicy policy_;
  bool ended_ = false;
  bool tried_ = false, too_dear_ = false;  // before the first probes: what exact recording would cost; not even to begin with
  std::uint64_t ended_ns_ = ~std::uint64_t{0};
  std::vector<LevelChange> changes_;
  std::vector<WindowFacts> windows_taken_;
  std::vector<std::string> notes_;
  std::uint64_t in_windows_ns_ = 0;
  double covered_ns_ = 0;
  OwnTime own_, own_told_;  // in all, and what take_own_time() has told of that

  mutable std::mutex estimator_mutex_;
  std::optional<HeapCount> count_;  // at the end
  bool walked_ = false;             // survey_.works()
  std::unique_ptr<LivenessEstimator> estimator_;
  std::vector<SiteKey> keys_;
  absl::flat_hash_map<SiteKey, std::uint32_t> index_of_;
  Allocator main_ = Allocator::kGlibc;

  // The driver's thread alone.
  std::atomic<bool> let_go_ = false;
  OverheadBudget budget_;
  std::optional<DueTimes> due_;
  RandomStart random_start_;
  ProcessLiveness liveness_;
  HeapSurvey survey_;
  std::optional<ThreadTimes> times_;
  std::optional<ResidentPages> resident_;  // on the level of windows
  GrowthTrigger growth_;
  bool watches_growth_ = true;
  ThreadWork work_;
  std::map<std::uint16_t, Allocator> allocators_;  // by probe
  std::set<std::uint16_t> breakpoints_;            // probes that begin with one
  std::map<std::uint16_t, std::uint64_t> placed_;  // probes that the last window placed, and how often it met them
  std::size_t places_ = 0;                         // instructions of those
  std::uint64_t hits_before_ = 0;                  // until the end of the last window, or the last look at what kept probes cost
  std::vector<dwell_window_block> events_;  // of the window that is open
  std::vector<std::uint64_t> at_;           // of each of them: Backlog::add()
  std::uint64_t log_read_ = 0;
  double cost_of_a_call_ns_ = 0;
  std::uint64_t hits_seen_ = 0, cpu_at_start_ns_ = 0;
  double cost_ns_ = 0;
  std::uint64_t began_ns_ = 0;
  bool told_price_ = false;
  std::uint64_t failed_windows_ = 0;
};

}  // namespace dwell::memory::windows
