// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/locks/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "userspace/threads/part.h"
#include "userspace/views/frames.h"
#include "userspace/views/profile_builder.h"

namespace dwell {
namespace {

struct LockWords {
  LockFamily family;
  const char *one, *several;
};
// What is a lock; others are waited for as well.
constexpr LockWords kLocks[] = {
    {LockFamily::kMutex, "mutex", "mutexes"},
    {LockFamily::kReadLock, "rwlock (to read)", "rwlocks (to read)"},
    {LockFamily::kWriteLock, "rwlock (to write)", "rwlocks (to write)"},
    {LockFamily::kSemaphore, "semaphore", "semaphores"},
    {LockFamily::kGuard, "static initialization", "static initializations"},
    {LockFamily::kLibraryLock, "lock inside the C library", "locks inside the C library"},
    {LockFamily::kAtomicWait, "atomic", "atomics"},
    {LockFamily::kRustMutex, "Rust Mutex", "Rust Mutexes"},
    {LockFamily::kRustReadLock, "Rust RwLock (to read)", "Rust RwLocks (to read)"},
    {LockFamily::kRustWriteLock, "Rust RwLock (to write)", "Rust RwLocks (to write)"},
    {LockFamily::kUnknown, "futex", "futexes"},
};

const LockWords* words_of(LockFamily family) {
  auto found = std::ranges::find(kLocks, family, &LockWords::family);
  return found == std::end(kLocks) ? nullptr : found;
}

void add_wait(LockFigures& to, const LockFigures& wait) {
  to.ns += wait.ns;
  to.times += wait.times;
  to.longest_ns = std::max(to.longest_ns, wait.longest_ns);
}

using StackReading = std::pair<ProcessSlot, std::vector<std::uint32_t>>;
// What a thread has waited for, it has until it releases it in a futex call. Of other locks the words mean
// other things.
bool tells_its_release(LockFamily family) {
  return family == LockFamily::kMutex || family == LockFamily::kRustMutex ||
         family == LockFamily::kLibraryLock;
}

using RowPlace = std::tuple<StackReading, LockFamily, std::string>;
using HoldPlace = std::pair<RowPlace, bool>;
using HolderPlace = std::pair<LockWaitEnd, StackReading>;

struct RowFacts {
  LockRow row;
  std::set<std::uint64_t> futexes;
  std::map<HolderPlace, LockHolder> holders;
};

struct HoldFacts {
  LockHoldRow row;
  std::set<std::uint64_t> futexes;
};

class LockReportMaker {
 public:
  explicit LockReportMaker(const RecordingRef& from) : recording_(*from), texts_(std::make_shared<const FrameTexts>(from)) {}

  LockReport make() {
    LockReport report;
    for (const LockWait& wait : waits().waits) {
      LockFigures figures{wait.ns, wait.times, wait.longest_ns};
      LockFamily family = family_at(wait);
      bool is_lock = words_of(family) != nullptr;
      add_wait(is_lock ? report.all : report.other, figures);
      if (is_lock) add(wait, family, figures);
      if (is_lock) families_.try_emplace({wait.site.process, wait.futex}, family);
    }
    for (const LockHold& hold : waits().holds) add(hold);
    for (auto& [place, facts] : holds_) report.holds.push_back(finished(facts));
    std::ranges::stable_sort(report.holds, std::greater<>(), &LockHoldRow::ns);
    for (auto& [place, facts] : rows_) report.rows.push_back(finished(facts));
    std::ranges::stable_sort(report.rows, std::greater<>(), &LockRow::ns);
    return report;
  }

  Profile profile() const {
    ProfileBuilder builder(recording_, *texts_);
    builder.entitle("waits for locks");
    builder.profile.sample_types = {
        {"waits", "count"}, {"waited", "nanoseconds"}, {"holds", "count"}, {"held", "nanoseconds"}};
    builder.profile.default_sample_type = 1;
    std::map<LockPlace, LockFamily> families;
    for (const LockWait& wait : waits().waits) {
      LockFamily family = family_at(wait);
      if (!words_of(family)) continue;
      families.try_emplace({wait.site.process, wait.futex}, family);
      std::string holder = "not seen";
      if (wait.end == LockWaitEnd::kReleased) {
        std::vector<ReportFrame> own = own_part(texts_->frames_of(stack(wait.holder.stack)));
        holder = own.empty() ? "[unknown]" : own.front().function;
      }
      builder.profile.samples.push_back(
          {builder.stack(wait.site.stack),
           {static_cast<std::int64_t>(wait.times), static_cast<std::int64_t>(wait.ns), 0, 0},
           {{"lock", label_of({wait.site.process, wait.futex}), 0, ""}, {"holder", holder, 0, ""}}});
    }
    for (const LockHold& hold : waits().holds) {
      auto family = families.find({hold.site.process, hold.futex});
      if (family == families.end() || !tells_its_release(family->second)) continue;
      builder.profile.samples.push_back(
          {builder.stack(hold.site.stack),
           {0, 0, static_cast<std::int64_t>(hold.times), static_cast<std::int64_t>(hold.ns)},
           {{"lock", label_of(family->first), 0, ""},
            {"figures", hold.at_least ? "since the first wait" : "whole", 0, ""}}});
    }
    return std::move(builder.profile);
  }

