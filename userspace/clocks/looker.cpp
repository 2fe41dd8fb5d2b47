// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/looker.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "userspace/base/clock.h"
#include "userspace/base/text.h"
#include "userspace/base/unique_fd.h"
#include "userspace/clocks/authors.h"
#include "userspace/clocks/probes.h"
#include "userspace/clocks/state.h"
#include "userspace/clocks/tracer.h"
#include "userspace/clocks/gather.h"
#include "userspace/clocks/read_cost.h"
#include "userspace/clocks/read_watch.h"
#include "userspace/clocks/report.h"
#include "userspace/clocks/stack_book.h"
#include "userspace/clocks/step_ledger.h"
#include "userspace/clocks/verdicts.h"
#include "userspace/collect/trace_core.h"
#include "userspace/kernel/kernel_version.h"
#include "userspace/probes/calibrate.h"
#include "userspace/process/children.h"
#include "userspace/process/process.h"
#include "userspace/record/signals.h"
#include "userspace/unwind/unwind_tables.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

constexpr ProcessSlot kSlot{0};
constexpr std::uint64_t kRingBytes = 4 << 20;
constexpr int kPollMs = 50;

Result<UniqueFd> follow(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (fd.valid()) return fd;
  Error error = system_error(fmt::format("follow PID {}", pid), errno);
  if (errno == ESRCH) error.exit = Exit::kNoTarget;
  return error;
}

// The parts of a look, in the order in which they come into being.
class Look {
 public:
  Look(const ClocksOptions& options, const LookStarted& started) : options_(options), started_(started) {}

  Result<ClocksReport> run() {
    if (Result<void> ready = prepare(); !ready) return ready.error();
    if (Result<void> watched = watch(); !watched) return watched.error();
    return report();
  }

 private:
  Result<void> prepare();
  Result<void> watch();
  ClocksReport report();
  void add_foreign_stacks(ClocksReport& report);
  void take(const void* data, std::size_t size);
  Result<void> sample();

  const ClocksOptions& options_;
  const LookStarted& started_;
  ProcessFacts facts_;
  Calibration calibration_;
  ClockProbes probes_;
  UnwindTables unwind_;
  std::optional<StackBook> book_;
  std::optional<TraceCore> core_;
  std::optional<ClockTracer> tracer_;
  std::optional<ReadWatch> reads_;
  UniqueFd pidfd_;
  bool interrupted_ = false;
  std::uint64_t cpu_at_start_ns_ = 0, cpu_at_end_ns_ = 0, own_cpu_at_start_ns_ = 0;
  std::uint64_t undecodable_ = 0;
  StepLedger ledger_;
  std::vector<ClockAuthor> authors_;  // of the ledger's calls, in order
  std::uint64_t start_ns_ = 0;
};

