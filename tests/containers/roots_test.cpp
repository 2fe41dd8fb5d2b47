// SPDX-License-Identifier: Apache-2.0
// Programs whose files are not where dwell would look for their paths, that belong to other users, or that
// live under limits and filters; recorded from outside, and from inside where dwell can be there.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/containers/placed.h"
#include "tests/end_to_end/truth.h"
#include "tests/robustness/residue.h"
#include "tests/targets/heap_functions.h"

namespace dwell::testing {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

const std::vector<Truth> kHeapFunctions = {HEAP_FUNCTIONS(HEAP_TRUTH) HEAP_FUNCTIONS_PVALLOC(HEAP_TRUTH)};

class Roots : public ::testing::Test {
 protected:
  void SetUp() override { DWELL_NEEDS_BPF(); }
};

// Lets the program do what it does, under all the recordings at once, and ends it.
void expect_exact(Placed& target, std::vector<std::unique_ptr<RecordingFrom>> recordings) {
  for (auto& recording : recordings) ASSERT_TRUE(recording->attached()) << recording->program().errors();
  target.program().write_line("go");
  ASSERT_TRUE(target.program().wait_for_output("done")) << target.program().describe();
  for (auto& recording : recordings) {
    json all = recording->stop();
    expect_kept(all, kHeapFunctions);
    expect_nothing_else(all, kHeapFunctions, "heap");
  }
  EXPECT_THAT(changed_code(target.pid()), IsEmpty());
  target.program().write_line("end");
  EXPECT_EQ(target.program().wait(), 0);
}
void expect_exact_from_outside(Placed& target) {
  std::vector<std::unique_ptr<RecordingFrom>> recordings;
  recordings.push_back(std::make_unique<RecordingFrom>(Viewer{}, Words{"-p", std::to_string(target.pid())}));
  expect_exact(target, std::move(recordings));
}
// Two dwells at once, each by its own id of the program.
void expect_exact_from_both_sides(Placed& target, int levels) {
  std::vector<std::unique_ptr<RecordingFrom>> recordings;
  recordings.push_back(std::make_unique<RecordingFrom>(Viewer{}, Words{"-p", std::to_string(target.pid())}));
  recordings.push_back(std::make_unique<RecordingFrom>(Viewer{target.pid()},
                                                       Words{"-p", std::to_string(target.pid_at(levels))}));
  expect_exact(target, std::move(recordings));
}

// A root that has nothing but a program and what it needs.
void fill_root(const std::string& root, const std::string& program) {
  fs::create_directories(root + "/lib64");
  fs::create_directories(root + "/lib/x86_64-linux-gnu");
  fs::copy_file(program, root + "/server");
  fs::copy_file(fs::canonical("/lib64/ld-linux-x86-64.so.2"), root + "/lib64/ld-linux-x86-64.so.2");
  fs::copy_file(fs::canonical("/lib/x86_64-linux-gnu/libc.so.6"), root + "/lib/x86_64-linux-gnu/libc.so.6");
}

TEST_F(Roots, AChrootInAMountAndPidNamespaceWhoseProgramWasDeleted) {
  TemporaryFolder folder;
  fill_root(folder.path(), target_binary("heap_functions"));
  Placed target({"new=pid,mount,net", "init", "chroot=" + folder.path()}, {"/server"});
  fs::remove(folder.file("server"));
  expect_exact_from_outside(target);
}

TEST_F(Roots, APivotedRootThatOnlyItsNamespaceHas) {
  TemporaryFolder folder;
  fill_root(folder.path(), target_binary("heap_functions"));
  Placed target({"new=pid,mount", "init", "root=" + folder.path()}, {"/server"});
  expect_exact_from_outside(target);
}

// As container images are mounted. The same files have other inodes there, and the same paths.
TEST_F(Roots, AnOverlay) {
  Placed target({"new=pid,mount", "init", "overlay=/", "proc"}, {target_binary("heap_functions")});
  expect_exact_from_both_sides(target, 1);
}

// dwell's own root, files and mounts; the target's PID namespace: `docker run --pid=container:NAME`, `kubectl
// debug --target`.
TEST_F(Roots, AnOverlayFromADebugContainer) {
  Placed target({"new=pid,mount", "init", "overlay=/", "proc"}, {target_binary("heap_functions")});
  std::vector<std::unique_ptr<RecordingFrom>> recordings;
  Viewer beside{0, {"join-pid=" + std::to_string(target.pid()), "new=mount", "proc"}};
  recordings.push_back(
      std::make_unique<RecordingFrom>(beside, Words{"-p", std::to_string(target.pid_at(-1))}));
  expect_exact(target, std::move(recordings));
}

TEST_F(Roots, AStaticProgramInAnOverlay) {
  Placed target({"new=mount", "overlay=/"}, {target_binary("heap_functions_static")});
  expect_exact_from_outside(target);
}

TEST_F(Roots, AnotherUsersProcess) {
  Placed target({"new=net", "uid=65534"}, {target_binary("heap_functions")});
  expect_exact_from_outside(target);
}

TEST_F(Roots, RootOfAUserNamespace) {
  Placed target({"new=user,pid,mount", "proc", "init"}, {target_binary("heap_functions")});
  expect_exact_from_outside(target);
}

TEST_F(Roots, AProcessUnderAFilterOfSystemCalls) {
  Placed target({"new=pid,mount", "proc", "init", "filter"}, {target_binary("heap_functions")});
  expect_exact_from_both_sides(target, 1);
}

TEST_F(Roots, AProcessThatHiddenProcShowsToRoot) {
  Placed target({"new=pid,mount", "proc=hidepid", "init", "uid=65534"}, {target_binary("heap_functions")});
  expect_exact_from_both_sides(target, 1);
}

// A cgroup with a limit of memory, by whichever version of the interface has that controller here.
class LimitedGroup {
 public:
  explicit LimitedGroup(std::uint64_t bytes) {
    for (auto [parent, limit] : {std::pair("/sys/fs/cgroup", "memory.max"),
                                 {"/sys/fs/cgroup/unified", "memory.max"},
                                 {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}}) {
      std::string path = parent + std::string("/dwell-test-") + std::to_string(::getpid());
      if (::mkdir(path.c_str(), 0755)) continue;
      std::ofstream file(path + "/" + limit, std::ios::in);
      if (fs::exists(path + "/cgroup.procs") && file << bytes << std::flush) {
        path_ = path;
        return;
      }
      ::rmdir(path.c_str());
    }
  }
  ~LimitedGroup() {
    // A process is its member until its parent has waited for it.
    if (path_.empty()) return;
    EXPECT_TRUE(eventually([&] { return ::rmdir(path_.c_str()) == 0; }));
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_F(Roots, AGroupWithALimitOfMemoryForBoth) {
  LimitedGroup group(256u << 20);
  if (group.path().empty()) GTEST_SKIP() << "no cgroup with a limit of memory can be made here";
  Placed target({"cgroup=" + group.path()}, {target_binary("heap_functions")});
  std::vector<std::unique_ptr<RecordingFrom>> recordings;
  recordings.push_back(std::make_unique<RecordingFrom>(Viewer{0, {"cgroup=" + group.path()}},
                                                       Words{"-p", std::to_string(target.pid())}));
  expect_exact(target, std::move(recordings));
}

// The ring alone takes more.
TEST_F(Roots, ALimitThatDwellsBuffersDoNotFitInIsSaid) {
  LimitedGroup group(60u << 20);
  if (group.path().empty()) GTEST_SKIP() << "no cgroup with a limit of memory can be made here";
  Placed target({}, {target_binary("heap_functions")});
  TemporaryFolder folder;
  Words place{"cgroup=" + group.path()};
  Words record{
      dwell_binary(), "record", "-d", "1", "-o", folder.file("r.dwell"), "-p", std::to_string(target.pid())};
  Finished refused = run(placed(place, record));
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.errors, ::testing::HasSubstr("--buffer 8M"));
  record.insert(record.end(), {"--buffer", "8M"});
  Finished recorded = run(placed(place, record));
  EXPECT_EQ(recorded.exit, 0) << recorded.errors;
}

}  // namespace
}  // namespace dwell::testing
