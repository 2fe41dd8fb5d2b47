// SPDX-License-Identifier: Apache-2.0
// Names may come later and elsewhere: the report is the same, byte for byte.
#include <filesystem>

#include "tests/end_to_end/harness.h"
#include "userspace/subjects/chunks.h"
#include "userspace/recording/writer.h"

namespace dwell::testing {
namespace {

// What `dwell record --no-symbols` would have written: only code without a file has names.
void forget_names(const std::string& from, const std::string& to) {
  Result<dwell::Recording> recording = read_recording(from);
  ASSERT_TRUE(recording) << recording.error().what;
  std::vector<LocationSymbol> symbols = recording->symbols;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    std::int32_t module = recording->locations[i].module;
    if (module >= 0 && recording->modules[module].kind == ModuleKind::kFile) symbols[i] = {};
  }
  Result<void> written = rewrite_symbols(from, to, symbols);
  ASSERT_TRUE(written) << written.error().what;
}

std::string text_report(const std::string& path) {
  Finished finished = run({dwell_binary(), "report", "--stacks", "100", path});
  EXPECT_EQ(finished.exit, 0) << finished.errors;
  return finished.output;
}

class Symbolize : public ::testing::Test {
 protected:
  // A copy of the service is recorded, so that it can be moved away.
  void SetUp() override {
    DWELL_NEEDS_BPF();
    std::filesystem::copy(target_binary("leaking_service"), program_);
    Program service({program_});
    Finished recorded = run({dwell_binary(), "record", "-p", std::to_string(service.pid()), "-d", "1s", "-q", "-o", named_});
    ASSERT_EQ(recorded.exit, 0) << recorded.errors;
    forget_names(named_, nameless_);
  }
  TemporaryFolder folder_;
  std::string program_ = folder_.file("service"), named_ = folder_.file("named.dwell"),
              nameless_ = folder_.file("nameless.dwell");
};

TEST_F(Symbolize, LaterIsAsGoodAsAtOnce) {
  if (IsSkipped()) return;
  EXPECT_NE(text_report(nameless_), text_report(named_));
  EXPECT_EQ(text_report(nameless_).find("SessionStore::begin"), std::string::npos);
  Finished symbolized = run({dwell_binary(), "symbolize", nameless_});
  ASSERT_EQ(symbolized.exit, 0) << symbolized.errors;
  EXPECT_EQ(text_report(nameless_), text_report(named_));
  EXPECT_NE(text_report(nameless_).find("SessionStore::begin"), std::string::npos);
}

TEST_F(Symbolize, ElsewhereIsAsGoodAsHere) {
  if (IsSkipped()) return;
  // "Elsewhere" is where the program is only found below a folder that holds the recorded machine's files.
  std::string sysroot = folder_.file("sysroot");
  std::filesystem::create_directories(sysroot + folder_.path());
  std::filesystem::rename(program_, sysroot + program_);
  Finished without = run({dwell_binary(), "symbolize", "-o", folder_.file("partly.dwell"), nameless_});
  EXPECT_EQ(without.exit, 0) << without.errors;
  EXPECT_NE(without.output.find(program_), std::string::npos) << "it must say whose names it could not find";
  EXPECT_NE(without.output.find("hint: "), std::string::npos) << "and how to get them";
  EXPECT_NE(text_report(folder_.file("partly.dwell")), text_report(named_));

  for (const auto& entry : std::filesystem::directory_iterator("/usr"))  // libraries come from the same sysroot
    if (entry.path().filename() == "lib") std::filesystem::create_directory_symlink(entry.path(), sysroot + "/lib");
  std::filesystem::create_directory_symlink("/usr", sysroot + "/usr");
  Finished with = run({dwell_binary(), "symbolize", "--sysroot", sysroot, nameless_});
  ASSERT_EQ(with.exit, 0) << with.errors;
  EXPECT_EQ(text_report(nameless_), text_report(named_));
}

}  // namespace
}  // namespace dwell::testing