Result<void> Look::prepare() {
  if (Result<void> kernel = require_kernel(); !kernel) return kernel;
  Result<ProcessFacts> facts = read_process(options_.pid);
  if (!facts) return facts.error();
  facts_ = *facts;
  Result<UniqueFd> pidfd = follow(facts_.pid);
  if (!pidfd) return pidfd.error();
  pidfd_ = std::move(*pidfd);
  own_cpu_at_start_ns_ = own_cpu_ns();

  Result<Calibration> calibration = calibrate(method_for(facts_, std::nullopt));
  if (!calibration) return calibration.error();
  calibration_ = *calibration;
  if (!calibration_.abilities.best) return calibration_.why_no_probes();
  Result<std::vector<Mapping>> mappings = read_maps(facts_.pid);
  if (!mappings) return mappings.error();
  if (mappings->empty())
    return Error{fmt::format("trace PID {}: it has no memory: it is ending", facts_.pid), "",
                 Exit::kNoTarget};
  PlannedModules planned;
  probes_ = plan_clock_probes(facts_.pid, *mappings, calibration_, 1, planned);

  // A sample of the vDSO and a system call stand at an instruction of their own: only the full tables know
  // those.
  unwind_.sync(facts_.pid, kSlot, *mappings);
  for (const Mapping& mapping : *mappings)
    if (mapping.executable) static_cast<void>(unwind_.load_full(kSlot, mapping.start));
  book_.emplace(facts_.pid, *mappings);
  UnwindMapSizes sizes = unwind_.sizes_to_load();
  Result<TraceCore> core = TraceCore::load({kRingBytes, sizes});
  if (!core) return core.error();
  core_.emplace(std::move(*core));
  core_->set_handler([this](const void* data, std::size_t size) { take(data, size); });
  if (Result<void> bound = unwind_.bind(core_->unwind_maps(), sizes); !bound) return bound;

  AttachMethod method = *calibration_.abilities.best;
  ClockTracerSettings settings;
  settings.method = method == AttachMethod::kSession ? AttachMethod::kMulti : method;
  if (options_.share < 1)
    settings.trap_ns = static_cast<std::uint64_t>(highest_read_price(probes_.probes));
  else
    settings.trap_ns = 0;  // every read counts, and as one
  Result<ClockTracer> tracer = ClockTracer::load(*core_, settings);
  if (!tracer) return tracer.error();
  tracer_.emplace(std::move(*tracer));
  if (Result<void> known = tracer_->set_vdso(kSlot, probes_.vdso); !known) return known;
  for (const TimerClock& timer : timers_of(facts_.pid))
    tracer_->set_timer_clock(facts_.pid, timer.create, timer.id, timer.clock);
  tracer_->set_realtime_offset(
      static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)));
  return {};
}

Result<void> Look::watch() {
  Result<StopSignals> signals = StopSignals::install_handlers();
  if (!signals) return signals.error();
  (void)core_->count_run_time(true);  // where that is not allowed, the run time is not known
  if (Result<void> added = core_->add_target(facts_.pid, kSlot); !added) return added;
  if (Result<void> attached = tracer_->attach(); !attached) return attached;
  WindowSettings windows{options_.share, options_.window_ns};
  reads_.emplace(*tracer_, *calibration_.abilities.best, windows, highest_read_price(probes_.probes));
  if (Result<void> added = reads_->add(facts_.pid, 1, probes_.probes); !added) return added;
  if (Result<void> started = reads_->start(); !started) return started;
  cpu_at_start_ns_ = cpu_at_end_ns_ = process_cpu_ns(facts_.pid).value_or(0);

  if (started_)
    started_(fmt::format("looking at the clocks of {} ({}) for {}", facts_.name, facts_.pid,
                         human_duration(options_.duration_ns)));
  start_ns_ = clock_ns(CLOCK_MONOTONIC);
  if (Result<void> sampled = sample(); !sampled) return sampled;
  pollfd waited[] = {{signals->fd(), POLLIN, 0}, {pidfd_.get(), POLLIN, 0}, {core_->ring_fd(), POLLIN, 0}};
  while (clock_ns(CLOCK_MONOTONIC) - start_ns_ < options_.duration_ns) {
    ::poll(waited, 3, kPollMs);
    if (Result<void> sampled = sample(); !sampled) return sampled;
    cpu_at_end_ns_ = process_cpu_ns(facts_.pid).value_or(cpu_at_end_ns_);
    interrupted_ = signals->arrived();
    if (waited[1].revents || interrupted_) break;
  }
  signals->end_at_second();
  reads_->stop();
  tracer_->detach();
  return sample();
}

// The clocks are read first: what a call did before that has then been told.
Result<void> Look::sample() {
  ClockSample now = sample_clocks();
  if (Result<std::size_t> drained = core_->consume(); !drained) return drained.error();
  for (std::int64_t step_ns : ledger_.sampled(now, leap_second_due())) tracer_->note_step(step_ns);
  tracer_->set_realtime_offset(static_cast<std::int64_t>(now.realtime_ns - now.monotonic_ns));
  return {};
}

