// SPDX-License-Identifier: Apache-2.0
// Many processes as one target: named one by one, as a tree, by name, as a control group.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/end_to_end/harness.h"
#include "tests/targets/prefork.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

constexpr int kWorkers = 4, kRequests = 50;

// The row of create_session, over all workers.
Json summed_sessions(const Json& report) {
  if (!report.contains("by_program")) return nullptr;
  for (const Json& site : report["by_program"]["sites"])
    for (const Json& frame : site["stack"])
      if (frame["function"] == "create_session") return site;
  return nullptr;
}

class Tree : public ::testing::Test {
 protected:
  void SetUp() override {
    DWELL_NEEDS_BPF();
    server_ = std::make_unique<Program>(std::vector<std::string>{target_binary("prefork"), std::to_string(kWorkers)});
    ASSERT_TRUE(server_->wait_for_output("ready"));
  }
  void record(const std::vector<std::string>& targets, bool exact = true) {
    std::vector<std::string> command{dwell_binary(), "record", "-o", folder_.file("r.dwell"), "--detach-above", "0"};
    if (exact) command.push_back("--exact");
    command.insert(command.end(), targets.begin(), targets.end());
    dwell_ = std::make_unique<Program>(command);
    ASSERT_TRUE(dwell_->wait_for_error("recording ")) << dwell_->errors();
  }
  std::vector<pid_t> workers() {
    server_->write_line("workers");
    EXPECT_TRUE(server_->wait_for_output("workers "));
    std::string line = server_->output().substr(server_->output().rfind("workers "));
    std::istringstream words(line.substr(8));
    std::vector<pid_t> pids;
    for (pid_t pid; words >> pid;) pids.push_back(pid);
    return pids;
  }
  void serve(int requests) {
    server_->write_line("serve " + std::to_string(requests));
    ASSERT_TRUE(server_->wait_for_output("served"));
  }
  pid_t replace() {
    server_->write_line("replace");
    EXPECT_TRUE(server_->wait_for_output("replaced "));
    return std::stoi(server_->output().substr(server_->output().rfind("replaced ") + 9));
  }
  int stop() {
    dwell_->signal(SIGINT);
    return dwell_->wait();
  }
  Json finish(int exit = 0) {
    EXPECT_EQ(stop(), exit) << dwell_->errors();
    return report(folder_.file("r.dwell"));
  }
  std::string text(const std::vector<std::string>& options = {}) {
    std::vector<std::string> command{dwell_binary(), "report", folder_.file("r.dwell")};
    command.insert(command.end(), options.begin(), options.end());
    return run(command).output;
  }
  static void expect_sessions(const Json& all, int processes, int requests) {
    Json row = summed_sessions(all);
    ASSERT_TRUE(row.is_object()) << all.dump(1).substr(0, 3000);
    EXPECT_EQ(row["figures"]["retained_bytes"], processes * requests * PREFORK_SESSION_BYTES);
    EXPECT_EQ(row["figures"]["retained_blocks"], processes * requests);
    ASSERT_EQ(row["processes"].size(), static_cast<std::size_t>(processes));
    for (const Json& one : row["processes"]) EXPECT_EQ(one["figures"]["retained_blocks"], requests);
  }

  TemporaryFolder folder_;
  std::unique_ptr<Program> server_, dwell_;
};

TEST_F(Tree, WorkersThatWereNamedAreOneRow) {
  std::vector<std::string> named;
  for (pid_t pid : workers()) named.push_back(std::to_string(pid));
  record(named);
  serve(kRequests);
  Json all = finish();
  expect_nothing_lost(all);
  EXPECT_EQ(all["processes"].size(), static_cast<std::size_t>(kWorkers));
  expect_sessions(all, kWorkers, kRequests);
  // Each is still there for itself.
  std::vector<Json> sites = sites_in(all, "create_session");
  EXPECT_EQ(sites.size(), static_cast<std::size_t>(kWorkers));
  Json one = report(folder_.file("r.dwell"), {"--process", named[1]});
  EXPECT_EQ(sum(sites_in(one, "create_session"), "retained_blocks"), kRequests);
  std::string shown = text();
  EXPECT_THAT(shown, HasSubstr("prefork (4 processes)"));
  EXPECT_THAT(shown, HasSubstr("where shared memory counts once (PSS) +"));
}

