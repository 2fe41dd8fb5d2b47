// SPDX-License-Identifier: Apache-2.0
// Files that were cut off, damaged, or never were recordings.
#include <zstd.h>

#include "sample_recording.h"
#include "userspace/recording/bytes.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/memory/part.h"
#include "userspace/memory/codec.h"

namespace dwell {
namespace {

// What a writer leaves that was killed at any byte: all ticks up to the last whole chunk.
TEST(Damage, AFileCutOffAtAnyByteIsReadUpToTheLastWholeChunk) {
  Recording whole = sample_recording();
  std::string bytes = recording_bytes(whole);
  std::size_t most_ticks = 0, unreadable = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Result<Recording> read = parse_recording(bytes_of(bytes).first(size), "r.dwell");
    if (!read) {
      EXPECT_EQ(read.error().exit, Exit::kBadInput);
      EXPECT_EQ(size, unreadable++) << "once it could be read it can be read: " << read.error().what;
      continue;
    }
    EXPECT_FALSE(read->ended);
    EXPECT_EQ(read->info, whole.info);
    EXPECT_LE(read->readable_bytes, size);
    ASSERT_GE(memory_of(*read).ticks.size(), most_ticks);
    most_ticks = memory_of(*read).ticks.size();
    for (std::size_t i = 0; i < most_ticks; ++i) EXPECT_EQ(memory_of(*read).ticks[i], memory_of(whole).ticks[i]);
  }
  EXPECT_EQ(most_ticks, 2u);
  EXPECT_LT(unreadable, bytes.size() / 2);
}

TEST(Damage, AnyChangedByteIsNoticed) {
  std::string bytes = recording_bytes(sample_recording());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i >= kRecordingMagic.size() + 4 && i < kFileHeaderBytes) continue;  // kept for later versions
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    Result<Recording> read = parse_recording(bytes_of(changed), "r.dwell");
    ASSERT_FALSE(read) << "byte " << i;
    EXPECT_EQ(read.error().exit, Exit::kBadInput);
  }
}

TEST(Damage, AMissingChunkIsNoticed) {
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) + make_chunk(kChunkNote, 2, encode_note({}));
  Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("chunk 2 stands where chunk 1 should"), std::string::npos) << read.error().what;
}

TEST(Damage, ZerosAtTheEndAreTheEnd) {
  std::string bytes = recording_bytes(sample_recording());
  Result<Recording> read = parse_recording(bytes_of(bytes + std::string(5000, '\0')), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->readable_bytes, bytes.size());
}

TEST(Damage, AForeignFileIsNamedAsSuch) {
  for (const char* content : {"", "hello", "\x7f" "ELF and so on and so forth", "\x89PNG\r\n\x1a\n............."}) {
    Result<Recording> read = parse_recording(bytes_of(content), "photo.png");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().exit, Exit::kBadInput);
    EXPECT_EQ(read.error().what, "read photo.png: not a recording of dwell");
    EXPECT_FALSE(read.error().hint.empty());
  }
}

TEST(Damage, ALaterVersionOfTheFormatIsNamed) {
  std::string bytes = recording_bytes(sample_recording());
  bytes[kRecordingMagic.size()] = 2;
  Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().what, "read r.dwell: it has version 2 of the format, and this dwell reads version 1");
}

TEST(Damage, AMissingFileIsNotBadInput) {
  Result<Recording> read = read_recording("/nowhere/app.dwell");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("/nowhere/app.dwell: No such file"), std::string::npos) << read.error().what;
}

// Chunks whose checksums are right and whose content lies.
std::string after_good_tables(std::uint32_t type, const std::string& payload) {
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) +
                      make_chunk(kChunkProcess, 1, encode_process(0, {})) +
                      make_chunk(kChunkLocations, 2, encode_locations(0, std::vector<Location>(3)));
  std::vector<std::uint32_t> locations = {0, 1};
  std::vector<StackView> stacks = {{locations, 0}};
  bytes += make_chunk(kChunkStacks, 3, encode_stacks(1, stacks));
  bytes += make_chunk(kChunkSeries, 4, encode_series(0, std::vector<Series>{{StackId{1}, MemoryKind::kHeap, 0}}));
  return bytes + make_chunk(type, 5, payload);
}

