// SPDX-License-Identifier: Apache-2.0
// A look at three threads: one serves, two wait for the same mutex, at the same place.
#pragma once

#include "userspace/recording/model.h"
#include "userspace/threads/part.h"

namespace dwell {

inline Recording sample_look_recording() {
  Recording recording;
  recording.info.start_monotonic_ns = 1'000'000'000;
  recording.processes = {{4711, -1, "server", "server --port 0", 1'000'000'000, 0}};
  recording.modules = {{"/usr/bin/server", "00ff", 4096, ModuleKind::kFile}};
  recording.locations = {{0, 0x10, true}, {0, 0x20, true}, {0, 0x30, true}};
  recording.stacks = {{}, {{0, 2}, 0}, {{1, 2}, 0}};
  recording.symbols = {
      {{{"serve", "", "server.c", 10}}}, {{{"lock", "", "server.c", 20}}}, {{{"main", "", "server.c", 30}}}};
  ThreadLook look;
  look.time_ns = 61'000'000'000;
  look.duration_ns = 1'000;
  look.locks = {{0x1000, WaitKind::kMutex, "mutex queue_lock", false, OwnerState::kThread, 10, "server (10)"}};
  ThreadFacts serving;
  serving.tid = serving.own_tid = 10;
  serving.name = "server";
  serving.state = ThreadState::kRunning;
  serving.since_ns = look.time_ns;
  serving.cpu_ns = 5'000'000'000;
  serving.moved = true;
  serving.stack = StackId{1};
  ThreadFacts waiting;
  waiting.tid = waiting.own_tid = 11;
  waiting.name = "worker";
  waiting.wait = WaitKind::kMutex;
  waiting.waits_for = "mutex queue_lock";
  waiting.lock = 0;
  waiting.call = 202;
  waiting.since_ns = 1'000'001'000;
  waiting.voluntary_switches = 3;
  waiting.stack = StackId{2};
  ThreadFacts later = waiting;
  later.tid = later.own_tid = 12;
  later.since_ns = 31'000'001'000;
  look.threads = {serving, waiting, later};
  threads_of(recording).looks = {look};
  return recording;
}

}  // namespace dwell
