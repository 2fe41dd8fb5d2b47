// SPDX-License-Identifier: Apache-2.0
// How many events a second the ledger takes, and what it holds for each live block and each stack.
#include <benchmark/benchmark.h>

#include <vector>

#include "event_stream.h"
#include "userspace/analyze/memory_ledger.h"

namespace dwell {
namespace {

constexpr std::uint32_t kStacks = 10'000;
constexpr std::uint64_t kEvents = 4'000'000;

void BM_Ledger(benchmark::State& state) {
  const auto live_blocks = static_cast<std::uint32_t>(state.range(0));
  const auto sample_period = static_cast<std::uint64_t>(state.range(1));
  std::size_t bytes = 0, taken = 0;
  for (auto _ : state) {
    state.PauseTiming();
    EventStream stream(live_blocks, kStacks);
    MemoryLedger ledger(0, sample_period);
    stream.fill(live_blocks, [&](const auto& event) { ledger.apply(event); });
    std::vector<Event> events;
    events.reserve(kEvents + 2);
    stream.run(kEvents, 300, [&](const auto& event) { events.push_back(event); });
    state.ResumeTiming();
    for (const Event& event : events) ledger.apply(event);
    benchmark::DoNotOptimize(ledger.take_tick(stream.now_ns()));
    state.PauseTiming();
    bytes = ledger.memory_bytes();
    taken += events.size();
    state.ResumeTiming();
  }
  state.counters["events/s"] = benchmark::Counter(static_cast<double>(taken), benchmark::Counter::kIsRate);
  state.counters["bytes/live_block"] = static_cast<double>(bytes) / live_blocks;
}
BENCHMARK(BM_Ledger)->ArgNames({"live", "sample"})->Args({1 << 20, 0})->Args({10'000, 0})->Args({1 << 20, 65536})
    ->Unit(benchmark::kMillisecond)->Iterations(3);

// A stack's counters, without blocks: each allocates once and frees at once.
void BM_BytesPerStack(benchmark::State& state) {
  std::size_t bytes = 0;
  constexpr std::uint32_t kMany = 1 << 17;
  for (auto _ : state) {
    MemoryLedger ledger(0);
    std::size_t before = ledger.memory_bytes();
    for (std::uint32_t stack = 1; stack <= kMany; ++stack) {
      ledger.apply(Alloc{stack, 16, 16, StackId{stack}, 1, 0});
      ledger.apply(Free{stack, 16, 1, 0, false});
    }
    bytes = ledger.memory_bytes() - before;
  }
  state.counters["bytes/stack"] = static_cast<double>(bytes) / kMany;
}
BENCHMARK(BM_BytesPerStack)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace dwell

BENCHMARK_MAIN();
