// SPDX-License-Identifier: Apache-2.0
// What is not seen comes first, and what can be seen by another way is seen.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

#include "tests/end_to_end/harness.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kUnsupported = 5;

struct Place {
  std::string path;
  unsigned long offset;
};

// Where a function of the C library lies in its file.
Place place_of(const char* function) {
  auto address = reinterpret_cast<unsigned long>(dlsym(RTLD_DEFAULT, function));
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long start = 0, end = 0, offset = 0;
    char path[4096] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx %*s %*s %4095s", &start, &end, &offset, path) < 3) continue;
    if (address >= start && address < end) return {path, address - start + offset};
  }
  return {"", 0};
}

class Unseen : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }

  void start(const std::string& target, const std::vector<std::string>& options = {}) {
    target_ = std::make_unique<Program>(std::vector<std::string>{target_binary(target)}, environment());
    ASSERT_TRUE(target_->wait_for_output("ready")) << target_->errors();
    put_probes();
    recording_ = std::make_unique<Recording>(target_->pid(), file(), options);
    ASSERT_TRUE(recording_->attached()) << recording_->program().errors();
    target_->write_line("go");
    ASSERT_TRUE(target_->wait_for_output("done"));
  }
  virtual std::vector<std::string> environment() { return {}; }
  virtual void put_probes() {}
  void put_probe(const std::string& path, pid_t pid, unsigned long first, unsigned long last) {
    others_.push_back(std::make_unique<Program>(std::vector<std::string>{
        target_binary("other_probe"), path, std::to_string(pid), std::to_string(first), std::to_string(last)}));
    bool ready = others_.back()->wait_for_output("ready");
    others_.back()->wait_for_error("perf_event_open", std::chrono::seconds(ready ? 0 : 1));
    ASSERT_TRUE(ready) << others_.back()->errors();
  }
  std::string file() const { return folder_.file("r.dwell"); }
  std::string text() const { return run({dwell_binary(), "report", file()}).output; }

  TemporaryFolder folder_;
  std::unique_ptr<Program> target_;
  std::vector<std::unique_ptr<Program>> others_;
  std::unique_ptr<Recording> recording_;
};

