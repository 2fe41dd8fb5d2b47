// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/wire.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

NamedFrames sample_names() {
  NamedFrames names;
  names.texts = {"main", "", "main.c", "inner"};
  names.frames = {{3, 1, 2, 7, true, true}, {0, 0, 2, 9, true, false}};
  names.chains = {{0, 2}, {1, 1}};
  names.report = {"/bin/x", ".symtab", "", "a problem", "a hint", 12, 5, 34};
  names.counters.addresses = 2;
  names.counters.by_source[1] = 2;
  return names;
}

TEST(Wire, NamesComeAcross) {
  std::optional<NamedFrames> got = decode_names(encode_names(sample_names()), 2);
  ASSERT_TRUE(got);
  SymbolizedModule module = symbolized(*got);
  ASSERT_EQ(module.chain(0).size(), 2u);
  EXPECT_EQ(module.chain(0)[0].function, "inner");
  EXPECT_TRUE(module.chain(0)[0].inlined);
  EXPECT_EQ(module.chain(1)[0].line, 9u);
  EXPECT_EQ(module.report.symbols_from, ".symtab");
  EXPECT_EQ(module.report.skipped_lines, 5u);
  EXPECT_EQ(module.report.bytes_read, 34u);
  EXPECT_EQ(module.counters.by_source[1], 2u);
  EXPECT_EQ(encode_names(named_frames(module)).size(), encode_names(sample_names()).size());
}

// The parser may have been taken over: nothing that it says may lead out of what is there.
TEST(Wire, NamesThatCannotBeMeantAreRefused) {
  EXPECT_FALSE(decode_names(encode_names(sample_names()), 3)) << "an answer to another question";
  NamedFrames names = sample_names();
  names.frames[0].function = 4;
  EXPECT_FALSE(decode_names(encode_names(names), 2)) << "a text that is not there";
  names = sample_names();
  names.chains[1] = {1, 2};
  EXPECT_FALSE(decode_names(encode_names(names), 2)) << "frames that are not there";
  names = sample_names();
  names.chains[1] = {0, 0};
  EXPECT_FALSE(decode_names(encode_names(names), 2)) << "no frame at all";
  names = sample_names();
  names.frames[0].function = 1;
  EXPECT_FALSE(decode_names(encode_names(names), 2)) << "a function without a name, not even a made-up one";
}

TEST(Wire, AnyDamageIsHarmless) {
  std::string good = encode_names(sample_names());
  for (std::size_t at = 0; at < good.size(); ++at) {
    EXPECT_FALSE(decode_names(good.substr(0, at), 2)) << at;
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1 << bit);
      if (std::optional<NamedFrames> names = decode_names(bad, 2)) (void)symbolized(*names);
    }
  }
}

TEST(Wire, ABuildIdThatIsNoneIsRefused) {
  ModuleFacts facts{62, "0123abcd", {{1, 2, 3, 4, true}}};
  std::optional<ModuleFacts> got = decode_facts(encode_facts(facts));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->build_id, facts.build_id);
  EXPECT_EQ(got->segments[0].file_size, 3u);
  facts.build_id = "../../etc/cron.d/x";
  EXPECT_FALSE(decode_facts(encode_facts(facts))) << "it becomes part of a file's name";
}

TEST(Wire, QuestionsComeAcross) {
  SymbolizerOptions options;
  options.debug_dirs = {"/a", "/b"};
  ModuleRef module;
  module.path = "/lib/x.so";
  module.pid = 77;
  module.foreign_root = true;
  module.segments = {{1, 2, 3, 4, true}};
  AddressQuery query{0x1234, true};
  std::string bytes = encode_names_question(options, module, {&query, 1});
  Cursor in(bytes);
  NamesQuestion question = decode_names_question(in);
  EXPECT_TRUE(in.ok() && in.at_end());
  EXPECT_EQ(question.options.debug_dirs, options.debug_dirs);
  EXPECT_EQ(question.module.path, module.path);
  EXPECT_TRUE(question.module.foreign_root);
  EXPECT_EQ(question.module.owner, ~0u);
  ASSERT_EQ(question.queries.size(), 1u);
  EXPECT_TRUE(question.queries[0].is_return_address);
  FileRequest request{FileFormat::kPerfMap, "", "", 77, 1000};
  std::optional<FileRequest> asked = decode_file_request(encode_file_request(request));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->owner, 1000u);
}

}  // namespace
}  // namespace dwell
