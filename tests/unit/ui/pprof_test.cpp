// SPDX-License-Identifier: Apache-2.0
#include "ui/pprof.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "tests/unit/ui/sample_profiles.h"
#include "ui/pprof_profile.pb.h"

namespace dwell {
namespace {

pprof_wire::ProfileProto decoded(const Profile& profile) {
  Result<std::string> bytes = pprof(profile);
  EXPECT_TRUE(bytes);
  std::string plain(1 << 20, '\0');
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = reinterpret_cast<Bytef*>(bytes->data());
  stream.avail_in = static_cast<uInt>(bytes->size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  plain.resize(stream.total_out);
  inflateEnd(&stream);
  pprof_wire::ProfileProto proto;
  EXPECT_TRUE(proto.ParseFromString(plain));
  return proto;
}

class PprofTest : public testing::Test {
 protected:
  const std::string& text(std::int64_t index) const { return proto.string_table(static_cast<int>(index)); }
  Profile profile = server_profile();
  pprof_wire::ProfileProto proto = decoded(profile);
};

TEST_F(PprofTest, HasTheTypesAndTheDefault) {
  EXPECT_EQ(text(0), "");
  ASSERT_EQ(proto.sample_type_size(), 2);
  EXPECT_EQ(text(proto.sample_type(1).type_text()), "inuse_space");
  EXPECT_EQ(text(proto.sample_type(1).unit_text()), "bytes");
  EXPECT_EQ(text(proto.default_sample_type_text()), "inuse_space");
}

TEST_F(PprofTest, SamplesKeepStackValuesAndLabels) {
  ASSERT_EQ(proto.sample_size(), 6);
  EXPECT_EQ(proto.sample(0).location_id_size(), 6);
  EXPECT_EQ(proto.sample(0).value(1), 41943040);
  ASSERT_EQ(proto.sample(0).label_size(), 2);
  EXPECT_EQ(text(proto.sample(0).label(0).value_text()), "worker");
  EXPECT_EQ(proto.sample(0).label(1).number(), 65536);
  EXPECT_EQ(text(proto.sample(0).label(1).unit_text()), "bytes");
}

TEST_F(PprofTest, InlinedLinesAreOneLocationInnermostFirst) {
  const pprof_wire::LocationProto& location =
      proto.location(static_cast<int>(proto.sample(0).location_id(2)) - 1);
  ASSERT_EQ(location.line_size(), 2);
  EXPECT_EQ(text(proto.function(static_cast<int>(location.line(0).function_id()) - 1).name_text()),
            "Cache::insert");
  EXPECT_EQ(location.line(0).line(), 41);
  EXPECT_EQ(location.line(1).line(), 120);
}

// pprof drops samples without a location, and the totals would no longer add up.
TEST_F(PprofTest, AStackWithoutFramesIsUnknownNotLost) {
  ASSERT_EQ(proto.sample(5).location_id_size(), 1);
  const pprof_wire::LocationProto& location =
      proto.location(static_cast<int>(proto.sample(5).location_id(0)) - 1);
  EXPECT_EQ(text(proto.function(static_cast<int>(location.line(0).function_id()) - 1).name_text()),
            "[unknown]");
}

TEST_F(PprofTest, MappingsHaveBuildIds) {
  ASSERT_EQ(proto.mapping_size(), 4);
  EXPECT_EQ(text(proto.mapping(1).path_text()), "/usr/bin/server");
  EXPECT_EQ(text(proto.mapping(1).build_id_text()).substr(0, 16), "0123456789abcdef");
  EXPECT_TRUE(proto.mapping(1).has_inline_frames());
}

TEST_F(PprofTest, SaysWhenHowLongAndHowSampled) {
  EXPECT_EQ(proto.time_nanos(), profile.time_unix_ns);
  EXPECT_EQ(proto.duration_nanos(), profile.duration_ns);
  EXPECT_EQ(proto.period(), 524288);
  EXPECT_EQ(text(proto.period_type().unit_text()), "bytes");
  EXPECT_EQ(text(proto.comment_text(1)), "dwell record -p 4242");
}

TEST_F(PprofTest, FramesOfAllocatorsAreDroppedWhereTheProfileIsOfMemory) {
  EXPECT_EQ(proto.drop_frames_text(), 0);
  profile.allocators_are_leaves = true;
  profile.locations[0].lines[0].function = "operator new[](unsigned long)";
  proto = decoded(profile);
  EXPECT_EQ(text(proto.drop_frames_text()), "operator new|operator new\\[\\]|strdup");
}

TEST(Pprof, EqualProfilesGiveEqualBytes) { EXPECT_EQ(*pprof(server_profile()), *pprof(server_profile())); }

TEST(Pprof, BrokenNamesBecomeValidText) {
  pprof_wire::ProfileProto proto = decoded(hostile_profile());
  for (const std::string& text : proto.string_table())
    EXPECT_EQ(text.find('\xff'), std::string::npos) << text;
}

TEST(Pprof, AnEmptyProfileIsAProfile) { EXPECT_EQ(decoded(Profile{}).sample_size(), 0); }

}  // namespace
}  // namespace dwell
