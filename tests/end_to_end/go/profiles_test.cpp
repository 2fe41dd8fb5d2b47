// SPDX-License-Identifier: Apache-2.0
// What is exported of a Go program, against what it tells itself. DWELL_GO_GROW may name more builds of the
// target, of other versions of Go.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <sstream>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"
#include "userspace/go/waits/contention_profile.h"

namespace dwell::testing {
namespace {

std::vector<std::string> targets() { return builds_of({"grow"}, "DWELL_GO_GROW"); }

// Flat and cumulative values of functions as `go tool pprof -top` has them, and the total under "".
std::map<std::string, std::string> top_of(const std::string& file, const std::string& sample_type) {
  Finished done =
      run({"env", "GOTOOLCHAIN=local", DWELL_GO_COMMAND, "tool", "pprof", "-top", "-nodecount=1000",
           "-nodefraction=0", "-unit=" + std::string(sample_type == "delay" ? "ms" : "B"),
           "-sample_index=" + sample_type, file});
  EXPECT_EQ(done.exit, 0) << done.errors;
  std::map<std::string, std::string> functions;
  std::istringstream lines(done.output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string flat, flat_share, sum, cumulative, share, name;
    if (std::size_t at = line.find(" of "), end = line.find(" total"); at != line.npos && end != line.npos)
      functions[""] = line.substr(at + 4, end - at - 4);
    if (fields >> flat >> flat_share >> sum >> cumulative >> share && std::getline(fields >> std::ws, name) &&
        flat_share.ends_with("%"))
      functions[name] = flat + " " + cumulative;
  }
  return functions;
}

class GoProfiles : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    target = std::make_unique<Program>(std::vector<std::string>{GetParam(), "profiled"});
    ASSERT_TRUE(target->wait_for_output("ready"));
    tell("leak 60");
    tell("allocate 400");
    tell("contend 20");
    tell("collect");
  }
  void tell(const std::string& command) {
    target->write_line(command);
    ASSERT_TRUE(target->wait_for_output("done " + command.substr(0, command.find(' '))));
  }
  void look() {
    Finished kept = run({dwell_binary(), "go", "-p", std::to_string(target->pid()),
                         "--heap", "-o", folder.file("s.dwell")});
    ASSERT_EQ(kept.exit, 0) << kept.errors;
    text = kept.output;
  }
  std::string exported(const std::string& view) {
    std::string file = folder.file(view + ".pb.gz");
    Finished done = run({dwell_binary(), "export", folder.file("s.dwell"), "--view", view, "-o", file});
    EXPECT_EQ(done.exit, 0) << done.errors;
    return file;
  }

  TemporaryFolder folder;
  std::unique_ptr<Program> target;
  std::string text;
};

// Since Go 1.22 the runtime counts waits for its own locks too, some of them while it gives the account.
constexpr const char* kOwnLock = "runtime._LostContendedRuntimeLock";

void leave_out_own_locks(std::map<std::string, std::string>& functions) {
  if (functions.erase(kOwnLock)) functions.erase("");
}

TEST_P(GoProfiles, OpenInGosOwnToolWithItsOwnFigures) {
  tell("account");  // now it has measured its ticks
  look();
  tell("write " + folder.path());
  for (const auto& [view, file, sample_type] :
       {std::tuple("go:heap", "heap", "inuse_space"), std::tuple("go:heap", "heap", "inuse_objects"),
        std::tuple("go:heap", "heap", "alloc_space"), std::tuple("go:heap", "heap", "alloc_objects"),
        std::tuple("go:mutex", "mutex", "contentions"), std::tuple("go:mutex", "mutex", "delay"),
        std::tuple("go:block", "block", "contentions"), std::tuple("go:block", "block", "delay")}) {
    std::map<std::string, std::string> ours = top_of(exported(view), sample_type),
                                       own = top_of(folder.file(file + std::string(".pb.gz")), sample_type);
    EXPECT_GT(own.size(), 3u) << view;
    leave_out_own_locks(ours);
    leave_out_own_locks(own);
    EXPECT_EQ(ours, own) << view << " " << sample_type;
  }
  std::map<std::string, std::string> ours = top_of(exported("goroutines"), "goroutine"),
                                     own = top_of(folder.file("goroutine.pb.gz"), "goroutine");
  EXPECT_EQ(ours[""], own[""]);
  EXPECT_EQ(ours["main.leak.func1"], own["main.leak.func1"]);
  EXPECT_EQ(ours["main.main"], own["main.main"]);
  EXPECT_EQ(ours["runtime.gopark"], own["runtime.gopark"]);
}

