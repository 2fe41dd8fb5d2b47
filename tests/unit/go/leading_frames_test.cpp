// SPDX-License-Identifier: Apache-2.0
// What Go's own profiles leave out at the leaf, ours do, too.
#include "userspace/go/record/leading_frames.h"

#include <gtest/gtest.h>

#include "userspace/go/heap/allocs_report.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

Recording recording_of(const std::vector<std::string>& functions) {
  Recording recording;
  recording.processes = {{7, -1, "app", "app", 0, 0}};
  recording.modules = {{"/bin/app", "", 4096, ModuleKind::kFile}};
  recording.stacks = {{}, {}};
  for (const std::string& function : functions) {
    std::uint32_t index = static_cast<std::uint32_t>(recording.locations.size());
    recording.locations.push_back({0, 16 * (index + 1), true});
    recording.symbols.push_back({{{function, "", "app.go", 10 + index}}});
    recording.stacks[1].locations.push_back(index);
  }
  return recording;
}

std::size_t of_allocator(const std::vector<std::string>& functions) {
  Recording recording = recording_of(functions);
  return leading_of_allocator(FrameTexts(recording), recording.stacks[1]);
}
std::size_t of_wait(const std::vector<std::string>& functions) {
  Recording recording = recording_of(functions);
  return leading_of_wait(FrameTexts(recording), recording.stacks[1]);
}

TEST(LeadingFrames, OfTheAllocatorAreLeftOut) {
  EXPECT_EQ(of_allocator({"runtime.(*mcache).nextFree", "runtime.mallocgc", "main.keep", "runtime.main"}), 2u);
  EXPECT_EQ(of_allocator({"internal/runtime/maps.newTable", "runtime.mapassign", "main.keep"}), 2u);
  EXPECT_EQ(of_allocator({"main.keep"}), 0u);
  EXPECT_EQ(of_allocator({"runtime.malg", "runtime.newproc1"}), 0u) << "all of it: Go shows it whole";
}

TEST(LeadingFrames, OfAWaitEndAtWhatTheProgramCalled) {
  EXPECT_EQ(of_wait({"runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1", "main.serve"}), 2u);
  EXPECT_EQ(of_wait({"runtime.gopark", "runtime.selectgo", "main.serve"}), 1u);
  EXPECT_EQ(of_wait({"runtime.gopark", "runtime.semacquire1", "sync.runtime_SemacquireMutex", "sync.(*Mutex).lockSlow",
                     "main.update"}),
            3u);
}

TEST(LeadingFrames, AreNotInTheExportedHeapProfile) {
  Recording recording = recording_of({"runtime.(*mcache).nextFree", "runtime.mallocgc", "main.keep", "runtime.main"});
  GoAllocs allocs;
  GoAllocFacts facts;
  facts.stack = StackId{1};
  facts.inuse_bytes = 4096;
  allocs.sites = {facts};
  go_of(recording).allocs = allocs;
  Profile profile = go_allocs_profile(recording);
  ASSERT_EQ(profile.samples.size(), 1u);
  EXPECT_EQ(profile.samples[0].stack.size(), 2u);
}

}  // namespace
}  // namespace dwell
