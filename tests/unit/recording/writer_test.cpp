// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "sample_recording.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/memory/part.h"
#include "userspace/memory/codec.h"

namespace dwell {
namespace {

TEST(Writer, TheSameThingHasTheSameIndex) {
  TemporaryFolder folder;
  Result<RecordingWriter> writer = RecordingWriter::create(folder.file("r.dwell"), {});
  ASSERT_TRUE(writer) << writer.error().what;
  std::uint32_t module = writer->add_module({"/bin/a", "01", 5, ModuleKind::kFile});
  EXPECT_EQ(writer->add_module({"/bin/a", "01", 5, ModuleKind::kFile}), module);
  EXPECT_NE(writer->add_module({"/bin/a", "02", 5, ModuleKind::kFile}), module) << "the file was replaced";
  std::uint32_t location = writer->add_location({0, 7, true});
  EXPECT_EQ(writer->add_location({0, 7, true}), location);
  EXPECT_NE(writer->add_location({0, 7, false}), location);
  std::vector<std::uint32_t> frames = {location, 1};
  StackId stack = writer->add_stack(frames, 0);
  EXPECT_NE(stack, StackId::kUnknown);
  EXPECT_EQ(writer->add_stack(frames, 0), stack);
  EXPECT_NE(writer->add_stack(frames, 1), stack);
  EXPECT_EQ(writer->stack_count(), 3u);
}

TEST(Writer, WhatATickRefersToIsWrittenBeforeIt) {
  TemporaryFolder folder;
  Result<RecordingWriter> writer = RecordingWriter::create(folder.file("r.dwell"), {});
  ASSERT_TRUE(writer);
  std::vector<Series> series;
  for (std::uint32_t i = 0; i < 4; ++i) {
    std::uint32_t location = writer->add_location({static_cast<std::int32_t>(writer->add_module({std::to_string(i), "", 0, {}})), i, true});
    series.push_back({writer->add_stack(std::span(&location, 1), 0), MemoryKind::kHeap, 3});
    MemoryTick tick;
    tick.start_ns = tick.end_ns = i;
    tick.rows.push_back({i, 1, 10, 0, 0, 0, 0});
    std::uint64_t before = writer->bytes_written();
    ASSERT_TRUE(write_memory_tick(*writer, tick, series));
    EXPECT_LT(writer->appended_bytes(), writer->bytes_written() - before) << "there were tables too";
    EXPECT_GT(writer->appended_bytes(), kChunkHeaderBytes);
    // Another process may read while we write.
    Result<Recording> read = read_recording(folder.file("r.dwell"));
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(memory_of(*read).ticks.size(), i + 1);
    EXPECT_EQ(read->modules.size(), i + 1);
    EXPECT_EQ(memory_of(*read).series, series);
    EXPECT_EQ(read->processes.size(), 4u) << "a process that is named is told";
    EXPECT_FALSE(read->ended);
    EXPECT_EQ(read->readable_bytes, writer->bytes_written());
  }
}

TEST(Writer, OnlyItsOwnerMayReadARecording) {
  TemporaryFolder folder;
  ASSERT_TRUE(RecordingWriter::create(folder.file("r.dwell"), {}));
  struct stat status;
  ASSERT_EQ(::stat(folder.file("r.dwell").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(Writer, AnUnwritablePathIsAnOutputErrorWithAHint) {
  for (const char* path : {"/nowhere/at/all.dwell", "/", "/dev/null"}) {
    Result<RecordingWriter> writer = RecordingWriter::create(path, {});
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().exit, Exit::kOutput);
    EXPECT_NE(writer.error().what.find(path), std::string::npos);
    EXPECT_FALSE(writer.error().hint.empty());
  }
}

// A limit on the size of files stands in for a full disk: the write is cut in the middle in the same way.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  sighandler_t handler_;
};

TEST(Writer, WhenTheDiskIsFullWhatWasWrittenCanBeRead) {
  TemporaryFolder folder;
  Recording recording = sample_recording();
  std::size_t whole = recording_bytes(recording).size();
  for (std::size_t limit = 0; limit < whole; limit += 7) {
    Result<void> written;
    {
      SizeLimit full(limit);
      written = write_recording(folder.file("r.dwell"), recording);
    }
    ASSERT_FALSE(written) << limit;
    EXPECT_EQ(written.error().exit, Exit::kOutput);
    EXPECT_NE(written.error().what.find("write " + folder.file("r.dwell")), std::string::npos) << written.error().what;
    Result<Recording> read = read_recording(folder.file("r.dwell"));
    if (!read) continue;  // not even the first chunk found its place
    EXPECT_FALSE(read->ended);
    EXPECT_EQ(read->readable_bytes, read->file_bytes) << "nothing unfinished is left behind";
  }
}

TEST(Writer, AfterAnErrorNothingMoreIsWritten) {
  TemporaryFolder folder;
  Result<RecordingWriter> writer = RecordingWriter::create(folder.file("r.dwell"), {});
  ASSERT_TRUE(writer);
  std::uint64_t before = writer->bytes_written();
  {
    SizeLimit full(before + 3);
    EXPECT_FALSE(writer->write_note({1, "first"}));
  }
  Result<void> after = writer->write_note({2, "second"});
  ASSERT_FALSE(after);
  EXPECT_NE(after.error().what.find("File too large"), std::string::npos) << after.error().what;
  EXPECT_EQ(std::filesystem::file_size(folder.file("r.dwell")), before);
}

TEST(Rewrite, SymbolsThatComeLaterMakeTheSameRecording) {
  TemporaryFolder folder;
  Recording recording = sample_recording();
  ASSERT_TRUE(write_recording(folder.file("at-once"), recording));
  ASSERT_TRUE(write_recording(folder.file("without"), recording, false));
  EXPECT_TRUE(read_recording(folder.file("without"))->symbols.empty());
  ASSERT_TRUE(rewrite_symbols(folder.file("without"), folder.file("later"), recording.symbols));
  EXPECT_TRUE(*read_file(folder.file("later")) == *read_file(folder.file("at-once")));
}

TEST(Rewrite, ReplacesSymbolsInPlaceAndKeepsWhatItDoesNotKnow) {
  TemporaryFolder folder;
  std::string path = folder.file("r.dwell");
  Recording recording = sample_recording();
  recording.ended = false;
  ASSERT_TRUE(write_recording(path, recording));
  std::string bytes = *read_file(path);
  std::uint32_t chunks = 0;
  {
    Result<ChunkWalker> walker = ChunkWalker::open(bytes_of(bytes), path);
    for (Chunk chunk; *walker->next(chunk);) ++chunks;
  }
  bytes += make_chunk(chunk_type("LATR"), chunks, "of a later dwell");
  bytes += make_chunk(kChunkEnd, chunks + 1, encode_end({9, "x"}));
  ASSERT_TRUE(write_file_atomically(path, bytes, 0600));

  std::vector<LocationSymbol> better = {{{{"new name", "", "", 0}}}};
  ASSERT_TRUE(rewrite_symbols(path, path, better));
  Result<Recording> read = read_recording(path);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->symbols, better);
  EXPECT_EQ(memory_of(*read).ticks, memory_of(recording).ticks);
  EXPECT_EQ(read->skipped_chunks, 1u);
  EXPECT_TRUE(read->ended);
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(Rewrite, ARecordingThatWasCutOffStaysOne) {
  TemporaryFolder folder;
  Recording recording = sample_recording();
  std::string bytes = recording_bytes(recording);
  ASSERT_TRUE(write_file_atomically(folder.file("cut"), std::string_view(bytes).substr(0, bytes.size() - 3)));
  ASSERT_TRUE(rewrite_symbols(folder.file("cut"), folder.file("cut"), recording.symbols));
  Result<Recording> read = read_recording(folder.file("cut"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_FALSE(read->ended);
  EXPECT_EQ(read->symbols, recording.symbols);
}

}  // namespace
}  // namespace dwell
