// SPDX-License-Identifier: Apache-2.0
// Programs that unwind, jump, switch stacks, catch signals, fork, exec, and look at themselves print the same
// and end the same under dwell. Each is run alone and in one of the ways, another one for each program;
// scripts/prove-same-outcome runs them in all of them, again and again.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/end_to_end/harness.h"
#include "tests/safety/programs.h"
#include "tests/safety/ways.h"

namespace dwell::testing {
namespace {

constexpr unsigned kDefaultSeed = 1;

int setting(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value ? std::atoi(value) : otherwise;
}

struct Attempt {
  SafetyProgram program;
  Way way;
  std::chrono::milliseconds wait;
};

void check(const Attempt& run) {
  Outcome outcome = run_program(run.program, run.way, run.wait);
  EXPECT_EQ(outcome.output, run.program.output) << run.program.name << ", " << run.way.name << ", " << run.wait.count() << " ms";
  EXPECT_EQ(outcome.exit, run.program.exit) << run.program.name << ", " << run.way.name << ", " << run.wait.count() << " ms";
}

// Several at a time: most of a run is waiting.
void check_all(const std::vector<Attempt>& runs) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < setting("DWELL_SAFETY_WORKERS", 6); ++i)
    workers.emplace_back([&] {
      for (std::size_t at = next++; at < runs.size(); at = next++) check(runs[at]);
    });
  for (std::thread& worker : workers) worker.join();
}

// All ways, or one for each program, such that all have their turn.
std::vector<Attempt> choose(const std::vector<Way>& among) {
  std::mt19937 random(static_cast<unsigned>(setting("DWELL_SAFETY_SEED", kDefaultSeed)));
  std::vector<Attempt> runs;
  std::size_t turn = 0;
  bool all = setting("DWELL_SAFETY_ALL", 0) != 0;
  for (const SafetyProgram& program : safety_programs()) {
    std::vector<Way> fitting;
    for (const Way& way : among)
      if (way.launches || program.gated) fitting.push_back(way);
    if (fitting.empty()) continue;
    if (!all) fitting = {fitting[turn++ % fitting.size()]};
    for (const Way& way : fitting) runs.push_back({program, way, std::chrono::milliseconds(random() % 1200)});
  }
  return runs;
}

std::vector<Way> ways_that(const std::function<bool(const Way&)>& wanted) {
  std::vector<Way> result;
  for (const Way& way : ways())
    if (wanted(way)) result.push_back(way);
  return result;
}

TEST(Safety, ThereAreEnoughPrograms) { EXPECT_GE(safety_programs().size(), 60u); }

TEST(Safety, ProgramsComeOutAsExpectedAlone) {
  std::vector<Attempt> runs;
  for (const SafetyProgram& program : safety_programs()) runs.push_back({program, ways()[0], {}});
  check_all(runs);
}

TEST(Safety, ProgramsComeOutTheSameUnderDwell) {
  DWELL_NEEDS_BPF();
  check_all(choose(ways_that([](const Way& way) { return !way.command.empty() && !way.killed; })));
}

TEST(Safety, ProgramsComeOutTheSameWhenDwellIsKilled) {
  DWELL_NEEDS_BPF();
  std::vector<Attempt> runs = choose(ways_that([](const Way& way) { return way.killed; }));
  // A third of them, unless all are asked for.
  if (!setting("DWELL_SAFETY_ALL", 0)) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < runs.size(); i += 3) runs[kept++] = runs[i];
    runs.resize(kept, runs[0]);
  }
  check_all(runs);
}

}  // namespace
}  // namespace dwell::testing
