// SPDX-License-Identifier: Apache-2.0
// A small recording that has something of everything, and the way to write it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "userspace/base/files.h"
#include "userspace/subjects/chunks.h"
#include "userspace/recording/writer.h"
#include "userspace/memory/part.h"
#include "userspace/memory/codec.h"

namespace dwell {

struct TemporaryFolder {
  std::string path = testing::TempDir() + "dwell-recording-XXXXXX";
  TemporaryFolder() { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return path + "/" + name; }
};

inline std::span<const std::byte> bytes_of(const std::string& content) { return std::as_bytes(std::span(content)); }

inline Recording sample_recording(std::uint64_t sample_period = 0) {
  Recording r;
  r.info = {"0.1.0", "6.18.5", "box", "x86_64", "dwell record -p 4711", "pod-7", 1'700'000'000'000'000'000, 5'000'000'000,
            sample_period, true, {{"cpus", "2"}, {"note", "of the morning"}}};
  r.processes = {{4711, -1, "redis-server", "redis-server *:6379", 5'000'000'000, 0},
                 {4712, 0, "redis-server", "redis-server *:6379", 6'000'000'000, 8'000'000'000}};
  r.modules = {{"/usr/bin/redis-server", "00ff", 1234567, ModuleKind::kFile,
                {{0x2000, 0x9000, 0x403000}, {0xb000, 16, 0x50d000}}},
               {"[vdso]", "", 8192, ModuleKind::kVdso},
               {"/tmp/perf-4711.map", "", 0, ModuleKind::kJit}};
  r.locations = {{0, 0x1234, true}, {0, 0x2000, true}, {1, 0x10, false}, {-1, 0xffff800000001000, true}, {0, 0x99, true}};
  r.stacks = {{}, {{0, 1}, 0}, {{4, 1}, 0}, {{2, 3, 0, 1}, 1}, {{}, 4}, {{0}, 0}};
  r.symbols = {{{{"zmalloc", "", "zmalloc.c", 131}, {"sdsnew", "", "sds.c", 12}}}, {}, {{{"a<int>::b()", "_ZN1aIiE1bEv", "", 0}}}};
  memory_of(r).series = {{StackId{1}, MemoryKind::kHeap, 0}, {StackId{3}, MemoryKind::kMapping, 0}, {StackId{1}, MemoryKind::kHeap, 1}};
  MemoryTick first;
  first.start_ns = 5'000'000'000;
  first.end_ns = 6'000'000'000;
  first.events = 1'000'000;
  first.rows = {{0, 1000, 64000, 990, 63360, 5, 320}, {1, 1, 1 << 20, 0, 0, 0, 0}};
  first.lifetimes = {{0, 10, 980, 62720}, {0, 33, 10, 640}};
  first.peaks = {{0, MemoryKind::kHeap, 5'500'000'000, 960}};
  first.surprises = {1, 2, 3, 4};
  MemoryTick second;
  second.start_ns = 6'000'000'000;
  second.end_ns = 8'000'000'000;
  second.events = 7;
  second.rows = {{0, 3, 200, 13, 840, -1, -640}, {2, 0, 0, 0, 0, 0, 0}};
  second.moved = {{2, 10, 640, 0, 0, 0}};
  if (sample_period) {
    first.scaled = {{{1000 * 4096, 64000 * 4, 17}, {990 * 4096, 63360 * 4, 16}}, {{1024, 1 << 20, 0}, {}}};
    second.scaled = {{{9, 8, 7}, {100, 200, 300}}, {}};
    second.moved[0] = {2, 10, 640, 10 * 4096, 640 * 4, 2};
  }
  memory_of(r).ticks = {first, second};
  memory_of(r).live = {8'000'000'000, {{0x55550010, 64, 5'100'000'000, 0, 4711, false}, {0x7fff0000, 4096, 5'200'000'000, 1, 4713, false},
            {0x7fff8000, 8192, 5'200'000'000, 1, 4713, true}}};
  r.losses = {{7'000'000'000, LossKind::kFree, 12}, {7'000'000'000, LossKind::kStackTableFull, 1}};
  r.costs = {{6'000'000'000, 1000, 2000, 3000, 4000, 5000}};
  r.notes = {{6'500'000'000, "libfoo.so arrived late"}};
  r.marks = {{6'200'000'000}, {6'800'000'000}};
  r.end = {8'000'000'000, "interrupted"};
  r.ended = true;
  return r;
}

// A recording that has only the tables of `r` so far. One that stands there goes.
inline Result<RecordingWriter> begin_recording(const std::string& path, const Recording& r) {
  std::filesystem::remove(path);
  Result<RecordingWriter> writer = RecordingWriter::create(path, r.info);
  if (!writer) return writer;
  for (std::size_t slot = 0; slot < r.processes.size(); ++slot)
    writer->set_process(static_cast<ProcessSlot>(slot), r.processes[slot]);
  for (const Module& module : r.modules) writer->add_module(module);
  for (const Location& location : r.locations) writer->add_location(location);
  for (std::size_t i = 1; i < r.stacks.size(); ++i) writer->add_stack(r.stacks[i].locations, r.stacks[i].end);
  return writer;
}

// Writes all that is in `r`, in the order in which a recorder would.
inline Result<void> write_recording(const std::string& path, const Recording& r, bool with_symbols = true) {
  Result<RecordingWriter> writer = begin_recording(path, r);
  if (!writer) return writer.error();
  Result<void> ok;
  for (const MemoryTick& tick : memory_of(r).ticks)
    if (ok) ok = write_memory_tick(*writer, tick, memory_of(r).series);
  if (ok) ok = writer->write_losses(r.losses);
  for (const CostSample& cost : r.costs)
    if (ok) ok = writer->write_cost(cost);
  for (const Note& note : r.notes)
    if (ok) ok = writer->write_note(note);
  for (const Mark& mark : r.marks)
    if (ok) ok = writer->write_mark(mark);
  if (ok) ok = write_live_blocks(*writer, memory_of(r).live, memory_of(r).series);
  if (ok && with_symbols) ok = writer->write_symbols(0, r.symbols);
  if (ok && r.ended) ok = writer->finish(r.end);
  return ok;
}

inline std::string recording_bytes(const Recording& recording) {
  TemporaryFolder folder;
  EXPECT_TRUE(write_recording(folder.file("r.dwell"), recording));
  return *read_file(folder.file("r.dwell"));
}

inline void expect_same(const Recording& a, const Recording& b) {
  EXPECT_EQ(a.info, b.info);
  EXPECT_EQ(a.processes, b.processes);
  EXPECT_EQ(a.modules, b.modules);
  EXPECT_EQ(a.locations, b.locations);
  EXPECT_EQ(a.stacks, b.stacks);
  EXPECT_EQ(a.symbols, b.symbols);
  EXPECT_EQ(memory_of(a).series, memory_of(b).series);
  EXPECT_EQ(memory_of(a).ticks, memory_of(b).ticks);
  EXPECT_EQ(memory_of(a).live, memory_of(b).live);
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.costs, b.costs);
  EXPECT_EQ(a.notes, b.notes);
  EXPECT_EQ(a.end, b.end);
  EXPECT_EQ(a.ended, b.ended);
}

}  // namespace dwell
