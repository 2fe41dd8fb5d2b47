// SPDX-License-Identifier: Apache-2.0
// What recordings hold of contexts.
#include "sample_recording.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {
namespace {

GoContexts sample() {
  GoContexts contexts;
  contexts.time_ns = 5'000'000'000;
  contexts.duration_ns = 60'000'000'000;
  contexts.probe_hits = 100;
  contexts.trap_ns = 50'000;
  contexts.bpf_ns = 40'000;
  contexts.lost = 1;
  contexts.unknown = 2;
  contexts.words = {"deadline", "cancel < background"};
  contexts.sites = {{StackId{0}, 0, 0, 1, 40, 30, 3, 7, 9'000'000'000, 30'000, 2'000}};
  contexts.notes = {"of a probe"};
  return contexts;
}

Result<Recording> read_back(const GoContexts& contexts) {
  std::string bytes = file_header() + make_chunk(kChunkInfo, 0, encode_info({})) +
                      make_chunk(kChunkProcess, 1, encode_process(0, {})) +
                      make_chunk(kChunkGoContexts, 2, encode_go_contexts(contexts));
  return parse_recording(bytes_of(bytes), "contexts.dwell");
}

TEST(GoContextChunks, WhatIsWrittenIsReadBack) {
  Result<Recording> read = read_back(sample());
  ASSERT_TRUE(read) << read.error().what;
  ASSERT_TRUE(go_of(*read).contexts);
  EXPECT_EQ(*go_of(*read).contexts, sample());
}

TEST(GoContextChunks, IndicesOfWhatWasNeverToldAreRefused) {
  struct Wrong {
    void (*change)(GoContextFacts&);
    const char* why;
  };
  const Wrong kWrong[] = {{[](GoContextFacts& site) { site.process = 1; }, "process 1 of 1"},
                          {[](GoContextFacts& site) { site.stack = StackId{9}; }, "stack 9 of 1"},
                          {[](GoContextFacts& site) { site.kind = 2; }, "word 2 of 2"},
                          {[](GoContextFacts& site) { site.parents = 3; }, "word 3 of 2"}};
  for (const Wrong& wrong : kWrong) {
    GoContexts contexts = sample();
    wrong.change(contexts.sites[0]);
    Result<Recording> read = read_back(contexts);
    ASSERT_FALSE(read) << wrong.why;
    EXPECT_NE(read.error().what.find(wrong.why), std::string::npos) << read.error().what;
  }
}

}  // namespace
}  // namespace dwell
