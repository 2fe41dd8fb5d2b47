// SPDX-License-Identifier: Apache-2.0
// What docs/security.md says of a target's code: which commands leave it alone, and that it is whole afterwards.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "symbolizer/proc_maps.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/unique_fd.h"

namespace dwell::testing {
namespace {

// All code of a process that comes from files, byte by byte.
class Code {
 public:
  explicit Code(pid_t pid) : memory_(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC)) {
    Result<std::vector<Mapping>> mappings = read_maps(pid);
    if (!mappings) return;
    for (const Mapping& mapping : *mappings)
      if (mapping.executable && mapping.is_file()) parts_.push_back({mapping.start, read(mapping.start, mapping.end - mapping.start)});
  }

  // How many bytes are others now.
  std::size_t changed() const {
    std::size_t count = 0;
    for (const auto& [start, before] : parts_) {
      std::string now = read(start, before.size());
      if (now == before) continue;
      for (std::size_t i = 0; i < before.size(); ++i) count += now[i] != before[i];
    }
    return count;
  }
  std::size_t size() const {
    std::size_t bytes = 0;
    for (const auto& part : parts_) bytes += part.second.size();
    return bytes;
  }

 private:
  std::string read(std::uint64_t start, std::size_t size) const {
    std::string bytes(size, '\0');
    EXPECT_EQ(::pread(memory_.get(), bytes.data(), size, static_cast<off_t>(start)), static_cast<ssize_t>(size));
    return bytes;
  }

  UniqueFd memory_;
  std::vector<std::pair<std::uint64_t, std::string>> parts_;
};

class CodeOfTheTarget : public ::testing::Test {
 protected:
  void SetUp() override {
    DWELL_NEEDS_BPF();
    target_ = std::make_unique<Program>(
        std::vector<std::string>{target_binary("safety/safety_throws"), "constructor"},
        std::vector<std::string>{"DWELL_CASE_GATE=1", "LD_PRELOAD=" + target_binary("safety/libsafety_plugin.so")});
    ASSERT_TRUE(target_->wait_for_error("ready")) << target_->errors();
    code_ = std::make_unique<Code>(target_->pid());
    ASSERT_GT(code_->size(), 1000000u);
  }

  // The most bytes that were changed at any time while the command ran.
  std::size_t most_changed(std::vector<std::string> command) {
    command.insert(command.begin(), dwell_binary());
    command.insert(command.end(), {"-p", std::to_string(target_->pid())});
    Program dwell(command);
    std::size_t most = 0, looks = 0;
    while (dwell.running()) {
      most = std::max(most, code_->changed());
      ++looks;
    }
    EXPECT_GT(looks, 3u);
    return most;
  }

  std::unique_ptr<Program> target_;
  std::unique_ptr<Code> code_;
};

TEST_F(CodeOfTheTarget, IsLeftAloneByWhatOnlyLooks) {
  TemporaryFolder folder;
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"threads"}, {"threads", "--kernel-stacks", "--json"}, {"threads", "-o", folder.file("look.dwell")}, {"doctor"}})
    EXPECT_EQ(most_changed(command), 0u) << command[0] << " " << command.back();
}

TEST_F(CodeOfTheTarget, HasBreakpointsWhileItIsRecordedAndNoneAfterwards) {
  TemporaryFolder folder;
  Recording recording(target_->pid(), folder.file("code.dwell"));
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  EXPECT_GT(code_->changed(), 10u);
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  EXPECT_EQ(code_->changed(), 0u);
  target_->write_line("go");
  EXPECT_EQ(target_->wait(), 0);
}

TEST_F(CodeOfTheTarget, IsWholeWhenDwellWasKilled) {
  TemporaryFolder folder;
  Recording recording(target_->pid(), folder.file("code.dwell"));
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  EXPECT_GT(code_->changed(), 10u);
  recording.program().signal(SIGKILL);
  recording.program().wait();
  EXPECT_TRUE(eventually([&] { return code_->changed() == 0; }));
}

TEST_F(CodeOfTheTarget, DoctorWarnsOfAPreloadedLibraryAndNamesTheWayWithoutProbes) {
  Finished doctor = run({dwell_binary(), "doctor", "-p", std::to_string(target_->pid())});
  EXPECT_NE(doctor.output.find("libsafety_plugin.so is preloaded"), std::string::npos) << doctor.output;
  EXPECT_NE(doctor.output.find("Without any breakpoint: dwell threads "), std::string::npos) << doctor.output;
}

TEST_F(CodeOfTheTarget, DoctorTellsOfAnotherTracersBreakpoints) {
  TemporaryFolder folder;
  Recording recording(target_->pid(), folder.file("code.dwell"));
  ASSERT_TRUE(recording.attached()) << recording.program().errors();
  Finished doctor = run({dwell_binary(), "doctor", "-p", std::to_string(target_->pid())});
  EXPECT_NE(doctor.output.find("another tracer is attached"), std::string::npos) << doctor.output;
  EXPECT_EQ(recording.stop(), 0);
}

}  // namespace
}  // namespace dwell::testing
