// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/budgeted_memory.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "userspace/memory/codec.h"
#include "userspace/memory/windows/recorded.h"

namespace dwell::memory::windows {
namespace {

constexpr std::size_t kCaughtUp = 4096;            // fewer records than that at once: nothing has piled up
constexpr std::uint64_t kStacksComeNs = 150'000'000;  // after a window, all of its stacks have come through the ring
constexpr std::uint64_t kAddUpEveryNs = 2'000'000'000;
constexpr std::size_t kKnownOfASeries = 300;       // live blocks that are watched on, when exact recording ends

}  // namespace

Result<std::unique_ptr<BudgetedMemory>> BudgetedMemory::create(const TracerContext& context, double percent, std::shared_ptr<OverheadShares::Part> part,
                                                               MemoryTracer& tracer, MemoryLedger& ledger) {
  if (*context.calibration.abilities.best == AttachMethod::kPerf)
    return Error{"keep within --max-overhead: this kernel attaches probes one by one, which takes longer than a window lasts",
                 "leave --max-overhead out, or use Linux 6.6 or newer", Exit::kUnsupported};
  Result<KernelLevels> kernel = tracer.levels();
  if (!kernel) return kernel.error();
  return std::unique_ptr<BudgetedMemory>(new BudgetedMemory(context, percent, std::move(part), tracer, *kernel, ledger));
}

BudgetedMemory::BudgetedMemory(const TracerContext& context, double percent, std::shared_ptr<OverheadShares::Part> part,
                               const MemoryTracer& tracer, const KernelLevels& kernel, MemoryLedger& ledger)
    : context_(context),
      percent_(percent),
      ledger_(ledger),
      driver_(tracer, kernel,
              {std::move(part), percent / 100, *context.calibration.abilities.best, tracer.programs()},
              context.calibration.prices),
      tick_start_ns_(context.start_ns) {}

void BudgetedMemory::happened(const ProcessNews& news) {
  if (!driver_.processes().contains(news.process)) return;
  if (news.kind == ProcessNews::Kind::kExecuted) driver_.process(news.process).restart(news.time_ns);
  if (news.kind == ProcessNews::Kind::kExited) driver_.process(news.process).ended();
}

void BudgetedMemory::forgotten(ProcessSlot slot) {
  if (driver_.processes().contains(slot)) driver_.process(slot).ended();
}

bool BudgetedMemory::is_exact(ProcessSlot slot, std::uint64_t time_ns) const {
  auto until = exact_until_ns_.find(slot);
  return until == exact_until_ns_.end() || time_ns <= until->second;
}

Result<void> BudgetedMemory::poll(std::uint64_t now_ns) {
  for (auto& [slot, process] : driver_.processes()) {
    for (const LevelChange& change : process->take_changes()) {
      if (change.level == Level::kExact) {
        exact_until_ns_.erase(slot);
        continue;
      }
      exact_until_ns_[slot] = change.time_ns;
      // What was sent until then belongs to the ledger.
      for (std::size_t drained = kCaughtUp; drained >= kCaughtUp;) {
        Result<std::size_t> now = context_.core.consume();
        if (!now) return now.error();
        drained = *now;
      }
      to_windows(slot, change.time_ns);
    }
    for (const std::string& note : process->take_notes()) context_.note(note);
  }
  if (now_ns - added_up_ns_ >= kAddUpEveryNs) add_up_retained(now_ns);
  return {};
}

void BudgetedMemory::add_up_retained(std::uint64_t now_ns) {
  added_up_ns_ = now_ns;
  retained_bytes_ = retained_blocks_ = 0;
  for (auto& [slot, process] : driver_.processes()) {
    if (process->is_let_go() || process->in_windows_ns(now_ns) == 0) continue;
    for (const RetainedSite& site : process->retained(now_ns).sites) retained_bytes_ += site.bytes, retained_blocks_ += site.blocks;
  }
}

// The blocks that the ledger knows are watched from now on like those that windows meet; of many of a series, some.
void BudgetedMemory::to_windows(ProcessSlot slot, std::uint64_t time_ns) {
  std::vector<KnownBlock> known;
  std::vector<LiveBlock> blocks = ledger_.give_up_heap(slot, time_ns);
  for (auto first = blocks.begin(); first != blocks.end();) {
    auto last = std::find_if(first, blocks.end(), [&](const LiveBlock& block) { return block.series != first->series; });
    auto count = static_cast<std::size_t>(last - first), kept = std::min(count, kKnownOfASeries);
    std::uint64_t bytes = 0;
    for (auto block = first; block != last; ++block) bytes += block->size;
    GivenUpRow& given_up = given_up_[first->series];
    given_up = {first->series, given_up.blocks + count, given_up.bytes + bytes};
    double weight = static_cast<double>(count) / static_cast<double>(kept);
    for (std::size_t i = 0; i < kept; ++i) {
      const LiveBlock& block = first[static_cast<std::ptrdiff_t>(i * count / kept)];
      known.push_back({block.address, block.size, block.birth_ns, block.series, weight});
    }
    first = last;
  }
  driver_.process(slot).add_known(known);
  if (!driver_.real_time() && !std::exchange(told_priority_, true))
    context_.note("the thread that opens and closes windows has no real-time priority (CAP_SYS_NICE): windows may last longer than planned");
}

// ---- the recording ----

std::uint32_t BudgetedMemory::series_of(const SiteKey& site, ProcessSlot process) {
  if (site.probe == SiteKey::kSeries) return static_cast<std::uint32_t>(site.stack);
  StackId stack = site.stack ? context_.stacks.find(site.stack, static_cast<std::uint16_t>(site.probe)) : StackId::kUnknown;
  return ledger_.series_of(stack, MemoryKind::kHeap, process);
}

void BudgetedMemory::take_windows(std::uint64_t now_ns) {
  for (auto& [slot, process] : driver_.processes()) {
    std::vector<WindowFacts> fresh = process->take_windows();
    waiting_.insert(waiting_.end(), std::make_move_iterator(fresh.begin()), std::make_move_iterator(fresh.end()));
  }
  std::erase_if(waiting_, [&](const WindowFacts& facts) {
    if (facts.start_ns + kStacksComeNs > now_ns) return false;
    count(facts);
    return true;
  });
}

void BudgetedMemory::count(const WindowFacts& facts) {
  Counted& counted = counted_[facts.process];
  WindowsOfProcess& sums = counted.sums;
  double weight = static_cast<double>(facts.interval_ns) / static_cast<double>(facts.length_ns);
  double blocks = 0;
  for (const SiteCount& site : facts.sites) {
    WindowRow& row = counted.rows[series_of(site.site, facts.process)];
    double of_blocks = static_cast<double>(site.blocks) * weight, of_bytes = static_cast<double>(site.bytes) * weight;
    row.blocks += of_blocks;
    row.bytes += of_bytes;
    row.blocks_variance += of_blocks * of_blocks;
    row.bytes_variance += of_bytes * of_bytes;
    blocks += static_cast<double>(site.blocks);
  }
  double rate = blocks * 1e9 / static_cast<double>(facts.length_ns);
  ++sums.windows;
  sums.cut += facts.cut;
  sums.covered_ns += facts.length_ns;
  sums.stood_for_ns += facts.interval_ns;
  sums.rates += rate;
  sums.squared_rates += rate * rate;
}

Result<void> BudgetedMemory::write_tick(std::uint64_t now_ns) {
  WindowTick tick;
  tick.start_ns = tick_start_ns_;
  tick.end_ns = now_ns;
  std::map<std::uint32_t, WindowRow> rows;
  for (auto& [slot, process] : driver_.processes()) {
    std::uint64_t lasted_ns = process->in_windows_ns(now_ns);
    Counted counted = std::exchange(counted_[slot], {});
    counted.sums.process = slot;
    counted.sums.own = process->take_own_time();
    counted.sums.lasted_ns = lasted_ns - std::min(lasted_ns, lasted_ns_[slot]);
    lasted_ns_[slot] = lasted_ns;
    if (counted.sums.lasted_ns || counted.sums.windows) tick.processes.push_back(counted.sums);
    rows.merge(counted.rows);
  }
  for (auto& [series, row] : rows) {
    row.series = series;
    tick.rows.push_back(row);
  }
  for (const auto& [series, row] : std::exchange(given_up_, {})) tick.given_up.push_back(row);
  tick_start_ns_ = now_ns;
  if (tick.processes.empty() && tick.given_up.empty()) return {};
  for (const WindowsOfProcess& one : tick.processes) context_.writer.know_process(one.process);
  return context_.writer.append(kChunkWindows, encode_windows(percent_, tick));
}

void BudgetedMemory::add_live_samples(ProcessSlot slot, std::vector<reach::FollowedBlock>& blocks) {
  if (!driver_.processes().contains(slot) || driver_.process(slot).is_let_go()) return;
  for (const LiveSample& sample : driver_.process(slot).live_samples())
    blocks.push_back({sample.address, sample.size, series_of(sample.site, slot), sample.weight});
}

Result<void> BudgetedMemory::write_retained(std::uint64_t now_ns) {
  RetainedSet set;
  set.time_ns = now_ns;
  bool any = false;  // nothing is retained of what was let go, which is known, too
  std::map<std::uint32_t, RetainedRow> rows;
  for (auto& [slot, process] : driver_.processes()) {
    any = any || process->in_windows_ns(now_ns);
    if (process->is_let_go() || process->in_windows_ns(now_ns) == 0) continue;
    Retained retained = process->retained(now_ns, [&, slot = slot](const SiteKey& site) { return series_of(site, slot); });
    if (!retained.known) set.unknown.push_back(slot);
    if (!retained.known) continue;
    if (retained.walked) set.walked.push_back(slot);
    set.unnamed.insert(set.unnamed.end(), retained.unnamed.begin(), retained.unnamed.end());
    for (const RetainedSite& site : retained.sites) {
      if (site.high <= 0) continue;
      RetainedRow& row = rows.try_emplace(series_of(site.site, slot), RetainedRow{0, 0, 0, 0, 0, true, true, 0}).first->second;
      row.bytes += site.bytes;
      row.low += site.low;
      row.high += site.high;
      row.blocks += site.blocks;
      row.identity &= site.identity;
      row.anchored &= site.anchored;
      if (site.oldest_ns && (!row.oldest_ns || site.oldest_ns < row.oldest_ns)) row.oldest_ns = site.oldest_ns;
    }
  }
  if (!any) return {};
  for (auto& [series, row] : rows) {
    row.series = series;
    set.rows.push_back(row);
  }
  if (Result<void> told = write_new_series(context_.writer, ledger_.series()); !told) return told;
  return context_.writer.append(kChunkRetained, encode_retained(set));
}

}  // namespace dwell::memory::windows