TEST_F(Tree, TheSumOfRssIsThatOfProcAndSharedMemoryCountsOnce) {
  std::vector<std::string> named;
  for (pid_t pid : workers()) named.push_back(std::to_string(pid));
  record(named);
  serve(kRequests);
  Json all = finish();
  double rss = 0, pss = 0;
  for (const std::string& pid : named) {
    std::ifstream rollup("/proc/" + pid + "/smaps_rollup");
    for (std::string name, value, line; std::getline(rollup, line);) {
      std::istringstream(line) >> name >> value;
      if (name == "Rss:") rss += std::stod(value) * 1024;
      if (name == "Pss:") pss += std::stod(value) * 1024;
    }
  }
  double told = 0;
  for (const Json& one : all["process_memory"]) told += one["rss_after_bytes"].get<double>();
  EXPECT_NEAR(told, rss, 0.05 * rss);
  double shared_once = 0;
  for (const Json& one : all["process_memory"]) shared_once += one["at_end"]["proportional_bytes"].get<double>();
  EXPECT_NEAR(shared_once, pss, 0.1 * pss);
  EXPECT_LT(shared_once, told - (kWorkers - 1) * 0.7 * PREFORK_SHARED_BYTES) << "the shared mapping";
}

TEST_F(Tree, ChildrenAreThoseThatRunAndThoseThatWillBeForked) {
  record({"--children", std::to_string(server_->pid())});
  EXPECT_THAT(dwell_->errors(), HasSubstr("recording 5 processes of the tree of"));
  serve(kRequests);
  pid_t fresh = replace();
  ASSERT_TRUE(dwell_->wait_for_error("process " + std::to_string(fresh) + " was forked by"));
  serve(kRequests);
  Json all = finish();
  expect_nothing_lost(all);
  EXPECT_EQ(all["processes"].size(), static_cast<std::size_t>(kWorkers + 2));
  // What the one that ended had is gone with it. The one that was forked in replace() is by its stack another row, of one process.
  Json row = summed_sessions(all);
  ASSERT_TRUE(row.is_object());
  EXPECT_EQ(row["figures"]["retained_blocks"], 2 * (kWorkers - 1) * kRequests);
  EXPECT_EQ(row["figures"]["dropped_blocks"], kRequests);
  EXPECT_EQ(row["figures"]["allocations"], (2 * kWorkers - 1) * kRequests);
  EXPECT_EQ(all["by_program"]["totals"][0]["figures"]["retained_blocks"], (2 * (kWorkers - 1) + 1) * kRequests);
  EXPECT_THAT(text(), HasSubstr("prefork (5 processes, 1 more ended)"));
}

TEST_F(Tree, ANameMeansAllThatHaveIt) {
  // Others of the machine may be called so, too: what is recorded is at least ours.
  std::string copy = folder_.file("tree_server");
  ASSERT_EQ(run({"/bin/cp", target_binary("prefork"), copy}).exit, 0);
  Program other({copy, "2"});
  ASSERT_TRUE(other.wait_for_output("ready"));
  EXPECT_EQ(run({dwell_binary(), "record", "tree_server", "-d", "1"}).exit, 3) << "a name that several have is no process";
  record({"--name", "tree_server"});
  other.write_line("serve 10");
  ASSERT_TRUE(other.wait_for_output("served"));
  Json all = finish();
  EXPECT_EQ(all["processes"].size(), 3u);
  expect_sessions(all, 2, 10);
}

TEST_F(Tree, OneThatCannotBeRecordedIsToldAndTheOthersAreRecorded) {
  std::vector<pid_t> pids = workers();
  Program gone({"/bin/true"});
  gone.wait();
  record({std::to_string(pids[0]), std::to_string(gone.pid()), std::to_string(pids[1])});
  serve(kRequests);
  Json all = finish(5);
  EXPECT_EQ(all["processes"].size(), 2u);
  ASSERT_EQ(all["unseen"].size(), 1u);
  EXPECT_EQ(all["unseen"][0]["what"], "process " + std::to_string(gone.pid()));
  EXPECT_THAT(all["unseen"][0]["why"].get<std::string>(), HasSubstr("no such process"));
  expect_sessions(all, 2, kRequests);
  EXPECT_EQ(run({dwell_binary(), "record", std::to_string(gone.pid()), "4194303", "-d", "1", "-o", folder_.file("none.dwell")}).exit, 3)
      << "where all fail, it is an error";
}

