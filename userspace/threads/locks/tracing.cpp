// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/locks/tracing.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "userspace/base/clock.h"
#include "userspace/process/data_symbols.h"
#include "userspace/threads/locks/codec.h"

namespace dwell {
namespace {

constexpr std::size_t kMostNamed = 4096;  // locks whose names are looked up, those that were waited for longest

}  // namespace

TracerLoader LockTracing::loader() {
  return [](const TracerContext& context) -> Result<std::unique_ptr<Tracer>> {
    Result<LockSums> sums = LockSums::load(context.core);
    if (!sums) return sums.error();
    if (sums->follows_all_calls())
      context.note(
          "this kernel has no BPF trampolines: waits for locks are seen at system calls, each of which "
          "becomes dearer, in all processes, by about 0.1 us");
    return std::unique_ptr<Tracer>(new LockTracing(context, std::move(*sums)));
  };
}

Result<void> LockTracing::try_program(const TraceCore& core) {
  Result<LockSums> sums = LockSums::load(core);
  if (!sums) return sums.error();
  return sums->attach();
}

Result<void> LockTracing::added(ProcessSlot slot, const ProcessFacts& facts) {
  processes_.insert_or_assign(slot, facts.pid);
  sums_.add_target(facts.pid);
  return {};
}

void LockTracing::begin(std::uint64_t) {
  if (Result<void> attached = sums_.attach(); !attached) context_.unseen({monotonic_ns(), "threads", "waits for locks", attached.error().what});
}

void LockTracing::end() { ending_ = true; }

StackId LockTracing::stack_of(std::uint64_t identity) const { return identity ? context_.stacks.find(identity, 0) : StackId::kUnknown; }

// At the end, from the processes that are still there: names of variables do not change.
void LockTracing::name_locks(LockWaits& waits) {
  std::map<LockPlace, std::uint64_t> waited;
  for (const LockWait& wait : waits.waits) waited[{wait.site.process, wait.futex}] += wait.ns;
  std::vector<std::pair<std::uint64_t, LockPlace>> longest;
  for (const auto& [place, ns] : waited) longest.emplace_back(ns, place);
  std::ranges::sort(longest, std::greater<>());
  if (longest.size() > kMostNamed) longest.resize(kMostNamed);
  std::map<ProcessSlot, std::unique_ptr<DataSymbols>> symbols;
  for (const auto& [ns, place] : longest) {
    auto process = processes_.find(place.first);
    if (process == processes_.end()) continue;
    auto [at, fresh] = symbols.try_emplace(place.first);
    if (fresh) {
      Result<std::vector<Mapping>> mappings = read_maps(static_cast<std::uint32_t>(process->second));
      if (mappings) at->second = std::make_unique<DataSymbols>(process->second, std::move(*mappings));
    }
    if (!at->second) continue;
    std::optional<DataObject> object = at->second->object_around(place.second);
    if (object) waits.names[place] = object->name;
  }
}

Result<void> LockTracing::write_live(std::uint64_t now_ns) {
  LockWaits waits{now_ns, {}, {}, {}};
  for (const auto& [site, sums] : sums_.read())
    waits.waits.push_back({.site = {site.process, stack_of(site.stack)},
                           .futex = site.futex,
                           .relative = site.relative != 0,
                           .end = static_cast<LockWaitEnd>(site.end),
                           .holder = {site.holder_process, stack_of(site.holder)},
                           .ns = sums.ns,
                           .times = sums.times,
                           .longest_ns = sums.longest_ns});
  for (const auto& [site, sums] : sums_.read_holds())
    waits.holds.push_back({{site.process, stack_of(site.stack)},
                           site.futex,
                           site.at_least != 0,
                           sums.ns,
                           sums.times,
                           sums.longest_ns});
  if (ending_) name_locks(waits);
  for (const auto& [slot, pid] : processes_) context_.writer.know_process(slot);
  return context_.writer.append(kChunkLockWaits, encode_lock_waits(waits));
}

TracerCost LockTracing::cost() { return {0, 0, sums_.run_time_ns()}; }

}  // namespace dwell
