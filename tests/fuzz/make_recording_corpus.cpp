// SPDX-License-Identifier: Apache-2.0
//   make_recording_corpus FOLDER
#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/fuzz/chunk_script.h"
#include "userspace/base/files.h"
#include "userspace/clocks/codec.h"
#include "userspace/files/opened/codec.h"
#include "userspace/go/codec.h"
#include "userspace/memory/codec.h"
#include "userspace/memory/ledger.h"
#include "userspace/pairs/codec.h"
#include "userspace/recording/writer.h"
#include "userspace/threads/codec.h"
#include "userspace/threads/locks/codec.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMinute = 60'000'000'000;

// Two threads of a site, one of them ended; a look that finds them in a deadlock; where they waited.
Result<void> write_threads(RecordingWriter& writer, StackId stack) {
  Result<void> ok = write_thread_tick(writer, {0, kSecond, {{{0, stack}, 2, 1, 1}}});
  if (ok) ok = write_live_threads(writer, {kSecond, {{{0, stack}, 8, 5}}});
  if (ok) ok = write_blocked_sites(writer, {kSecond,
                                     {{{0, stack}, 300, 4}},
                                     {{0, {WakerKind::kThread, {0, stack}, 0, ""}, 100, 1},
                                      {0, {WakerKind::kOutside, {}, 9, "client"}, 150, 2}}});
  ThreadLook look{kSecond, 1000, 0, {}, {}};
  for (Tid tid : {7u, 8u}) {
    std::int32_t index = static_cast<std::int32_t>(look.locks.size());
    look.threads.push_back({tid, tid - 6, "worker", ThreadState::kSleeping, WaitKind::kMutex, false, false, "mutex a",
                            index, 202, 5, 1, 17, 0, 0, 3, 4, stack, StackId::kUnknown});
    look.locks.push_back(
        {0x1000ull * tid, WaitKind::kMutex, "mutex a", false, OwnerState::kThread, 15 - tid, "worker"});
  }
  return ok ? write_thread_look(writer, look) : ok;
}

// Memory of a process as a whole: samples in two chunks, an account at each end, limits.
Result<void> write_process_memory(RecordingWriter& writer) {
  std::vector<MemorySample> samples;
  for (std::uint64_t i = 0; i < 32; ++i) samples.push_back({i * kSecond / 4, (i + 3) << 20, 1 << 20, 8192, 0, 1 << 30, 1 << 25, 1 << 26, 1 << 30});
  Result<void> ok = writer.append(kChunkMemoryUsage, encode_samples(0, std::span(samples).first(16)));
  if (ok) ok = writer.append(kChunkMemoryUsage, encode_samples(0, std::span(samples).subspan(16)));
  ProcessAccount account;
  account.time_ns = 1;
  account.known = account.walked = true;
  account.allocators = "glibc 2.36";
  account.resident = 4096 * 30;
  account.parts = {4096 * 20, 4096 * 4, 4096, 0, 0, 0, 4096 * 5, 0, 0, 0, 0};
  account.live_blocks = 70;
  account.live_bytes = 4096 * 20;
  if (ok) ok = writer.append(kChunkProcessAccount, encode_account(0, AccountMoment::kFirst, account));
  account.time_ns = 8 * kSecond;
  account.why = "the heap of libjemalloc.so.2 could not be read";
  account.parts[10] = -4096;
  if (ok) ok = writer.append(kChunkProcessAccount, encode_account(0, AccountMoment::kLast, account));
  std::vector<ProcessLimit> limits = {{LimitKind::kGroup, "/shop", 1 << 30, 1 << 29, 1, 2, 3}, {LimitKind::kMachine, "", 1 << 30, 1 << 20, 0, 0, 0}};
  return ok ? writer.append(kChunkLimits, encode_limits(0, limits)) : ok;
}

// Who touched it: two call sites, and pages that nobody was seen to touch.
Result<void> write_touched(RecordingWriter& writer, StackId first, StackId second) {
  memory::TouchedMemory touched{8 * kSecond, 4, {}, {3 * 4096}};
  touched.sites = {{first, memory::TouchedKind::kAnonymous, 70, 60 * 4096, 50 * 4096, 2 * 4096},
                   {first, memory::TouchedKind::kHeap, 0, 4096, 0, 0},
                   {second, memory::TouchedKind::kKinds, 9, 0, 0, 0}};
  return writer.append(memory::kChunkTouched, memory::encode_touched(0, touched));
}