// A control group below our own, if this machine lets us have one.
class OwnGroup {
 public:
  OwnGroup() {
    std::ifstream own("/proc/self/cgroup");
    for (std::string line; std::getline(own, line);) {
      bool version_2 = line.starts_with("0::");
      if (!version_2 && line.find(":memory:") == std::string::npos) continue;
      std::string path = (version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory") + line.substr(line.rfind(':') + 1);
      if (::access((path + "/cgroup.procs").c_str(), W_OK) == 0) path_ = path;
    }
    path_ += "/dwell-test-" + std::to_string(::getpid()) + ".service";
    made_ = path_.starts_with("/sys/") && ::mkdir(path_.c_str(), 0755) == 0;
  }
  ~OwnGroup() {
    if (made_) eventually([this] { return ::rmdir(path_.c_str()) == 0; });
  }
  bool add(pid_t pid) const {
    std::ofstream procs(path_ + "/cgroup.procs");
    procs << pid << std::flush;
    return made_ && procs.good();
  }
  const std::string& path() const { return path_; }
  std::string name() const { return path_.substr(path_.rfind('/') + 1); }

 private:
  std::string path_;
  bool made_ = false;
};

TEST_F(Tree, AControlGroupIsAllThatAreInItNowAndLater) {
  OwnGroup group;
  std::vector<pid_t> pids = workers();
  if (!group.add(pids[0])) GTEST_SKIP() << "no control group can be made here: " << group.path();
  ASSERT_TRUE(group.add(pids[1]));
  record({"--cgroup", group.name()});
  EXPECT_THAT(dwell_->errors(), HasSubstr("recording 2 processes of control group"));
  serve(kRequests);
  ASSERT_TRUE(group.add(pids[2])) << "one that comes into it otherwise than by fork";
  ASSERT_TRUE(dwell_->wait_for_error("process " + std::to_string(pids[2]) + " joined"));
  serve(kRequests);
  Json all = finish();
  EXPECT_EQ(all["processes"].size(), 3u);
  Json row = summed_sessions(all);
  ASSERT_TRUE(row.is_object());
  EXPECT_EQ(row["figures"]["retained_blocks"], 5 * kRequests);
  for (pid_t pid : pids) ::kill(pid, SIGKILL);  // so that the group can go
}

TEST_F(Tree, MistakesAreToldBeforeAnythingIsAttached) {
  Finished none = run({dwell_binary(), "record", "--children"});
  EXPECT_EQ(none.exit, 2);
  Finished group = run({dwell_binary(), "record", "--cgroup", "no-such-unit"});
  EXPECT_EQ(group.exit, 3);
  EXPECT_THAT(group.errors, HasSubstr("find a control group: none is called 'no-such-unit'"));
  Finished name = run({dwell_binary(), "record", "--name", "no-such-name"});
  EXPECT_EQ(name.exit, 3);
}

// A process that ends frees its number for others, within a budget too: in its life a server has more workers than there are numbers.
TEST_F(Tree, WorkersThatComeAndGoAreFollowedForAsLongAsOneLikes) {
  constexpr int kChildren = 300;
  Program forker({target_binary("forker"), std::to_string(kChildren), "8", "40"});
  ASSERT_TRUE(forker.wait_for_output("ready"));
  record({"--children", std::to_string(forker.pid())}, /*exact=*/false);
  forker.write_line("go");
  ASSERT_TRUE(forker.wait_for_output("done", std::chrono::seconds(120)));
  Json all = finish();
  forker.write_line("end");
  EXPECT_EQ(all["children"]["forked"], kChildren);
  EXPECT_EQ(all["children"]["without_room"], 0);
  EXPECT_EQ(all["children"]["followed"].get<int>() + all["children"]["ended_too_early"].get<int>(), kChildren);
  EXPECT_EQ(all["processes"].size(), 1 + all["children"]["followed"].get<std::size_t>());
}

}  // namespace
}  // namespace dwell::testing