void Look::take(const void* data, std::size_t size) {
  if (size < sizeof(dwell_header)) return;
  const auto& header = *static_cast<const dwell_header*>(data);
  if (header.type == DWELL_STACK && !book_->learn(data, size)) ++undecodable_;
  if (header.type != DWELL_CLOCK_SET) return;
  if (size < sizeof(dwell_clock_set_record)) {
    ++undecodable_;
    return;
  }
  const auto& record = *static_cast<const dwell_clock_set_record*>(data);
  ledger_.called(record);
  // Who sets a clock is often gone a moment later.
  authors_.push_back(describe_author(record));
}

// Of those that are not the target's.
void Look::add_foreign_stacks(ClocksReport& report) {
  std::size_t call = 0;
  for (ClockStep& step : report.steps) {
    if (!step.pid || call >= authors_.size()) continue;
    if (step.stack.empty()) step.stack = authors_[call].stack;
    ++call;
  }
}

ClocksReport Look::report() {
  ClockCounts counts;
  counts.processes = {{kSlot, facts_.pid}};
  counts.watch = reads_->state();
  counts.reads = tracer_->reads();
  counts.waits = tracer_->waits();
  counts.open_waits = tracer_->open_waits();
  counts.pairs = tracer_->pairs();
  counts.samples = tracer_->samples(kSlot);
  counts.sample_period_ns = ClockTracerSettings{}.sample_period_ns;
  counts.now_ns = clock_ns(CLOCK_MONOTONIC);
  ReadCost cost = measure_read_cost();
  counts.vdso_read_ns = cost.exact_ns;
  counts.vdso_coarse_ns = cost.coarse_ns;
  auto through_probe = [this](std::uint64_t stack) {
    for (std::uint64_t pc : book_->pcs(stack))
      if (pc < probes_.vdso.start || pc >= probes_.vdso.end) return probes_.covers(pc);
    return false;
  };
  auto frames = [this](std::uint64_t stack) {
    std::vector<std::uint64_t> outside;
    for (std::uint64_t pc : book_->pcs(stack))
      if (pc < probes_.vdso.start || pc >= probes_.vdso.end) outside.push_back(pc);
    return outside;
  };
  auto id_of = [this](std::uint64_t identity) { return book_->id_of(identity); };
  ClockLook look = gather_clocks(counts, {id_of, through_probe, frames});
  add_steps(look, ledger_, authors_, id_of);
  look.kernel = kernel_clock_state();
  look.notes = probes_.notes;
  ClocksReport report = clocks_report(look, [this](StackId id) { return book_->name(id); });
  add_foreign_stacks(report);
  report.program = facts_.name;
  report.pid = static_cast<std::uint32_t>(facts_.pid);
  report.interrupted = interrupted_;
  report.verdicts = judge_clocks(report);
  if (std::string children = children_note(children_of(facts_.pid), "watched", "dwell clocks"); !children.empty())
    report.notes.push_back(children);
  if (!counts.watch.failure.empty())
    report.notes.push_back("reads are not counted any more: " + counts.watch.failure);
  for (std::string& problem : take_parser_problems()) report.notes.push_back(std::move(problem));
  if (!tracer_->why_no_samples().empty())
    report.notes.push_back("no samples of the vDSO: " + tracer_->why_no_samples());
  std::uint64_t target_ns = cpu_at_end_ns_ - cpu_at_start_ns_;
  if (target_ns) set_cost_percent(report, static_cast<double>(target_ns));
  report.own_cpu_ns = own_cpu_ns() - own_cpu_at_start_ns_;
  std::vector<std::uint64_t> losses = tracer_->losses();
  for (std::size_t kind = 0; kind < losses.size(); ++kind)
    if (losses[kind]) report.losses.emplace_back(clock_loss_name(kind), losses[kind]);
  if (undecodable_) report.losses.emplace_back("undecodable records", undecodable_);
  return report;
}

}  // namespace

Result<ClocksReport> look_at_clocks(const ClocksOptions& options, const LookStarted& started) {
  return Look(options, started).run();
}

}  // namespace dwell
