// SPDX-License-Identifier: Apache-2.0
// How many events a second the collector and its ledger take, and what they hold for each live block and each stack.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "bpf/events.h"
#include "event_stream.h"
#include "userspace/memory/ledger.h"
#include "userspace/collect/decoder.h"
#include "userspace/memory/decoder.h"
#include "userspace/recording/writer.h"
#include "userspace/memory/codec.h"

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
  if (live_blocks > 100 * kStacks) state.counters["bytes/live_block"] = static_cast<double>(bytes) / live_blocks;
}
BENCHMARK(BM_Ledger)->ArgNames({"live", "sample"})->Args({1 << 20, 0})->Args({10'000, 0})->Args({1 << 20, 65536})
    ->Unit(benchmark::kMillisecond)->Iterations(3);

// A ring buffer's bytes, one record behind the other as the kernel lays them out.
class Ring {
 public:
  void put(const Alloc& event) {
    append(dwell_alloc_record{header(DWELL_ALLOC, event.tid), event.time_ns, event.address, event.size, identity(event.stack)});
  }
  void put(const Free& event) { append(dwell_free_record{header(DWELL_FREE, event.tid), event.time_ns, event.address}); }
  void put(const ReallocBegin& event) {
    append(dwell_free_record{header(DWELL_REALLOC_BEGIN, event.tid), event.time_ns, event.address});
  }
  void put(const ReallocEnd& event) {
    append(dwell_realloc_record{header(DWELL_REALLOC_END, event.tid), event.time_ns, event.old_address, event.address,
                                event.size, identity(event.stack)});
  }
  // A first sight of a stack: 20 frames of its own.
  void put_stack(std::uint32_t stack) {
    dwell_stack_record record{};
    record.h = header(DWELL_STACK, 1);
    record.stack = identity(StackId{stack});
    record.count = 20;
    std::vector<char> whole(sizeof record + record.count * sizeof(std::uint64_t));
    std::memcpy(whole.data(), &record, sizeof record);
    for (std::uint64_t i = 0; i < record.count; ++i) {
      std::uint64_t pc = 0x400000 + (i * 977 + stack % (10 + i * 500)) * 16;
      std::memcpy(whole.data() + sizeof record + i * sizeof pc, &pc, sizeof pc);
    }
    append_bytes(whole.data(), whole.size());
  }

  // Calls take(data, size) for each record.
  template <typename Take>
  void drain(Take&& take) {
    for (std::size_t at = 0; at < bytes_.size();) {
      std::uint64_t size;
      std::memcpy(&size, &bytes_[at], sizeof size);
      take(&bytes_[at + sizeof size], size);
      at += sizeof size + size;
    }
    bytes_.clear();
  }

 private:
  static dwell_header header(std::uint8_t type, std::uint32_t tid) { return {type, 0, 1, tid}; }
  static std::uint64_t identity(StackId stack) { return static_cast<std::uint64_t>(stack) * 0x9E3779B97F4A7C15u; }
  template <typename Record>
  void append(const Record& record) {
    append_bytes(&record, sizeof record);
  }
  void append_bytes(const void* data, std::uint64_t size) {
    const char* from = static_cast<const char*>(data);
    bytes_.insert(bytes_.end(), reinterpret_cast<const char*>(&size), reinterpret_cast<const char*>(&size) + sizeof size);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  std::vector<char> bytes_;
};

// All that the collector does with a record, from the ring on: decode, find the stack, keep the books, write ticks.
void BM_Collector(benchmark::State& state) {
  const auto live_blocks = static_cast<std::uint32_t>(state.range(0));
  std::string path = "/tmp/ledger_bench." + std::to_string(::getpid());
  std::size_t taken = 0, ledger_bytes = 0, stack_bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Result<RecordingWriter> writer = RecordingWriter::create(path, {});
    if (!writer) return state.SkipWithError(writer.error().what.c_str());
    StackTable stacks(*writer);
    AddressSpace code;
    code.replace({{0x400000, 0x4000000, 0, writer->add_module({"/bin/app", "", 1, ModuleKind::kFile})}});
    MemoryLedger ledger(0);
    Decoder decoder(stacks, *writer,
                    {[](const ProcessNews&) {}, [](ProcessSlot, dwell_stack_end, std::uint64_t) {},
                     [&](ProcessSlot) -> const AddressSpace& { return code; },
                     [&](const dwell_header& header, ProcessSlot process, std::span<const std::byte> record) {
                       return decode_memory(header, process, record, stacks, [&](const auto& event) { ledger.apply(event); });
                     }});
    EventStream stream(live_blocks, kStacks);
    Ring ring;
    auto take = [&](const void* data, std::size_t size) { decoder.decode(data, size); };
    for (std::uint32_t stack = 1; stack <= kStacks; ++stack) ring.put_stack(stack);
    stream.fill(live_blocks, [&](const auto& event) { ring.put(event); });
    ring.drain(take);
    stream.run(kEvents, 300, [&](const auto& event) { ring.put(event); });
    std::uint64_t before = decoder.events();
    state.ResumeTiming();
    ring.drain(take);
    Result<void> written = write_memory_tick(*writer, ledger.take_tick(stream.now_ns()), ledger.series());
    state.PauseTiming();
    if (!written) return state.SkipWithError(written.error().what.c_str());
    taken += decoder.events() - before;
    ledger_bytes = ledger.memory_bytes();
    stack_bytes = stacks.memory_bytes() + writer->memory_bytes();
    ::unlink(path.c_str());
    state.ResumeTiming();
  }
  state.counters["events/s"] = benchmark::Counter(static_cast<double>(taken), benchmark::Counter::kIsRate);
  if (live_blocks > 100 * kStacks) state.counters["bytes/live_block"] = static_cast<double>(ledger_bytes) / live_blocks;
  state.counters["bytes/stack"] = static_cast<double>(stack_bytes) / kStacks;
}
BENCHMARK(BM_Collector)->ArgNames({"live"})->Arg(1 << 20)->Arg(10'000)->Unit(benchmark::kMillisecond)->Iterations(3);

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
