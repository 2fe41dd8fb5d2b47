// SPDX-License-Identifier: Apache-2.0
#include "ui/call_tree.h"

#include <gtest/gtest.h>

#include "tests/unit/ui/sample_profiles.h"

namespace dwell {
namespace {

const CallNode& child(const CallTree& tree, const CallNode& parent, std::string_view name) {
  for (std::uint32_t index : parent.children) {
    if (tree.frames[tree.nodes[index].frame].function == name) return tree.nodes[index];
  }
  ADD_FAILURE() << "no child " << name;
  return tree.nodes[0];
}

TEST(CallTree, SumsMeetAtTheRoot) {
  Profile profile = server_profile();
  CallTree tree = call_tree(profile, 1);
  std::int64_t total = 0;
  for (const ProfileSample& sample : profile.samples) total += sample.values[1];
  EXPECT_EQ(tree.nodes[0].value, total);
  EXPECT_EQ(tree.nodes[0].weight, static_cast<std::uint64_t>(total));
  for (const CallNode& node : tree.nodes) {
    std::int64_t sum = node.self;
    for (std::uint32_t index : node.children) sum += tree.nodes[index].value;
    EXPECT_EQ(node.value, sum);
  }
}

TEST(CallTree, InlinedCallsStandBelowTheFunctionThatHoldsThem) {
  Profile profile = server_profile();
  CallTree tree = call_tree(profile, 1);
  const CallNode& start = child(tree, tree.nodes[0], "__libc_start_main");
  const CallNode& run = child(tree, child(tree, start, "main"), "Server::run()");
  const CallNode& handle = child(tree, run, "Server::handle(Request const&)");
  const CallNode& insert = child(tree, handle, "Cache::insert");
  EXPECT_FALSE(tree.frames[handle.frame].inlined);
  EXPECT_TRUE(tree.frames[insert.frame].inlined);
  EXPECT_EQ(insert.value, 41943040);
}

TEST(CallTree, CallLinesOfOneFunctionMergeAndTheHeaviestIsNamed) {
  Profile profile = server_profile();
  CallTree tree = call_tree(profile, 1);
  const CallNode& start = child(tree, tree.nodes[0], "__libc_start_main");
  EXPECT_EQ(start.children.size(), 1u);
  EXPECT_EQ(child(tree, start, "main").line, 12u);
}

TEST(CallTree, AStackWithoutFramesIsUnknownNotLost) {
  Profile profile = server_profile();
  CallTree tree = call_tree(profile, 1);
  EXPECT_EQ(child(tree, tree.nodes[0], "[unknown]").self, 64);
}

TEST(CallTree, OppositeChangesStayVisible) {
  Profile profile = difference_profile();
  CallTree tree = call_tree(profile, 0);
  const CallNode& steady = child(tree, child(tree, tree.nodes[0], "main"), "steady");
  EXPECT_EQ(steady.value, 0);
  EXPECT_EQ(steady.weight, 2u * 1'048'576);
}

TEST(CallTree, WhatCancelsInOneStackHasNoWeight) {
  Profile profile = difference_profile();
  CallTree tree = call_tree(profile, 0);
  EXPECT_EQ(child(tree, child(tree, tree.nodes[0], "main"), "moved").weight, 0u);
}

}  // namespace
}  // namespace dwell
