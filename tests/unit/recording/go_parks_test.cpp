// SPDX-License-Identifier: Apache-2.0
// Parked goroutines in a recording: written, read back, and lies about them.
#include "sample_recording.h"
#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {
namespace {

GoParks sample_parks() {
  GoParks parks;
  parks.time_ns = 5'100'000'000;
  parks.duration_ns = 60'000'000'000;
  parks.watched_ns = 1'200'000'000;
  parks.windows = 60;
  parks.probe_hits = 1'000'000;
  parks.trap_ns = 500'000'000;
  parks.bpf_ns = 700'000'000;
  parks.lost = 3;
  parks.window_cpu_ns = 2'100'000'000;
  parks.reasons = {"chan receive", "sync.Mutex.Lock"};
  parks.sites = {
      {StackId{1}, 0, false, 0, 20, 1000, 50, 10'000'000'000, 700'000'000, 3, 4, 52'000'000, 18, 9'000},
      {StackId{2}, 1, true, 1, 7, 350, 90, 0, 0, 0, 0, 0, 0, 0}};
  parks.notes = {"runtime.ready could not be probed"};
  return parks;
}

std::string decode(const std::string& bytes, Recording& recording) {
  Cursor in(bytes);
  return decode_go_parks(in, recording);
}

TEST(GoParksInARecording, AreReadBackAsTheyWereWritten) {
  Recording recording = sample_recording();
  EXPECT_EQ(decode(encode_go_parks(sample_parks()), recording), "");
  ASSERT_TRUE(go_of(recording).parks);
  EXPECT_EQ(*go_of(recording).parks, sample_parks());
}

TEST(GoParksInARecording, AreNamedByChunkInTheFile) {
  TemporaryFolder folder;
  Result<RecordingWriter> writer = begin_recording(folder.file("r.dwell"), sample_recording());
  ASSERT_TRUE(writer);
  ASSERT_TRUE(write_go_parks(*writer, {}));
  ASSERT_TRUE(write_go_parks(*writer, sample_parks()));
  ASSERT_TRUE(writer->finish({}));
  Result<Recording> read = read_recording(folder.file("r.dwell"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(go_of(*read).parks, sample_parks()) << "the last one counts";
}

TEST(GoParksInARecording, MaySayMoreThanThisVersionKnows) {
  std::string bytes = encode_go_parks(sample_parks()) + "more";
  Recording recording = sample_recording();
  EXPECT_EQ(decode(bytes, recording), "");
  EXPECT_EQ(*go_of(recording).parks, sample_parks());
}

TEST(GoParksInARecording, ThatEndEarlyAreRefused) {
  std::string bytes = encode_go_parks(sample_parks());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Recording recording = sample_recording();
    EXPECT_NE(decode(bytes.substr(0, size), recording), "") << size;
    EXPECT_FALSE(go_of(recording).parks);
  }
}

TEST(GoParksInARecording, MayNameNothingThatIsNotThere) {
  for (int lie = 0; lie < 3; ++lie) {
    GoParks parks = sample_parks();
    if (lie == 0) parks.sites[0].stack = StackId{1000};
    if (lie == 1) parks.sites[0].process = 9;
    if (lie == 2) parks.sites[1].reason = 2;
    Recording recording = sample_recording();
    EXPECT_NE(decode(encode_go_parks(parks), recording), "") << lie;
  }
}

}  // namespace
}  // namespace dwell
