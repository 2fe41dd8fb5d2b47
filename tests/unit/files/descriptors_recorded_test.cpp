// SPDX-License-Identifier: Apache-2.0
// Descriptors in a recording: how they lie there, and how they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstring>
#include <set>

#include "tests/unit/memory/story_recording.h"
#include "userspace/base/files.h"
#include "userspace/files/opened/codec.h"
#include "userspace/files/opened/kinds.h"
#include "userspace/files/opened/report.h"
#include "userspace/files/opened/text.h"

namespace dwell::files {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::uint64_t kBegin = 5000 * kSecond;

// A minute: 60 files forgotten of 60,060 opened at forget(), 12 connections accepted at serve() that their clients have closed, and
// three descriptors from before, one of which was closed.
struct Story {
  StackId forget, serve;
  Recording recording;
};

Story leaking() {
  StoryRecording story;
  StackId forget = story.stack({"open64@libc.so.6", "forget", "main"}), serve = story.stack({"accept4@libc.so.6", "serve", "main"});
  StackId same = story.stack({"open64@libc.so.6", "forget", "main"}, 1);
  Story made{forget, serve, story.end(60 * kSecond)};
  FilesPart& part = files_of(made.recording);
  DescriptorSite forgets{0, forget, FileKind::kFile, Opening::kOpened}, serves{0, serve, FileKind::kSocket, Opening::kAccepted};
  DescriptorSite before{0, StackId::kUnknown, FileKind::kPipe, Opening::kBefore}, again = forgets;
  again.stack = same;
  for (std::uint64_t second = 0; second < 60; ++second) {
    DescriptorTick tick{kBegin + second * kSecond, kBegin + (second + 1) * kSecond, {}};
    tick.changes = {{forgets, 501, 500, {{20, 500}}}, {again, 500, 500, {{20, 500}}}};
    if (second == 1) tick.changes.push_back({serves, 12, 0, {}});
    if (second == 0) tick.changes.push_back({before, 3, 1, {}});
    part.ticks.push_back(tick);
    part.open.descriptors.push_back({forgets, static_cast<std::uint32_t>(100 + second), kBegin + second * kSecond + 5, false});
  }
  for (std::uint32_t i = 0; i < 12; ++i) part.open.descriptors.push_back({serves, 20 + i, kBegin + kSecond + 5, true});
  for (std::uint32_t fd : {0u, 1u}) part.open.descriptors.push_back({before, fd, 0, false});
  part.open.time_ns = kBegin + 60 * kSecond;
  part.open.checks = {{0, 74, 0, 0}};
  return made;
}

template <typename Decode>
std::string decoded(const std::string& bytes, Decode decode, Recording& into) {
  Cursor in{std::string_view(bytes)};
  return decode(in, into);
}

TEST(RecordedDescriptors, LieInARecordingAsTheyWere) {
  Recording written = leaking().recording, read = leaking().recording;
  files_of(read) = {};
  files_of(written).open.checks = {{0, 5, 6, 7}};
  for (const DescriptorTick& tick : files_of(written).ticks) EXPECT_EQ(decoded(encode_descriptor_tick(tick), decode_descriptor_tick, read), "");
  EXPECT_EQ(decoded(encode_open_descriptors({1, {}, {}}), decode_open_descriptors, read), "");
  EXPECT_EQ(decoded(encode_open_descriptors(files_of(written).open), decode_open_descriptors, read), "");
  EXPECT_EQ(files_of(read).ticks, files_of(written).ticks);
  EXPECT_EQ(files_of(read).open, files_of(written).open) << "the last one counts";
}

TEST(RecordedDescriptors, AreRefusedWhereTheyContradictTheRecording) {
  Recording recording = leaking().recording;
  const FilesPart part = files_of(recording);
  DescriptorTick elsewhere = part.ticks[0], impossible = part.ticks[0];
  elsewhere.changes[0].site.process = 9;
  EXPECT_THAT(decoded(encode_descriptor_tick(elsewhere), decode_descriptor_tick, recording), HasSubstr("process 9"));
  impossible.changes[0].lifetimes[200] = 1;
  EXPECT_THAT(decoded(encode_descriptor_tick(impossible), decode_descriptor_tick, recording), HasSubstr("impossible"));
  OpenDescriptors open = part.open;
  open.descriptors[0].site.stack = StackId{999};
  EXPECT_THAT(decoded(encode_open_descriptors(open), decode_open_descriptors, recording), HasSubstr("stack 999"));
  std::string tick = encode_descriptor_tick(part.ticks[0]), whole = encode_open_descriptors(part.open);
  for (std::size_t size = 0; size < tick.size(); ++size) EXPECT_NE(decoded(tick.substr(0, size), decode_descriptor_tick, recording), "") << size;
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(decoded(whole.substr(0, size), decode_open_descriptors, recording), "") << size;
}

TEST(RecordedDescriptors, OfKindsThatAreNotKnownAreOthers) {
  Recording recording = leaking().recording;
  DescriptorTick tick = files_of(recording).ticks[5];
  tick.changes.resize(1);
  tick.changes[0].site.kind = static_cast<FileKind>(99);
  tick.changes[0].site.opening = static_cast<Opening>(99);
  EXPECT_EQ(decoded(encode_descriptor_tick(tick), decode_descriptor_tick, recording), "");
  EXPECT_EQ(files_of(recording).ticks.back().changes[0].site.kind, FileKind::kOther);
  EXPECT_EQ(files_of(recording).ticks.back().changes[0].site.opening, Opening::kOpened);
}

TEST(RecordedDescriptors, OfStacksThatReadTheSameAreOneRow) {
  DescriptorReport report = descriptor_report(leaking().recording);
  ASSERT_EQ(report.rows.size(), 3u);
  const DescriptorRow &forget = report.rows[0], &serve = report.rows[1], &before = report.rows[2];
  EXPECT_EQ(forget.opened, 60'060u);
  EXPECT_EQ(forget.open(), 60u);
  EXPECT_EQ(forget.descriptors.size(), 60u);
  EXPECT_NEAR(*forget.growth_per_minute, 60, 0.1);
  EXPECT_NEAR(static_cast<double>(*forget.oldest_age_ns), 60e9, 10);
  ASSERT_TRUE(forget.leak);
  EXPECT_EQ(serve.left_by_peer, 12u);
  EXPECT_FALSE(serve.leak) << "twelve at once";
  EXPECT_EQ(before.opening, Opening::kBefore);
  EXPECT_EQ(report.before, 3u);
  EXPECT_EQ(report.before_open, 2u);
  EXPECT_EQ(report.opened, 60'072u);
  EXPECT_EQ(report.open, 72u);
}

TEST(RecordedDescriptors, ConnectionsThatClientsKeepAreNoLeak) {
  Story story = leaking();
  FilesPart& part = files_of(story.recording);
  auto make_accepted = [](DescriptorSite& site) {
    if (site.kind == FileKind::kFile) site.kind = FileKind::kSocket, site.opening = Opening::kAccepted;
  };
  for (DescriptorTick& tick : part.ticks)
    for (DescriptorChange& change : tick.changes) make_accepted(change.site);
  for (OpenDescriptor& one : part.open.descriptors) make_accepted(one.site);
  EXPECT_FALSE(descriptor_report(story.recording).rows[0].leak);
  for (OpenDescriptor& one : part.open.descriptors) one.left_by_peer = true;
  EXPECT_TRUE(descriptor_report(story.recording).rows[0].leak) << "their clients have closed them";
}

TEST(RecordedDescriptors, ReadAsTheyAre) {
  Story story = leaking();
  std::string text = descriptors_text(story.recording, descriptor_report(story.recording), {});
  EXPECT_THAT(text, HasSubstr("60,072 opened and 60,000 closed in this recording; of 3 that were open before, 2 still are."));
  EXPECT_THAT(text, HasSubstr("Descriptors leak: 58 (file) opened at forget"));
  EXPECT_THAT(text, HasSubstr("12 connections accepted at serve"));
  EXPECT_THAT(text, HasSubstr("open before the recording"));
  EXPECT_THAT(text, Not(HasSubstr("At the end")));
  std::vector<std::string> sentences = descriptor_sentences(descriptor_report(story.recording));
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_THAT(sentences[0], HasSubstr("of the 60,000 others that it opened, 95 % were closed within"));
  files_of(story.recording).open.checks = {{0, 70, 3, 1}};
  EXPECT_THAT(descriptors_text(story.recording, descriptor_report(story.recording), {}),
              HasSubstr("At the end, 70 descriptors agreed with /proc/PID/fd. 3 had been closed and 1 opened without being seen"));
}

TEST(RecordedDescriptors, AreAProfileByKind) {
  Result<Profile> profile = descriptor_profile(leaking().recording, {});
  ASSERT_TRUE(profile);
  std::int64_t open = 0, opened = 0;
  for (const ProfileSample& sample : profile->samples) open += sample.values[0], opened += sample.values[1];
  EXPECT_EQ(open, 74);
  EXPECT_EQ(opened, 60'075);
}

void collect_names(const nlohmann::json& json, std::set<std::string>& names) {
  for (const auto& [key, value] : json.items()) {
    if (json.is_object()) names.insert(key);
    if (value.is_structured()) collect_names(value, names);
  }
}

TEST(RecordedDescriptors, EveryFieldOfTheirJsonIsDocumented) {
  Result<std::string> page = read_file(std::string(DOCS_FOLDER) + "/report-json.md");
  ASSERT_TRUE(page) << page.error().what;
  std::set<std::string> names;
  collect_names(nlohmann::json::parse(descriptors_json(descriptor_report(leaking().recording)).dump()), names);
  EXPECT_GT(names.size(), 20u);
  for (const std::string& name : names) EXPECT_NE(page->find('`' + name + '`'), std::string::npos) << name << " is not in docs/report-json.md";
}

dwell_fd_opened record_of(std::uint16_t mode, std::uint32_t magic, const char* name = "", std::uint32_t device = 0) {
  dwell_fd_opened record{};
  record.mode = mode;
  record.magic = magic;
  record.device = device;
  std::strncpy(record.name, name, DWELL_FD_NAME - 1);
  return record;
}

TEST(DescriptorKinds, AreWhatInodeAndNameSay) {
  constexpr std::uint32_t kAnonymous = 0x09041934, kTmpfs = 0x01021994, kExt = 0xef53;
  EXPECT_EQ(kind_of(record_of(S_IFREG | 0600, kExt, "a.log")), FileKind::kFile);
  EXPECT_EQ(kind_of(record_of(S_IFDIR | 0700, kExt, "etc")), FileKind::kDirectory);
  EXPECT_EQ(kind_of(record_of(S_IFREG | 0777, kTmpfs, "memfd:buffers")), FileKind::kMemfd);
  EXPECT_EQ(kind_of(record_of(S_IFSOCK | 0777, 0x534f434b)), FileKind::kSocket);
  EXPECT_EQ(kind_of(record_of(S_IFIFO | 0600, 0x50495045)), FileKind::kPipe);
  EXPECT_EQ(kind_of(record_of(S_IFIFO | 0600, kExt, "fifo")), FileKind::kFifo);
  EXPECT_EQ(kind_of(record_of(S_IFCHR | 0600, 0x1cd1, "3", 136u << 20 | 3)), FileKind::kTerminal);
  EXPECT_EQ(kind_of(record_of(S_IFCHR | 0666, kTmpfs, "null", 1u << 20 | 3)), FileKind::kCharacterDevice);
  EXPECT_EQ(kind_of(record_of(0600, kAnonymous, "[eventfd]")), FileKind::kEventfd);
  EXPECT_EQ(kind_of(record_of(0600, kAnonymous, "[eventpoll]")), FileKind::kEpoll);
  EXPECT_EQ(kind_of(record_of(0600, kAnonymous, "inotify")), FileKind::kInotify);
  EXPECT_EQ(kind_of(record_of(0600, kAnonymous, "bpf-prog")), FileKind::kBpf);
  EXPECT_EQ(kind_of(record_of(0600, kAnonymous, "kvm-vm")), FileKind::kOther);
  EXPECT_EQ(kind_of(record_of(S_IFREG | 0700, 0x50494446)), FileKind::kPidfd);
  EXPECT_EQ(kind_of(record_of(S_IFREG | 0600, 0x19800202, "queue")), FileKind::kMessageQueue);
}

TEST(DescriptorKinds, OpeningsAreBySystemCall) {
  EXPECT_EQ(opening_of(SYS_openat), Opening::kOpened);
  EXPECT_EQ(opening_of(SYS_accept), Opening::kAccepted);
  EXPECT_EQ(opening_of(SYS_dup3), Opening::kDuplicated);
  EXPECT_EQ(opening_of(SYS_recvmmsg), Opening::kReceived);
  EXPECT_EQ(opening_of(DWELL_FD_CALL_UNKNOWN), Opening::kByRing);
  std::set<std::string_view> names;
  for (int i = 0; i < static_cast<int>(Opening::kOpenings); ++i) names.insert(name_of(static_cast<Opening>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Opening::kOpenings));
  EXPECT_EQ(descriptor_calls()[SYS_close], DWELL_FD_CALL_CLOSE);
  EXPECT_EQ(descriptor_calls()[SYS_getpid], DWELL_FD_CALL_NONE);
}

// Counted every 0.2 s for 20 s, as where the kernel has no trampolines.
Recording counted(std::uint64_t (*open_at)(std::uint64_t)) {
  StoryRecording story;
  Recording recording = story.end(20 * kSecond);
  for (std::uint64_t i = 0; i <= 100; ++i) files_of(recording).counts.push_back({kBegin + i * kSecond / 5, 0, open_at(i)});
  files_of(recording).counts.front().kinds = {{FileKind::kFile, 5}, {FileKind::kSocket, open_at(0) - 5}};
  files_of(recording).counts.back().kinds = {{FileKind::kFile, 5}, {FileKind::kSocket, open_at(100) - 5}};
  return recording;
}

TEST(CountedDescriptors, ThatGrowSteadilyAreTold) {
  EXPECT_THAT(growth_sentences(counted([](std::uint64_t i) { return 40 + 4 * i; })),
              ElementsAre("Open descriptors grow steadily: 440, which is 400 more than 20.0 s before (400 of kind socket), or 1,200 a minute. "
                          "dwell record --files tells who opens them."));
}

TEST(CountedDescriptors, ThatComeAndGoOrComeAtOnceAreNot) {
  EXPECT_THAT(growth_sentences(counted([](std::uint64_t i) { return i < 30 ? std::uint64_t{40} : std::uint64_t{90}; })), IsEmpty()) << "fifty clients";
  EXPECT_THAT(growth_sentences(counted([](std::uint64_t i) { return 40 + i * 7919 % 100; })), IsEmpty()) << "come and go";
  EXPECT_THAT(growth_sentences(counted([](std::uint64_t i) { return 40 + i / 20; })), IsEmpty()) << "few";
  EXPECT_THAT(growth_sentences(Recording()), IsEmpty());
}

TEST(CountedDescriptors, LieInARecordingAsTheyWere) {
  Recording recording = counted([](std::uint64_t i) { return 40 + i; });
  const std::vector<DescriptorCount> counts = files_of(recording).counts;
  files_of(recording).counts.clear();
  std::string bytes = encode_descriptor_counts(counts);
  EXPECT_EQ(decoded(bytes, decode_descriptor_counts, recording), "");
  EXPECT_EQ(files_of(recording).counts, counts);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_NE(decoded(bytes.substr(0, size), decode_descriptor_counts, recording), "") << size;
  EXPECT_THAT(decoded(encode_descriptor_counts({{1, 9, 1}}), decode_descriptor_counts, recording), HasSubstr("process 9"));
}

}  // namespace
}  // namespace dwell::files