void expect_kept_blocks(const nlohmann::json& report) {
  std::vector<nlohmann::json> sites = sites_in(report, "keep_block");
  EXPECT_EQ(sum(sites, "retained_blocks"), 100);
  EXPECT_EQ(sum(sites, "retained_bytes"), 100'000);
  for (const nlohmann::json& site : sites) EXPECT_TRUE(site["incomplete"].is_null()) << site["incomplete"];
}

// On a copy of the C library: others on this machine are not to meet these probes.
class OtherProbes : public Unseen {
 protected:
  std::vector<std::string> environment() override {
    std::filesystem::copy_file(place_of("malloc").path, folder_.file("libc.so.6"));
    return {"LD_LIBRARY_PATH=" + folder_.path()};
  }
  void put_probes() override {
    for (const char* function : {"malloc", "calloc", "realloc", "free"})
      put_probe(folder_.file("libc.so.6"), target_->pid(), place_of(function).offset, place_of(function).offset);
  }
};

// The kernel takes no second probe where one with a reference counter stands, as those of BCC of Debian 12 do.
TEST_F(OtherProbes, OnTheSameInstructionsTheNextPlacesAreTaken) {
  start("keeps_blocks");
  EXPECT_EQ(recording_->stop(), 0) << recording_->program().errors();
  nlohmann::json report = testing::report(file());
  EXPECT_TRUE(report["unseen"].empty()) << report["unseen"];
  expect_kept_blocks(report);
  expect_nothing_lost(report);
}

class NoPlaceLeft : public Unseen {
 protected:
  // All of malloc, in a file that the other tool's process does not run: its own code stays as it is.
  void put_probes() override {
    FILE* symbols = ::popen(("nm -S " + target_binary("keeps_blocks_own")).c_str(), "r");
    ASSERT_TRUE(symbols);
    char line[512];
    while (std::fgets(line, sizeof line, symbols)) {
      unsigned long address = 0, size = 0;
      char kind = 0, name[256] = "";
      if (std::sscanf(line, "%lx %lx %c %255s", &address, &size, &kind, name) != 4 || std::string(name) != "malloc") continue;
      put_probe(target_binary("keeps_blocks_own"), getpid(), address, address + size - 1);
    }
    ::pclose(symbols);
    ASSERT_EQ(others_.size(), 1u);
  }
};

TEST_F(NoPlaceLeft, WhatIsNotSeenIsTheFirstLineAndTheExitCode) {
  start("keeps_blocks_own");
  EXPECT_EQ(recording_->stop(), kUnsupported) << recording_->program().errors();
  nlohmann::json report = testing::report(file());
  ASSERT_EQ(report["unseen"].size(), 1u);
  EXPECT_THAT(report["unseen"][0]["what"], HasSubstr("malloc in "));
  EXPECT_THAT(report["unseen"][0]["why"], HasSubstr("another tool's probe"));
  EXPECT_THAT(text(), StartsWith("NOT SEEN: malloc in "));
}

TEST_F(NoPlaceLeft, PartialFiguresCanBeAskedFor) {
  start("keeps_blocks_own", {"--partial"});
  EXPECT_EQ(recording_->stop(), 0) << recording_->program().errors();
  EXPECT_THAT(text(), StartsWith("NOT SEEN: malloc in "));
}

TEST_F(Unseen, AllocatorsOfSanitizersAreSeen) {
  for (const char* sanitizer : {"address", "thread"}) {
    start(std::string("keeps_blocks_") + sanitizer);
    EXPECT_EQ(recording_->stop(), 0) << recording_->program().errors();
    nlohmann::json report = testing::report(file());
    EXPECT_EQ(sum(sites_in(report, "keep_block"), "retained_bytes"), 100'000) << sanitizer;
    target_.reset();
    std::remove(file().c_str());
  }
}

TEST_F(Unseen, AnAllocatorInsideAStrippedProgramIsToldFirst) {
  Finished record = run({dwell_binary(), "record", "-o", file(), "--", target_binary("hidden_allocator")});
  EXPECT_EQ(record.exit, kUnsupported) << record.errors;
  EXPECT_THAT(text(), StartsWith("NOT SEEN: jemalloc inside "));
}

TEST_F(Unseen, TheHeapOfAStaticStrippedProgramIsToldFirst) {
  Program record({dwell_binary(), "record", "-o", file(), "--", target_binary("keeps_blocks_stripped")});
  ASSERT_TRUE(record.wait_for_output("ready")) << record.errors();
  record.write_line("go");
  ASSERT_TRUE(record.wait_for_output("done"));
  record.write_line("end");
  EXPECT_EQ(record.wait(), kUnsupported) << record.errors();
  EXPECT_THAT(text(), StartsWith("NOT SEEN: the heap: "));
  EXPECT_THAT(text(), Not(HasSubstr("No memory was allocated")));
}

// The threads' caches are of blocks that were freed before, and nothing is older than the program.
TEST_F(Unseen, WhatEndingThreadsGiveBackIsToldAsThat) {
  Finished record = run({dwell_binary(), "record", "-q", "-o", file(), "--", target_binary("thread_caches")});
  ASSERT_EQ(record.exit, 0) << record.errors;
  nlohmann::json odd = testing::report(file())["surprises"];
  EXPECT_GE(odd["cache_frees"], 20 * 7) << odd;
  EXPECT_EQ(odd["unknown_frees"], odd["cache_frees"]);
  EXPECT_THAT(text(), HasSubstr("frees of cached blocks by threads that ended"));
  EXPECT_THAT(text(), Not(HasSubstr("before the recording began")));
}

TEST_F(Unseen, TheRecordingBeginsWhenTheProbesAreInPlace) {
  start("keeps_blocks");
  EXPECT_EQ(recording_->stop(), 0);
  nlohmann::json report = testing::report(file());
  // It allocated at once: what it keeps is nearly as old as the recording.
  double oldest_ns = sites_in(report, "keep_block").at(0)["oldest_age_ns"];
  double attached_ns = report["recording"]["duration_ns"];
  EXPECT_LE(oldest_ns, attached_ns);
  EXPECT_GE(report["processes"][0]["pid"], 1);
}

}  // namespace
}  // namespace dwell::testing
