// SPDX-License-Identifier: Apache-2.0
// Size and opening time of a recording of a steady load: the real ledger, schedule and writer, with made-up events
// and a made-up clock. The number of events is scaled down; what a tick takes in the file hardly depends on it.
//
//   recording_bench SECONDS STACKS LIVE_BLOCKS FILE
#include <fmt/core.h>
#include <sys/resource.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "event_stream.h"
#include "userspace/memory/ledger.h"
#include "userspace/subjects/chunks.h"
#include "userspace/recording/schedule.h"
#include "userspace/recording/writer.h"
#include "userspace/memory/report.h"
#include "userspace/memory/part.h"
#include "userspace/memory/codec.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// Of CPU: on a machine that others use too, the wall clock would measure them.
double cpu_seconds() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Stacks of about 20 frames that share their roots, as call trees do.
void add_stacks(RecordingWriter& writer, std::uint32_t count) {
  std::mt19937_64 random(2);
  for (int module = 0; module < 20; ++module)
    writer.add_module({fmt::format("/usr/lib/lib{}.so", module), fmt::format("{:040x}", module), 1 << 22, ModuleKind::kFile});
  std::vector<std::uint32_t> previous;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::size_t depth = 12 + random() % 16, shared = previous.empty() ? 0 : random() % previous.size();
    std::vector<std::uint32_t> stack(previous.end() - static_cast<std::ptrdiff_t>(std::min(shared, depth)), previous.end());
    while (stack.size() < depth)
      stack.insert(stack.begin(), writer.add_location({static_cast<std::int32_t>(random() % 20), random() % 4000 * 13, true}));
    writer.add_stack(stack, 0);
    previous = stack;
  }
}

// Enough events that most stacks have some in each tick, as under a full rate.
constexpr std::uint64_t kEventsPerStack = 20;

Result<std::uint64_t> record(const std::string& path, std::uint64_t seconds, std::uint32_t stacks, std::uint32_t live) {
  std::filesystem::remove(path);
  Result<RecordingWriter> writer = RecordingWriter::create(path, {});
  if (!writer) return writer.error();
  add_stacks(*writer, stacks);
  EventStream stream(live, stacks);
  MemoryLedger ledger(0);
  TickSchedule schedule(0);
  stream.fill(live, [&](const auto& event) { ledger.apply(event); });
  std::uint64_t ticks = 0, previous = 0;
  Result<void> written;
  for (std::uint64_t now = schedule.next_tick_ns(); now <= seconds * kSecond && written; now = schedule.next_tick_ns(), ++ticks) {
    std::uint64_t events = kEventsPerStack * stacks;
    stream.set_now(previous);
    stream.run(events, (now - previous) / events, [&](const auto& event) { ledger.apply(event); });
    written = write_memory_tick(*writer, ledger.take_tick(now), ledger.series());
    schedule.ticked(now, writer->appended_bytes());
    if (written && schedule.checkpoint_due(now, ledger.block_count(), writer->bytes_written())) {
      written = write_live_blocks(*writer, {now, ledger.live_blocks()}, ledger.series());
      schedule.checkpointed(now);
    }
    previous = now;
  }
  fmt::print("  {} ticks, {:.2f} MB without the last live blocks\n", ticks, static_cast<double>(writer->bytes_written()) / 1e6);
  if (written) written = write_live_blocks(*writer, {previous, ledger.live_blocks()}, ledger.series());
  if (written) written = writer->finish({previous, "done"});
  if (!written) return written.error();
  return writer->bytes_written();
}

int run(std::uint64_t seconds, std::uint32_t stacks, std::uint32_t live, const std::string& path) {
  fmt::print("{} s, {} stacks, {} live blocks\n", seconds, stacks, live);
  Result<std::uint64_t> bytes = record(path, seconds, stacks, live);
  if (!bytes) {
    fmt::print(stderr, "recording_bench: {}\n", bytes.error().what);
    return 1;
  }
  double start = cpu_seconds();
  Result<Recording> recording = read_recording(path);
  if (!recording) {
    fmt::print(stderr, "recording_bench: {}\n", recording.error().what);
    return 1;
  }
  double opened = cpu_seconds() - start;
  start = cpu_seconds();
  Result<MemoryReport> report = memory_report(*recording, {});
  double reported = cpu_seconds() - start;
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  std::size_t rows = 0;
  for (const MemoryTick& tick : memory_of(*recording).ticks) rows += tick.rows.size();
  fmt::print("  {:.2f} MB, opened in {:.3f} s of CPU, reported in {:.3f} s ({} sites, {} rows in ticks), at most {} MB resident\n",
             static_cast<double>(*bytes) / 1e6, opened, reported, report ? report->sites.size() : 0, rows, usage.ru_maxrss / 1024);
  return 0;
}

}  // namespace
}  // namespace dwell

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: recording_bench SECONDS STACKS LIVE_BLOCKS FILE\n");
    return 2;
  }
  return dwell::run(std::strtoull(argv[1], nullptr, 10), static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)),
                    static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10)), argv[4]);
}
