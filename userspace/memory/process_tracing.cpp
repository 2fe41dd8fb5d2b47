// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/process_tracing.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/memory/memory_usage_codec.h"

namespace dwell {
namespace {

// Of a process whose memory is its own from here on: one that dwell started, or that became another program.
ProcessAccount nothing_yet(std::uint64_t now_ns) {
  ProcessAccount account;
  account.time_ns = now_ns;
  account.known = account.walked = true;
  return account;
}

// A child is looked at when it has come to be what it is, and for no more than a twentieth of dwell's time, all of them together.
constexpr std::uint64_t kSettledNs = 100 * kMillisecond, kShareOfTime = 20;
constexpr std::size_t kMostChildren = 32;
constexpr std::uint64_t kMostOfChildWalked = std::uint64_t{128} << 20;  // an eighth of a second, in which events wait
constexpr std::uint64_t kLongestEndNs = 3 * kSecond;  // for the last looks at all but the first
constexpr std::uint64_t kLongestStartNs = 2 * kSecond;  // for the first looks, of several processes

}  // namespace

TracerLoader ProcessTracing::loader(bool alone, std::shared_ptr<memory::KeptLooks> looks) {
  return [alone, looks](const TracerContext& context) -> Result<std::unique_ptr<Tracer>> {
    return std::unique_ptr<Tracer>(new ProcessTracing(context, alone, looks));
  };
}

// Before the probes are set: while the heap is walked, nothing piles up that they would send.
Result<void> ProcessTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  auto [at, fresh] = processes_.insert_or_assign(slot, Process{ProcessSampler(facts.pid), {}});
  std::uint64_t now_ns = monotonic_ns();
  at->second.since_ns = now_ns;
  if (next_ns_ == 0) account_at_start(at->second, facts.pid, now_ns);
  return {};
}

// Of many processes the heaps are walked as far as that takes no longer than that of one large process would; the others come
// while the recording goes on.
void ProcessTracing::account_at_start(Process& process, pid_t pid, std::uint64_t now_ns) {
  if (began_accounts_ns_ == 0) began_accounts_ns_ = now_ns;
  if (now_ns - began_accounts_ns_ > kLongestStartNs) return;
  bool started = !context_.options.command.empty();
  process.first = started ? nothing_yet(now_ns) : process.sampler.account(now_ns, nullptr, left_to_walk_);
  process.accounted = true;
  if (started || !process.first.walked) return;
  process.walked = true;
  if (std::optional<MemorySample> sample = read_memory_sample(pid)) left_to_walk_ -= std::min(left_to_walk_, sample->anonymous);
}

void ProcessTracing::begin(std::uint64_t start_ns) { take_samples(start_ns); }

void ProcessTracing::end() {
  take_samples(monotonic_ns());
  ending_ = true;
}

Result<void> ProcessTracing::require_probes(const ProcessFacts& facts) {
  if (alone_) return {};
  return Error{fmt::format("trace PID {}: nothing but its RSS can be followed", facts.pid),
               fmt::format("what RSS consists of: dwell memory {}", facts.pid), Exit::kUnsupported};
}

void ProcessTracing::on_process_event(const ProcessNews& news) {
  auto found = processes_.find(news.process);
  if (found == processes_.end()) return;
  if (news.kind == ProcessNews::Kind::kExited) found->second.ended = true;
  if (news.kind == ProcessNews::Kind::kExecuted) {
    bool has_room = news.process == 0 || found->second.accounted || children_ < kMostChildren;
    if (!has_room) return;
    children_ += news.process != 0 && !found->second.accounted;
    found->second.first = nothing_yet(news.time_ns);
    found->second.accounted = true;
  }
}

void ProcessTracing::take_samples(std::uint64_t now_ns) {
  std::uint64_t began_ns = monotonic_ns();
  for (auto& [slot, process] : processes_) {
    if (process.ended) continue;
    if (std::optional<MemorySample> sample = process.sampler.sample(now_ns)) process.samples.push_back(*sample);
  }
  std::uint64_t age_ns = now_ns - std::min(now_ns, context_.start_ns);
  next_ns_ = now_ns + sample_pause_ns(age_ns, monotonic_ns() - began_ns);
}

// Children that were forked begin with what their parent had: one at a time, while the recording goes on.
void ProcessTracing::account_for_child(std::uint64_t now_ns) {
  for (auto& [slot, process] : processes_) {
    if (process.ended || process.accounted || children_ >= kMostChildren || now_ns - process.since_ns < kSettledNs) continue;
    process.first = process.sampler.account(now_ns, nullptr, kMostOfChildWalked);
    process.accounted = true;
    if (process.first.known)
      ++children_;
    else
      process.first = {};  // it has ended, perhaps before it could be followed: then it is not in the recording
    next_account_ns_ = now_ns + kShareOfTime * (monotonic_ns() - now_ns);
    return;
  }
}

Result<void> ProcessTracing::poll(std::uint64_t now_ns) {
  if (next_ns_ && now_ns >= next_ns_) take_samples(now_ns);
  if (next_ns_ && !ending_ && now_ns >= next_account_ns_) account_for_child(now_ns);
  return {};
}

Result<void> ProcessTracing::write_tick(std::uint64_t) {
  for (auto& [slot, process] : processes_)
    if (Result<void> written = write_samples(slot, process); !written) return written;
  return {};
}

Result<void> ProcessTracing::write_samples(ProcessSlot slot, Process& process) {
  RecordingWriter& writer = context_.writer;
  ProcessAccount first = std::exchange(process.first, {});
  std::vector<MemorySample> samples = std::exchange(process.samples, {});
  if (!first.time_ns && samples.empty()) return {};
  writer.know_process(slot);
  if (first.time_ns) {
    Result<void> written = writer.append(kChunkProcessAccount, encode_account(slot, AccountMoment::kFirst, first));
    if (!written) return written;
  }
  if (samples.empty()) return {};
  if (Result<void> written = writer.append(kChunkMemoryUsage, encode_samples(slot, samples)); !written) return written;
  return write_limits(slot, process);
}

// Again when one of them has changed or was reached, and at the end.
Result<void> ProcessTracing::write_limits(ProcessSlot slot, Process& process) {
  auto without_use = [](std::vector<ProcessLimit> limits) {
    std::erase_if(limits, [](const ProcessLimit& limit) { return limit.kind == LimitKind::kMachine; });
    for (ProcessLimit& limit : limits) limit.in_use = 0;
    return limits;
  };
  std::vector<ProcessLimit> now = process.sampler.limits();
  if (now.empty() || (!ending_ && without_use(now) == without_use(process.limits))) return {};
  process.limits = now;
  return context_.writer.append(kChunkLimits, encode_limits(slot, now));
}

// At the end, when the probes are gone: what is left of each process that had an account at the start. The first process always
// has its look; children as long as that takes no long time.
Result<void> ProcessTracing::write_live(std::uint64_t) {
  if (!detached_) return {};
  std::uint64_t began_ns = monotonic_ns();
  for (auto& [slot, process] : processes_) {
    if (process.ended || !process.accounted || (slot != 0 && monotonic_ns() - began_ns > kLongestEndNs)) continue;
    ProcessAccount last = process.sampler.account(monotonic_ns(), &looks_->last[slot], slot == 0 || process.walked ? ProcessSampler::kMostWalked : kMostOfChildWalked);
    if (!last.known) continue;  // it is ending
    Result<void> written = context_.writer.append(kChunkProcessAccount, encode_account(slot, AccountMoment::kLast, last));
    if (!written) return written;
  }
  return {};
}

}  // namespace dwell