void expect_refused(std::uint32_t type, const std::string& payload, const std::string& why) {
  Result<Recording> read = parse_recording(bytes_of(after_good_tables(type, payload)), "r.dwell");
  ASSERT_FALSE(read) << why;
  EXPECT_EQ(read.error().exit, Exit::kBadInput);
  EXPECT_NE(read.error().what.find(why), std::string::npos) << read.error().what;
}

TEST(Damage, IndicesOfWhatWasNeverToldAreRefused) {
  expect_refused(kChunkLocations, encode_locations(3, std::vector<Location>{{0, 1, true}}), "names a module");
  expect_refused(kChunkLocations, encode_locations(9, std::vector<Location>(1)), "begins at index 9 where 3");
  std::vector<std::uint32_t> foreign = {3};
  expect_refused(kChunkStacks, encode_stacks(2, std::vector<StackView>{{foreign, 0}}), "names a location");
  expect_refused(kChunkSeries, encode_series(1, std::vector<Series>{{StackId{2}, MemoryKind::kHeap, 0}}), "names a stack");
  expect_refused(kChunkSeries, encode_series(1, std::vector<Series>{{StackId{1}, MemoryKind::kHeap, 7}}), "names a process");
  expect_refused(kChunkSymbols, encode_symbols(2, std::vector<LocationSymbol>(2)), "names a location");
  MemoryTick tick;
  tick.rows.push_back({1});
  expect_refused(kChunkTick, encode_tick(tick), "names a series");
  tick.rows = {{0}, {0}};
  expect_refused(kChunkTick, encode_tick(tick), "tells a series twice");
  expect_refused(kChunkLive, encode_live(0, 1, 0, std::vector<LiveBlock>{{1, 1, 0, 5, 1, false}}), "names a series");
}

TEST(Damage, CountsThatTheChunkCannotHoldAreRefused) {
  for (std::uint32_t type : {kChunkModules, kChunkLocations, kChunkStacks, kChunkSeries, kChunkLosses, kChunkSymbols, kChunkLive}) {
    std::string payload;
    for (std::uint64_t value : {std::uint64_t{2}, ~std::uint64_t{0} >> 1, ~std::uint64_t{0} >> 1}) put_uleb(payload, value);
    Result<Recording> read = parse_recording(bytes_of(after_good_tables(type, payload)), "r.dwell");
    ASSERT_FALSE(read) << chunk_type_name(type);
    EXPECT_EQ(read.error().exit, Exit::kBadInput);
  }
}

TEST(Damage, AStackThatIsTooDeepIsRefused) {
  std::vector<std::uint32_t> deep(kMaxStackDepth + 1, 0);
  expect_refused(kChunkStacks, encode_stacks(2, std::vector<StackView>{{deep, 0}}), "too deep");
}

TEST(Damage, AFileThatUnpacksToFarMoreThanItsSizeIsRefused) {
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({}));
  std::string zeros(32 << 20, '\0');
  for (std::uint32_t i = 1; i <= 3; ++i) bytes += make_chunk(chunk_type("ZERO"), i, zeros);
  ASSERT_LT(bytes.size(), 64u << 10);
  Result<Recording> read = parse_recording(bytes_of(bytes), "bomb.dwell");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("unpacks to more"), std::string::npos) << read.error().what;
}

TEST(Damage, AHalfWrittenSetOfLiveBlocksLeavesTheOneBefore) {
  std::vector<LiveBlock> two = {{16, 1, 0, 0, 1, false}, {32, 1, 0, 0, 1, false}};
  std::string bytes = after_good_tables(kChunkLive, encode_live(1000, 2, 0, two));
  bytes += make_chunk(kChunkLive, 6, encode_live(2000, 5, 0, two));
  Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(memory_of(*read).live.time_ns, 1000u);
  EXPECT_EQ(memory_of(*read).live.blocks, two);
}

}  // namespace
}  // namespace dwell
