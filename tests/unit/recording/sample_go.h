// SPDX-License-Identifier: Apache-2.0
// What a recording holds of a Go program, something of everything, and the way to write it.
#pragma once

#include "sample_recording.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {

inline GoLook sample_go_look(std::uint64_t time_ns) {
  GoLook look;
  look.time_ns = time_ns;
  look.duration_ns = 700'000;
  look.time_unix_ns = 1'700'000'000'000'000'000;
  look.process = 1;
  look.version = "go1.24.4";
  look.module = "/usr/bin/server";
  look.note = "go1.99 is not known to dwell";
  look.figures = {40, 33, 5, 1, 2, 3};
  look.no_heap = "the program keeps none";
  look.collector = Collector{
      9,     2,     123'456, 0.0125, {{1'700'000'000'000'000'000, 65'000}, {7, 8}}, -1, std::int64_t{1} << 40,
      5'000, 9'000, 10'000};
  look.stuck = GoStuck{{7, 9, 4'000'000}, false, "a goroutine ran in all looks", 6, 12, 1 << 20, 99};
  GoGroup& leaked = look.groups.emplace_back();
  leaked.count = 30;
  leaked.state = "chan receive";
  leaked.waits = leaked.stuck = true;
  leaked.without_time = 4;
  leaked.longest_wait_ns = 60'000'000'000;
  leaked.shortest_wait_ns = 0;
  leaked.stack = {StackId{1}, {true, false, false}};
  leaked.creator = {StackId{5}, {false}};
  leaked.labels = {{{{"job", "a"}, {"user", "b"}}, 29}};
  GoroutineExample& example = leaked.examples.emplace_back();
  example.id = 7;
  example.parent = 1;
  example.waiting_for_ns = 60'000'000'000;
  example.wait.channels = {{0xc000'0001'2340, false, 0, 16, true, 30, 2, 77}, {}};
  example.wait.more_channels = 3;
  example.labels = {{"job", "a"}};
  leaked.examples.emplace_back().wait.lock = GoLock{"sync.Mutex", 0xc000'0000'0010, "locked, 3 wait"};
  leaked.examples.emplace_back().wait.descriptor = GoDescriptor{5, true, "socket 5 to 127.0.0.1:6379"};
  leaked.examples.emplace_back().wait.until_ns = 88;
  GoGroup& running = look.groups.emplace_back();
  running.count = 3;
  running.state = "running";
  running.stack_state = GoStackState::kRunning;
  running.of_runtime = true;
  running.examples.emplace_back().thread = 4712;
  return look;
}

inline Recording sample_go_recording() {
  Recording r = sample_recording();
  go_of(r).looks = {sample_go_look(6'000'000'000), sample_go_look(7'000'000'000)};
  go_of(r).buckets = {{1, GoProfileKind::kHeap, 512, {StackId{2}, {false, false}}},
                  {1, GoProfileKind::kMutex, 0, {StackId{1}, {false, true, false}}},
                  {1, GoProfileKind::kHeap, 48, {}}};
  go_of(r).profiles = {
      {6'000'000'000, 1, GoProfileKind::kHeap, 524'288, 0, {{0, {10, 5120, 12, 6144}}, {2, {0, 0, 1, 48}}}},
      {6'000'000'000, 1, GoProfileKind::kMutex, 5, 2'100'000'000, {{1, {3, -9'000'000, 0, 0}}}},
      {7'000'000'000, 1, GoProfileKind::kHeap, 524'288, 0, {{0, {11, 5632, 20, 10'240}}}}};
  return r;
}

// Behind what sample_recording() has; the tables of `r` must be those of it.
inline Result<void> write_go_recording(const std::string& path, const Recording& r) {
  Result<RecordingWriter> writer = begin_recording(path, r);
  if (!writer) return writer.error();
  Result<void> ok;
  for (const GoProfileLook& look : go_of(r).profiles)
    if (ok) ok = write_go_profile(*writer, look, go_of(r).buckets);
  for (const GoLook& look : go_of(r).looks)
    if (ok) ok = write_go_look(*writer, look);
  if (ok) ok = writer->write_symbols(0, r.symbols);
  return ok ? writer->finish(r.end) : ok;
}

inline std::string go_recording_bytes(const Recording& recording) {
  TemporaryFolder folder;
  EXPECT_TRUE(write_go_recording(folder.file("go.dwell"), recording));
  return *read_file(folder.file("go.dwell"));
}

inline void expect_same_go(const Recording& a, const Recording& b) {
  EXPECT_EQ(go_of(a).looks, go_of(b).looks);
  EXPECT_EQ(go_of(a).buckets, go_of(b).buckets);
  EXPECT_EQ(go_of(a).profiles, go_of(b).profiles);
  EXPECT_EQ(a.symbols, b.symbols);
}

}  // namespace dwell
