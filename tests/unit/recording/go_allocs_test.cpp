// SPDX-License-Identifier: Apache-2.0
// Sampled heaps in a recording: written, read back, and lies about them.
#include "sample_recording.h"
#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {
namespace {

GoAllocs sample_allocs() {
  GoAllocs allocs;
  allocs.time_ns = 5'100'000'000;
  allocs.duration_ns = 60'000'000'000;
  allocs.watched_ns = 1'200'000'000;
  allocs.windows = 60;
  allocs.probe_hits = 10'000;
  allocs.trap_ns = 5'000'000;
  allocs.bpf_ns = 7'000'000;
  allocs.lost = 3;
  allocs.collections = 12;
  allocs.missed = 1;
  allocs.sites = {{StackId{1}, 0, 100, 20, 17'000, 816'000, 81'600, 3'400, 163'200, 36'000},
                  {StackId{2}, 1, 5, 0, 5, 204'800, 90'000, 0, 0, 0}};
  allocs.notes = {"something"};
  return allocs;
}

std::string decode(const std::string& bytes, Recording& recording) {
  Cursor in(bytes);
  return decode_go_allocs(in, recording);
}

TEST(GoAllocsInARecording, AreReadBackAsTheyWereWritten) {
  TemporaryFolder folder;
  Result<RecordingWriter> writer = begin_recording(folder.file("r.dwell"), sample_recording());
  ASSERT_TRUE(writer);
  ASSERT_TRUE(write_go_allocs(*writer, {}));
  ASSERT_TRUE(write_go_allocs(*writer, sample_allocs()));
  ASSERT_TRUE(writer->finish({}));
  Result<Recording> read = read_recording(folder.file("r.dwell"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(go_of(*read).allocs, sample_allocs()) << "the last one counts";
}

TEST(GoAllocsInARecording, ThatEndEarlyAreRefused) {
  std::string bytes = encode_go_allocs(sample_allocs());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Recording recording = sample_recording();
    EXPECT_NE(decode(bytes.substr(0, size), recording), "") << size;
    EXPECT_FALSE(go_of(recording).allocs);
  }
}

TEST(GoAllocsInARecording, MayNameNothingThatIsNotThere) {
  for (int lie = 0; lie < 2; ++lie) {
    GoAllocs allocs = sample_allocs();
    if (lie == 0) allocs.sites[0].stack = StackId{1000};
    if (lie == 1) allocs.sites[0].process = 9;
    Recording recording = sample_recording();
    EXPECT_NE(decode(encode_go_allocs(allocs), recording), "") << lie;
  }
}

}  // namespace
}  // namespace dwell