// One call site is leaked, in part, and a variable leads to the rest.
Result<void> write_holding(RecordingWriter& writer) {
  Holding holding{9 * kSecond, 3, "", 900, 90'000, 40, 4000, {"sessions", "stack of thread app (7)"}, {}};
  holding.rows = {{0, 700, 300, 7, 3, {{0, 390}, {1, 10}}}, {1, 64, 64, 1, 1, {}}};
  return writer.append(kChunkHolding, encode_holding(0, holding));
}

// Two ticks of a call site and of what was open before, and what is open at the end.
Result<void> write_descriptors(RecordingWriter& writer, StackId stack) {
  files::DescriptorSite site{0, stack, FileKind::kSocket, files::Opening::kAccepted}, before{0, StackId::kUnknown, FileKind::kPipe, files::Opening::kBefore};
  std::vector<files::DescriptorTick> ticks = {{0, kSecond, {{site, 70, 60, {{20, 50}, {21, 10}}}, {before, 3, 0, {}}}}, {kSecond, 8 * kSecond, {{site, 2, 1, {{33, 1}}}}}};
  Result<void> ok;
  for (const files::DescriptorTick& tick : ticks)
    if (ok) ok = writer.append(files::kChunkDescriptorTick, files::encode_descriptor_tick(tick));
  files::OpenDescriptors open{8 * kSecond, {{site, 9, 7 * kSecond, true}, {before, 0, 0, false}}, {{0, 12, 1, 2}}};
  return ok ? writer.append(files::kChunkOpenDescriptors, files::encode_open_descriptors(open)) : ok;
}

// Waits for a lock that two places held up, and one that a timeout ended.
Result<void> write_lock_waits(RecordingWriter& writer, StackId first, StackId second) {
  LockWaits waits{8 * kSecond, {}, {{{0, 0x4040}, "queue_lock"}}, {}};
  waits.waits = {{{0, first}, 0x4040, true, LockWaitEnd::kReleased, {0, second}, 900, 3, 500},
                 {{0, first}, 0x4040, true, LockWaitEnd::kReleased, {0, first}, 100, 1, 100},
                 {{0, second}, 0x7000, false, LockWaitEnd::kUnknown, {}, 10, 1, 10}};
  waits.holds = {{{0, first}, 0x4040, false, 700, 2, 600}, {{0, second}, 0x4040, true, 90, 1, 90}};
  return writer.append(kChunkLockWaits, encode_lock_waits(waits));
}

// Two pairs, a tick of them, and what is held.
Result<void> write_pairs(RecordingWriter& writer, StackId stack) {
  pairs::HoldSite site{0, 0, stack}, other{0, 1, StackId::kUnknown};
  Result<void> ok = writer.append(pairs::kChunkPairs, pairs::encode_pairs({{"conn", "get:put", true, {"get in /bin/app"}, {"put in /bin/app"}}, {"obj", "ref:unref", false, {}, {}}}));
  pairs::HoldTick tick{0, kSecond, {{site, 9, 7, 900, 700, 4, {{20, 6}, {33, 1}}}, {other, 1, 0, 0, 0, 1, {}}}, {{0, 0, 3, 4, kSecond / 2}, {0, 1, 0, 1, 1}}};
  if (ok) ok = writer.append(pairs::kChunkHoldTick, pairs::encode_hold_tick(tick));
  pairs::Held held{8 * kSecond, {{site, 0x7f00, 5, 100, 7}, {site, 0x7f00, 6, 100, 8}, {other, 0, 7, 0, 7}}};
  return ok ? writer.append(pairs::kChunkHeld, pairs::encode_held(held)) : ok;
}

Result<void> write_clocks(RecordingWriter& writer, StackId first, StackId second) {
  ClockLook look;
  look.time_ns = look.duration_ns = kSecond;
  look.watched_ns = kSecond / 2;
  look.windows = 3;
  look.reads = {{first, 0, 1, 0, false, 1000, 2000.5, 3.25, 1.5}, {second, 0, 2, 1, true, 5, 10, 1, 0}};
  look.waits = {{first, 0, 3, 0, true, 9, 2, 1, 900, 950, 50, 20, 100, 7, "worker", 1, 5, {1, 2}}};
  look.intervals = {{first, second, 0, 4, 400, 200, 1, -60, {3}}};
  look.steps = {{ClockStepKind::kStep, 77, -kMinute, 0, "clock_settime(CLOCK_REALTIME)", 9, 0, "date", "", first}};
  look.kernel = {true, true, 5, 1.5, 100, 37, "", "tsc"};
  look.notes = {"note"};
  return write_clock_look(writer, look);
}

// A short story that makes chunks of every type.
Result<void> record(const std::string& path, std::uint64_t sample_period) {
  RecordingInfo info{"0", "6", "h", "x86_64", "dwell", "", 1, 0, sample_period, sample_period == 0, {{"k", "v"}}};
  std::filesystem::remove(path);
  Result<RecordingWriter> writer = RecordingWriter::create(path, info);
  if (!writer) return writer.error();
  writer->set_process(0, {7, -1, "app", "app -x", 0, 0});
  writer->set_process(1, {8, 0, "app", "app -x", 1, 2});
  auto app = static_cast<std::int32_t>(writer->add_module({"/bin/app", "aa", 8192, ModuleKind::kFile}));
  auto jit = static_cast<std::int32_t>(writer->add_module({"", "", 0, ModuleKind::kJit}));
  std::vector<std::uint32_t> frames = {writer->add_location({app, 16, true}), writer->add_location({app, 32, true})};
  StackId main_stack = writer->add_stack(frames, 0);
  frames.front() = writer->add_location({jit, 0x7000, false});
  StackId jit_stack = writer->add_stack(frames, 3);

  MemoryLedger ledger(0, sample_period);
  Result<void> ok;
  for (std::uint64_t second = 1; second <= 8 && ok; ++second) {
    std::uint64_t now = second * kSecond;
    ledger.apply(Alloc{now - 9, 64 * second, 40 + second, main_stack, 7, 0});
    ledger.apply(Alloc{now - 8, 6400, 100, jit_stack, 7, 0});
    ledger.apply(Free{now - 7, 6400, 7, 0, false});
    ledger.apply(Map{now - 6, 4096 * second, 8192, 0, 0, MemoryKind::kMapping, StackId::kUnknown, 7, 0});
    if (second == 5) ledger.apply(Fork{now - 5, 0, 1});
    if (second == 7) ledger.apply(ProcessExit{now - 4, 1});
    ok = write_memory_tick(*writer, ledger.take_tick(now), ledger.series());
  }
  std::vector<Loss> losses = {{kSecond, LossKind::kFree, 3}};
  if (ok) ok = writer->write_losses(losses);
  if (ok) ok = writer->write_cost({kSecond, 10, 20, 30, 40, 50});
  if (ok) ok = writer->write_note({kSecond, "note"});
  if (ok) ok = writer->write_mark({5 * kSecond});
  if (ok) ok = write_live_blocks(*writer, {8 * kSecond, ledger.live_blocks()}, ledger.series());
  if (ok) ok = write_process_memory(*writer);
  if (ok) ok = write_touched(*writer, main_stack, jit_stack);
  if (ok) ok = write_threads(*writer, main_stack);
  if (ok) ok = write_clocks(*writer, main_stack, jit_stack);
  if (ok) ok = write_descriptors(*writer, main_stack);
  if (ok) ok = write_holding(*writer);
  if (ok) ok = write_pairs(*writer, main_stack);
  if (ok) ok = write_lock_waits(*writer, main_stack, jit_stack);
  std::vector<LocationSymbol> symbols = {{{{"malloc", "", "", 0}}},
                                         {{{"f<int>", "_Z1f", "f.cpp", 9}, {"main", "", "f.cpp", 12}}}};
  if (ok) ok = writer->write_symbols(0, symbols);
  if (ok) ok = writer->finish({8 * kSecond, "done"});
  return ok;
}

// What probes on a Go program tell.
Result<void> write_go_probes(RecordingWriter& writer, StackId stack) {
  GoAllocs allocs{kSecond, kSecond, kSecond / 2, 3, 10, 20, 30, 1, 4, 1, {}, {"note"}};
  allocs.sites = {{stack, 0, 9, 4, 900, 9000, 90, 400, 4000, 40}};
  GoParks parks{kSecond, kSecond, kSecond / 2, 3, 5, 10, 20, 30, 1, {"select", "sleep"}, {}, {"note"}};
  parks.sites = {{stack, 0, false, 1, 5, 10, 2, 1000, 50, 1, 1, 300, 2, 7},
                 {stack, 0, true, 0, 5, 10, 2, 0, 0, 0, 0, 0, 0, 0}};
  GoContexts contexts{kSecond, kSecond, 10, 20, 30, 1, 2, {"deadline", "cancel < background"}, {}, {"note"}};
  contexts.sites = {{stack, 0, 0, 1, 9, 4, 1, 4, 700, 80, 30}};
  Result<void> ok = write_go_allocs(writer, allocs);
  if (ok) ok = write_go_parks(writer, parks);
  return ok ? write_go_contexts(writer, contexts) : ok;
}

// The same of a Go program.
Result<void> record_go(const std::string& path) {
  std::filesystem::remove(path);
  Result<RecordingWriter> writer = RecordingWriter::create(path, {"0", "6", "h", "x86_64", "dwell", "", 1, 0, 0, false, {}});
  if (!writer) return writer.error();
  writer->set_process(0, {7, -1, "app", "app", 0, 0});
  auto app = static_cast<std::int32_t>(writer->add_module({"/bin/app", "aa", 8192, ModuleKind::kFile}));
  std::vector<std::uint32_t> frames = {writer->add_location({app, 16, true}), writer->add_location({app, 32, true})};
  GoStack stack{writer->add_stack(frames, 0), {true, false}};
  std::vector<GoBucket> buckets = {{0, GoProfileKind::kHeap, 64, stack}, {0, GoProfileKind::kMutex, 0, stack}};
  Result<void> ok;
  for (std::int64_t second = 1; second <= 8 && ok; ++second) {
    std::uint64_t now = static_cast<std::uint64_t>(second) * kSecond;
    ok = write_go_profile(
        *writer,
        {now, 0, GoProfileKind::kHeap, 4096, 0, {{0, {second, 64 * second, 9 * second, 576 * second}}}},
        buckets);
    if (ok)
      ok = write_go_profile(
          *writer, {now, 0, GoProfileKind::kMutex, 1, 1000, {{1, {second, 7 * second, 0, 0}}}}, buckets);
    GoLook look;
    look.time_ns = now;
    look.version = "go1.24.4";
    look.figures.alive = static_cast<std::uint64_t>(second);
    look.collector = Collector{1, 2, 3, 0.5, {{4, 5}}, 100, 6, 7, 8, 9, 10, 11, 12};
    look.stuck = GoStuck{{5, 6}, true, "", 2, 3, 4, 5};
    GoGroup& group = look.groups.emplace_back();
    group.count = static_cast<std::uint64_t>(second);
    group.state = "select";
    group.waits = group.stuck = true;
    group.longest_wait_ns = now;
    group.stack = stack;
    group.creator = {stack.stack, {false}};
    group.labels = {{{{"k", "v"}}, 1}};
    group.examples.emplace_back().wait.channels.emplace_back();
    if (ok) ok = write_go_look(*writer, look);
  }
  if (ok) ok = write_go_probes(*writer, stack.stack);
  if (ok) ok = writer->write_symbols(0, std::vector<LocationSymbol>(2, {{{"main.f", "", "f.go", 9}}}));
  return ok ? writer->finish({8 * kSecond, "done"}) : ok;
}

Result<void> make_corpus(const std::string& folder) {
  for (const char* kind : {"sampled", "whole", "go"}) {
    std::string name = folder + "/" + kind, file = name + ".file";
    Result<void> ok = kind == std::string("go") ? record_go(file) : record(file, kind == std::string("sampled") ? 4096 : 0);
    if (!ok) return ok;
    Result<std::string> bytes = read_file(file);
    if (!bytes) return bytes.error();
    ok = write_file_atomically(file, "F" + *bytes);
    if (ok) ok = write_file_atomically(name + ".script", "S" + script_from_file(std::as_bytes(std::span(*bytes))));
    if (!ok) return ok;
  }
  return {};
}

}  // namespace
}  // namespace dwell

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_recording_corpus FOLDER\n");
    return 2;
  }
  dwell::Result<void> made = dwell::make_corpus(argv[1]);
  if (!made) std::fprintf(stderr, "make_recording_corpus: %s\n", made.error().what.c_str());
  return made ? 0 : 1;
}
