// SPDX-License-Identifier: Apache-2.0
// What recordings hold of Go programs.
#include "sample_go.h"
#include "userspace/recording/bytes.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {
namespace {

TEST(GoChunks, WhatIsWrittenIsReadBack) {
  Recording recording = sample_go_recording();
  go_of(recording).profiles[0].rows[1].pending = {7, 336};
  Result<Recording> read = parse_recording(bytes_of(go_recording_bytes(recording)), "go.dwell");
  ASSERT_TRUE(read) << read.error().what;
  expect_same_go(*read, recording);
}

// Made once by the first dwell that recorded goroutines, and kept: what it recorded is read for ever.
TEST(GoChunks, ARecordingOfTheFirstVersionIsStillRead) {
  Result<Recording> read = read_recording(std::string(GOLDEN_FOLDER) + "/go-version-1.dwell");
  ASSERT_TRUE(read) << read.error().what;
  expect_same_go(*read, sample_go_recording());
}

TEST(GoChunks, AFileCutOffAtAnyByteKeepsItsWholeLooks) {
  Recording whole = sample_go_recording();
  std::string bytes = go_recording_bytes(whole);
  std::size_t most = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Result<Recording> read = parse_recording(bytes_of(bytes).first(size), "go.dwell");
    if (!read) continue;
    ASSERT_GE(go_of(*read).looks.size(), most);
    most = go_of(*read).looks.size();
    for (std::size_t i = 0; i < most; ++i) EXPECT_EQ(go_of(*read).looks[i], go_of(whole).looks[i]);
  }
  EXPECT_EQ(most, 2u);
}

// Chunks whose checksums are right and whose content lies.
Result<Recording> behind_good_tables(std::uint32_t type, const std::string& payload) {
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) +
                      make_chunk(kChunkProcess, 1, encode_process(0, {})) +
                      make_chunk(kChunkGoBuckets, 2, encode_go_buckets(0, std::vector<GoBucket>{{}})) +
                      make_chunk(type, 3, payload);
  return parse_recording(bytes_of(bytes), "r.dwell");
}

void expect_refused(std::uint32_t type, const std::string& payload, const std::string& why) {
  Result<Recording> read = behind_good_tables(type, payload);
  ASSERT_FALSE(read) << why;
  EXPECT_EQ(read.error().exit, Exit::kBadInput);
  EXPECT_NE(read.error().what.find(why), std::string::npos) << read.error().what;
}

TEST(GoChunks, IndicesOfWhatWasNeverToldAreRefused) {
  GoLook look;
  look.process = 1;
  expect_refused(kChunkGoLook, encode_go_look(look), "process 1 of 1");
  look.process = 0;
  look.groups.emplace_back().stack.stack = StackId{1};
  expect_refused(kChunkGoLook, encode_go_look(look), "stack 1 of 1");
  look.groups[0].stack.stack = StackId::kUnknown;
  look.groups[0].creator.stack = StackId{7};
  expect_refused(kChunkGoLook, encode_go_look(look), "stack 7 of 1");
  expect_refused(kChunkGoBuckets, encode_go_buckets(5, {}), "begins at index 5 where 1");
  expect_refused(kChunkGoBuckets,
                 encode_go_buckets(1, std::vector<GoBucket>{{3, GoProfileKind::kHeap, 0, {}}}),
                 "process 3 of 1");
  expect_refused(kChunkGoProfile, encode_go_profile({1, 0, GoProfileKind::kHeap, 1, 0, {{9, {}}}}),
                 "bucket 9 of 1");
  expect_refused(kChunkGoProfile, encode_go_profile({1, 0, GoProfileKind::kBlock, 1, 0, {{0, {}}}}),
                 "none of this profile");
}

TEST(GoChunks, AnyChunkThatEndsTooEarlyIsRefused) {
  Recording whole = sample_go_recording();
  GoLook look = go_of(whole).looks[0];
  look.process = 0;
  for (GoGroup& group : look.groups) group.stack.stack = group.creator.stack = StackId::kUnknown;
  GoBucket bucket{0, GoProfileKind::kHeap, 9, {StackId::kUnknown, {true, false, true}}};
  GoProfileLook profile{1, 0, GoProfileKind::kHeap, 1, 0, {{0, {1, 2, 3, 4}}}};
  // Its last field came later: a chunk that ends right before it is whole.
  std::size_t whole_without = encode_go_profile(profile).size() - 2;
  std::vector<std::pair<std::uint32_t, std::string>> chunks = {
      {kChunkGoLook, encode_go_look(look)},
      {kChunkGoBuckets, encode_go_buckets(1, std::vector<GoBucket>{bucket})},
      {kChunkGoProfile, encode_go_profile(profile)}};
  for (const auto& [type, payload] : chunks) {
    ASSERT_TRUE(behind_good_tables(type, payload)) << chunk_type_name(type);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      if (type == kChunkGoProfile && size == whole_without) continue;
      EXPECT_FALSE(behind_good_tables(type, payload.substr(0, size))) << chunk_type_name(type) << " " << size;
    }
  }
}

TEST(GoChunks, CountsThatTheChunkCannotHoldAreRefused) {
  std::string huge;
  put_uleb(huge, ~std::uint64_t{0} >> 1);
  std::string stack = std::string(1, '\0') + huge;  // of so many calls
  std::string first(1, '\x01');
  EXPECT_FALSE(behind_good_tables(kChunkGoBuckets, first + huge));
  EXPECT_FALSE(
      behind_good_tables(kChunkGoBuckets, first + "\x01" + std::string(1, '\0') + "\x01\x01" + stack));
  EXPECT_FALSE(behind_good_tables(kChunkGoProfile, std::string(2, '\0') + "\x01\x01\x01" + huge));
}

}  // namespace
}  // namespace dwell
