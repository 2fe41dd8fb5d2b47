// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "sample_recording.h"
#include "userspace/memory/ledger.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/memory/part.h"
#include "userspace/memory/codec.h"

namespace dwell {
namespace {

TEST(Format, WhatIsWrittenIsReadBack) {
  for (std::uint64_t period : {0, 65536}) {
    Recording recording = sample_recording(period);
    std::string bytes = recording_bytes(recording);
    Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
    ASSERT_TRUE(read) << read.error().what;
    expect_same(*read, recording);
    EXPECT_EQ(read->file_bytes, bytes.size());
    EXPECT_EQ(read->readable_bytes, bytes.size());
  }
}

// Figures at the ends of their range, and rows whose bytes are no multiple of their blocks.
TEST(Format, EveryNumberSurvives) {
  std::mt19937_64 random(5);
  auto any = [&] { return random() >> (random() % 64); };
  Recording recording = sample_recording(1);
  MemoryTick& tick = memory_of(recording).ticks[1];
  tick.rows.clear();
  tick.scaled.clear();
  tick.lifetimes.clear();
  for (std::uint32_t series = 0; series < 3; ++series) {
    tick.rows.push_back({series, any(), any(), any(), any(), static_cast<std::int64_t>(any()), static_cast<std::int64_t>(any())});
    tick.scaled.push_back({{any(), any(), any()}, {any(), any(), any()}});
    for (std::uint8_t log2 = 0; log2 <= kLongestLifetime; ++log2) tick.lifetimes.push_back({series, log2, any(), any()});
  }
  std::uint64_t most = ~std::uint64_t{0};
  memory_of(recording).live.blocks.push_back({most, most, 0, 2, ~std::uint32_t{0}, true});
  memory_of(recording).live.blocks.push_back({0, 0, most / 1000 * 1000, 0, 0, false});
  Result<Recording> read = parse_recording(bytes_of(recording_bytes(recording)), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  expect_same(*read, recording);
}

TEST(Format, LossesKeepWhenTheyHappened) {
  Recording recording = sample_recording();
  recording.losses[0].span_ns = 1'500'000'000;
  Result<Recording> read = parse_recording(bytes_of(recording_bytes(recording)), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->losses, recording.losses);
  // As the first dwell wrote them: a time, a kind and a count each.
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) +
                      make_chunk(kChunkLosses, 1, std::string("\x02\x09\x01\x05\x0a\x40\x01", 7));
  read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->losses, (std::vector<Loss>{{9, LossKind::kFree, 5}, {10, LossKind::kStackTableFull, 1}}));
}

TEST(Format, AMarkIsATime) {
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) + make_chunk(kChunkMark, 1, std::string("\xac\x02", 2));
  Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->marks, (std::vector<Mark>{{300}}));
  EXPECT_EQ(encode_mark({300}), std::string("\xac\x02", 2));
  bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) + make_chunk(kChunkMark, 1, "\xac");
  EXPECT_FALSE(parse_recording(bytes_of(bytes), "r.dwell")) << "half a number";
}

TEST(Format, ChildrenAreReadBackAndTheLastCountsHold) {
  ChildCounts first{5, true, 3, 1, 1, 1, 1, 0}, last{9, true, 700, 2, 640, 50, 7, 3};
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) +
                      make_chunk(kChunkChildren, 1, encode_children(first)) +
                      make_chunk(kChunkChildren, 2, encode_children(last));
  Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->children, last);
  EXPECT_EQ(parse_recording(bytes_of(recording_bytes(sample_recording())), "r.dwell")->children, std::nullopt);
}

TEST(Format, ARecordingHoldsMoreProcessesThanLiveAtOnce) {
  Recording recording = sample_recording();
  recording.processes.resize(1000);
  recording.processes[999] = {4242, 998, "worker", "worker --late", 7'000'000'000, 0};
  Result<Recording> read = parse_recording(bytes_of(recording_bytes(recording)), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->processes, recording.processes);
}

// Made once by the first dwell, and kept: what it recorded is read for ever.
TEST(Format, ARecordingOfTheFirstVersionIsStillRead) {
  Result<Recording> read = read_recording(std::string(GOLDEN_FOLDER) + "/version-1.dwell");
  ASSERT_TRUE(read) << read.error().what;
  // It ends before where code belongs.
  Recording expected = sample_recording(65536);
  for (Module& module : expected.modules) module.code.clear();
  expect_same(*read, expected);
}

TEST(Format, ManyLiveBlocksSpanSeveralChunks) {
  Recording recording = sample_recording();
  memory_of(recording).live.blocks.clear();
  for (std::uint64_t i = 0; i < 3 * kLiveBlocksPerChunk + 5; ++i)
    memory_of(recording).live.blocks.push_back({0x1000 + 32 * i, i % 100, i * 1000, static_cast<std::uint32_t>(i % 3), 1, false});
  Result<Recording> read = parse_recording(bytes_of(recording_bytes(recording)), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  expect_same(*read, recording);
}

TEST(Format, ChunksOfALaterVersionArePassedOverAndCounted) {
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) +
                      make_chunk(chunk_type("LATR"), 1, "something, some day") + make_chunk(kChunkEnd, 2, encode_end({9, "x"}));
  Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->skipped_chunks, 1u);
  EXPECT_TRUE(read->ended);
}

TEST(Format, FieldsOfALaterVersionArePassedOver) {
  std::string info = encode_info(sample_recording().info);
  info += std::string("\x63\x03" "new", 5);  // field 99
  std::string end = encode_end({9, "x"}) + "and more";
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, info) + make_chunk(kChunkEnd, 1, end);
  Result<Recording> read = parse_recording(bytes_of(bytes), "r.dwell");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->info, sample_recording().info);
  EXPECT_EQ(read->end.reason, "x");
}

// The ledger's hash tables are seeded anew in each process and table; nothing of that may show in the file.
TEST(Format, TheSameEventsMakeTheSameBytes) {
  TemporaryFolder folder;
  auto record = [&](const std::string& name) {
    Result<RecordingWriter> writer = RecordingWriter::create(folder.file(name), {});
    MemoryLedger ledger(0);
    std::mt19937_64 random(11);
    for (std::uint64_t now = 1; now <= 20'000; ++now) {
      std::uint32_t location = writer->add_location({-1, random() % 50, true});
      StackId stack = writer->add_stack(std::span(&location, 1), 0);
      std::uint64_t address = 16 * (random() % 5000);
      ledger.apply(Alloc{now, address, random() % 1000, stack, static_cast<Tid>(random() % 4), 0});
      ledger.apply(Free{now, 16 * (random() % 5000), 1, 0, false});
      if (now == 10'000) ledger.apply(Fork{now, 0, 1});
      if (now == 15'000) ledger.apply(ProcessExit{now, 1});
      if (now % 1000 == 0) {
        EXPECT_TRUE(write_memory_tick(*writer, ledger.take_tick(now), ledger.series()));
      }
    }
    EXPECT_TRUE(write_live_blocks(*writer, {20'000, ledger.live_blocks()}, ledger.series()));
    EXPECT_TRUE(writer->finish({20'000, "done"}));
    return *read_file(folder.file(name));
  };
  std::string first = record("first"), second = record("second");
  EXPECT_TRUE(first == second);
  EXPECT_GT(first.size(), 1000u);
}

}  // namespace
}  // namespace dwell