 private:
  const LockWaits& waits() const { return threads_of(recording_).lock_waits; }
  const CallStack& stack(StackId id) const { return recording_.stacks[static_cast<std::size_t>(id)]; }
  StackReading reading(const ThreadSite& site) const { return {site.process, texts_->readings_of(stack(site.stack))}; }

  std::string name_of(const LockPlace& lock) const {
    auto name = waits().names.find(lock);
    return name == waits().names.end() ? "" : name->second;
  }
  std::string label_of(const LockPlace& lock) const {
    std::string name = name_of(lock);
    return name.empty() ? fmt::format("{:#x}", lock.second) : name;
  }

  LockFamily family_at(const LockWait& wait) const {
    std::vector<ReportFrame> frames = texts_->frames_of(stack(wait.site.stack));
    std::vector<std::string_view> functions;
    for (const ReportFrame& frame : frames) functions.push_back(frame.function);
    return family_of(functions, wait.relative);
  }

  void describe(StackId id, ReportStack& to, std::string& incomplete) const {
    to = {texts_, id};
    if (!to.empty()) incomplete = incomplete_because(stack(id).end);
  }

  void begin_row(const ThreadSite& site, LockFamily family, const std::string& name, LockSite& row) const {
    row.process = site.process;
    row.family = family;
    row.name = name;
    describe(site.stack, row.stack, row.incomplete);
  }

  // Of a lock that nobody is known to have waited for, it is not known what it is.
  void add(const LockHold& hold) {
    auto family = families_.find({hold.site.process, hold.futex});
    if (family == families_.end() || !tells_its_release(family->second)) return;
    std::string name = name_of(family->first);
    auto [at, fresh] = holds_.try_emplace({{reading(hold.site), family->second, name}, hold.at_least});
    if (fresh) begin_row(hold.site, family->second, name, at->second.row);
    at->second.row.at_least = hold.at_least;
    add_wait(at->second.row, {hold.ns, hold.times, hold.longest_ns});
    if (name.empty()) at->second.futexes.insert(hold.futex);
  }

  void add(const LockWait& wait, LockFamily family, const LockFigures& figures) {
    std::string name = name_of({wait.site.process, wait.futex});
    auto [at, fresh] = rows_.try_emplace({reading(wait.site), family, name});
    RowFacts& facts = at->second;
    if (fresh) begin_row(wait.site, family, name, facts.row);
    add_wait(facts.row, figures);
    if (name.empty()) facts.futexes.insert(wait.futex);
    auto [who, first] = facts.holders.try_emplace({wait.end, reading(wait.holder)});
    who->second.end = wait.end;
    if (first && wait.end == LockWaitEnd::kReleased) describe(wait.holder.stack, who->second.stack, who->second.incomplete);
    add_wait(who->second, figures);
  }

  static LockRow finished(RowFacts& facts) {
    facts.row.futexes.assign(facts.futexes.begin(), facts.futexes.end());
    for (auto& [place, holder] : facts.holders) facts.row.holders.push_back(std::move(holder));
    std::ranges::stable_sort(facts.row.holders, std::greater<>(), &LockHolder::ns);
    return std::move(facts.row);
  }

  static LockHoldRow finished(HoldFacts& facts) {
    facts.row.futexes.assign(facts.futexes.begin(), facts.futexes.end());
    return std::move(facts.row);
  }

  const Recording& recording_;
  std::shared_ptr<const FrameTexts> texts_;
  std::map<RowPlace, RowFacts> rows_;
  std::map<LockPlace, LockFamily> families_;
  std::map<HoldPlace, HoldFacts> holds_;
};

void find_blocks(const Recording& recording, const BlockSites& blocks, LockReport& report) {
  if (!blocks.has_blocks(recording)) return;
  std::uint64_t until_ns = threads_of(recording).lock_waits.time_ns;
  auto find = [&](LockSite& row) {
    if (row.futexes.empty()) return;
    std::uint64_t address = row.futexes.front();
    row.block = blocks.find(recording, row.process, until_ns, std::span(&address, 1)).front();
  };
  std::ranges::for_each(report.rows, find);
  std::ranges::for_each(report.holds, find);
}

}  // namespace

LockReport lock_report(RecordingRef recording, const BlockSites* blocks) {
  LockReport report = LockReportMaker(recording).make();
  if (blocks) find_blocks(*recording, *blocks, report);
  return report;
}

Profile lock_profile(const Recording& recording) { return LockReportMaker(recording).profile(); }

std::string lock_words(const LockSite& row) {
  const LockWords& words = *words_of(row.family);
  if (!row.name.empty()) return fmt::format("{} {}", words.one, row.name);
  if (row.futexes.size() == 1) return fmt::format("{} at {:#x}", words.one, row.futexes.front());
  return fmt::format("{} {}", row.futexes.size(), words.several);
}

}  // namespace dwell