TEST_P(GoProfiles, HaveTheLabelsOfGoroutines) {
  look();
  Finished tags =
      run({"env", "GOTOOLCHAIN=local", DWELL_GO_COMMAND, "tool", "pprof", "-tags", exported("goroutines")});
  EXPECT_EQ(tags.exit, 0) << tags.errors;
  EXPECT_NE(tags.output.find("leaking"), std::string::npos) << tags.output;
  EXPECT_NE(tags.output.find("chan receive"), std::string::npos) << tags.output;
  Finished folded = run({dwell_binary(), "export", folder.file("s.dwell"), "--view", "go:mutex", "-f",
                         "folded", "--sample-type", "contentions"});
  EXPECT_NE(folded.output.find("main.holdLock;sync.(*Mutex).Unlock"), std::string::npos) << folded.output;
  EXPECT_NE(text.find("main.holdLock"), std::string::npos) << text;
}

// Lines "TICKS COUNT @ ADDRESSES" of the profile as text, each with the functions that its lines below name.
using Waits = std::multimap<std::pair<std::int64_t, std::int64_t>, std::string>;
Waits parse_waits(const std::string& account, const std::string& name) {
  Waits waits;
  std::size_t begin = account.find("profile " + name + "\n"), end = account.find("\nprofile ", begin + 1);
  std::istringstream lines(account.substr(begin, end == account.npos ? end : end - begin));
  auto last = waits.end();
  for (std::string line; std::getline(lines, line);) {
    long long ticks, count;
    char function[512];
    int at = 0;
    if (std::sscanf(line.c_str(), "%lld %lld @%n", &ticks, &count, &at) == 2 && at)
      last = waits.insert({{ticks, count}, ""});
    if (last != waits.end() && std::sscanf(line.c_str(), "# %*s %511[^+]+", function) == 1)
      last->second += std::string(function) + "\n";
  }
  return waits;
}

bool is_own_lock(const Waits::value_type& wait) { return wait.second.find(kOwnLock) != std::string::npos; }

TEST_P(GoProfiles, CountWaitsAsTheProgramDoes) {
  Result<GoRuntime> runtime = GoRuntime::attach(target->pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  std::vector<ContentionProfile> profiles = read_contention_profiles(*runtime);
  ASSERT_EQ(profiles.size(), 2u);
  tell("account");
  for (const ContentionProfile& profile : profiles) {
    Waits seen;
    for (const ContentionSite& site : profile.sites) {
      std::string functions;
      for (const GoCall& call : site.calls)
        if (call.function != "runtime.goexit") functions += call.function + "\n";
      seen.insert({{site.ticks, site.contentions}, functions});
    }
    std::erase_if(seen, is_own_lock);
    const char* name = profile.kind == GoProfileKind::kMutex ? "mutex" : "block";
    Waits own = parse_waits(target->output(), name);
    std::erase_if(own, is_own_lock);
    EXPECT_GE(own.size(), 1u) << name;
    EXPECT_EQ(seen, own) << name;
    // Nobody had asked the runtime before, so that dwell measured for itself.
    double ticks = 0;
    std::size_t at = target->output().find("cycles/second=");
    ASSERT_EQ(std::sscanf(target->output().c_str() + at, "cycles/second=%lf", &ticks), 1);
    EXPECT_NEAR(static_cast<double>(profile.ticks_per_second) / ticks, 1, 0.001);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, GoProfiles, ::testing::ValuesIn(targets()), name_of_build);

}  // namespace
}  // namespace dwell::testing
