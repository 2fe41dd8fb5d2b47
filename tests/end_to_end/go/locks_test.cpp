// SPDX-License-Identifier: Apache-2.0
// Who holds the locks that goroutines wait for: each way to hold one, circles, locks that nobody holds any more; and nothing of
// goroutines that only look as if they held one. DWELL_GO_LOCKS may name more builds of the target, of other versions of Go.
#include <gmock/gmock.h>

#include <regex>

#include "tests/end_to_end/go/builds.h"
#include "tests/end_to_end/harness.h"
#include "userspace/base/text.h"

namespace dwell::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct WayToHold {
  std::string mode;
  std::string waits_at;  // who waits
  std::string holds;     // behind "goroutine N holds it"
};

// Lines are those of tests/targets/go/locks.go.
const std::vector<WayToHold> kWays = {
    {"deferred", "sync.Mutex at locks.go:119", "holds it, with a deferred Unlock at locks.go:40 (main.(*store).deferred), and itself waits (chan receive) at locks.go:42"},
    {"plain", "sync.Mutex at locks.go:119", "holds it, locked at locks.go:46 (main.(*store).plain), and itself waits (chan receive) at locks.go:48"},
    {"nested", "sync.Mutex at locks.go:119", "holds it, locked at locks.go:53 (main.(*owner).nested), and itself waits (chan receive) at locks.go:55"},
    {"closure", "sync.Mutex at locks.go:119", "holds it, with a deferred Unlock at locks.go:63 (main.(*store).closure.func1), and itself waits (chan receive) at locks.go:66"},
    {"loop", "sync.Mutex at locks.go:119", "holds it, with a deferred Unlock at locks.go:72 (main.(*store).inLoop), and itself waits (chan receive) at locks.go:74"},
    {"read", "sync.RWMutex at locks.go:121", "holds it for reading, with a deferred RUnlock at locks.go:80 (main.(*store).read), and itself waits (chan receive) at locks.go:82"},
    {"write", "sync.RWMutex at locks.go:120", "holds it, locked at locks.go:86 (main.(*store).write), and itself waits (chan receive) at locks.go:88"},
    {"both", "sync.Mutex at locks.go:119", "holds it, as it goes on to Unlock at locks.go:99 (main.both), and itself waits (chan receive) at locks.go:97"},
    {"helped", "sync.Mutex at locks.go:119", "very likely holds it, as it goes on to Unlock at locks.go:109 (main.(*store).helped), and itself waits (chan receive) at locks.go:108"},
    {"global", "sync.Mutex at locks.go:119", "holds it, locked at locks.go:113 (main.ofGlobal), and itself waits (chan receive) at locks.go:115"},
};

std::vector<std::string> lock_builds() { return builds_of({"locks", "locks_pie"}, "DWELL_GO_LOCKS"); }

std::string first_lines(pid_t pid) {
  std::string text = run({dwell_binary(), "go", std::to_string(pid)}).output;
  std::size_t begin = text.find("What to look at\n");
  if (begin == std::string::npos) return "";
  std::string part = text.substr(begin, text.find("\n\n", begin) - begin);
  for (std::size_t at = part.find("\n    "); at != std::string::npos; at = part.find("\n    ")) part.replace(at, 5, " ");
  return part;
}

class Locks : public ::testing::TestWithParam<std::string> {};

TEST_P(Locks, AreToldWithWhoHoldsThem) {
  for (const WayToHold& way : kWays) {
    SCOPED_TRACE(way.mode);
    Program target({GetParam(), way.mode});
    ASSERT_TRUE(target.wait_for_output("ready"));
    std::smatch holder;
    std::string output = target.output();
    ASSERT_TRUE(std::regex_search(output, holder, std::regex("holds (\\d+)")));
    std::string found = first_lines(target.pid());
    EXPECT_THAT(found, HasSubstr("5 goroutines wait for a " + way.waits_at));
    EXPECT_THAT(found, HasSubstr("goroutine " + holder[1].str() + " " + way.holds));
  }
}

TEST_P(Locks, OfACircleAreProved) {
  Program target({GetParam(), "circle"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string found = first_lines(target.pid());
  EXPECT_THAT(found, HasSubstr("2 goroutines wait for each other's locks, and can never go on"));
  std::regex holds("goroutine \\d+ holds the sync.Mutex that is waited for at locks.go:129 \\(main.move\\), with a deferred Unlock at locks.go:126 "
                   "\\(main.move\\), and itself waits \\((sync.Mutex.Lock|semacquire)\\) at locks.go:129");
  EXPECT_EQ(std::distance(std::sregex_iterator(found.begin(), found.end(), holds), std::sregex_iterator()), 2) << found;
}

TEST_P(Locks, ThatTheirHolderWaitsForAreProved) {
  Program target({GetParam(), "self"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string found = first_lines(target.pid());
  EXPECT_THAT(found, HasSubstr("a goroutine waits for a lock that it holds itself, and can never go on"));
  EXPECT_THAT(found, HasSubstr("with a deferred Unlock at locks.go:137 (main.(*store).add)"));
}

TEST_P(Locks, ThatNobodyHoldsAnyMoreAreLikely) {
  Program target({GetParam(), "forgotten"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::string found = first_lines(target.pid());
  EXPECT_THAT(found, HasSubstr("5 goroutines wait for a sync.Mutex at locks.go:119 (main.(*store).wait) that very likely nobody holds any more"));
  EXPECT_THAT(found, HasSubstr("locks.go:152 (main.get)"));
}

// Half of its goroutines keep deferred or coming calls of Unlock of a lock that they do not hold.
TEST_P(Locks, AreNotHeldByWhoeverKnowsThem) {
  Program target({GetParam(), "busy"});
  ASSERT_TRUE(target.wait_for_output("ready"));
  std::size_t named = 0;
  constexpr int kLooks = 12;
  for (int look = 0; look < kLooks; ++look) {
    std::string found = first_lines(target.pid());
    EXPECT_THAT(found, Not(HasSubstr("nobody holds")));
    EXPECT_THAT(found, Not(HasSubstr("never go on")));
    std::regex holds("goroutine \\d+ (very likely )?holds it, [^\\n]*");
    for (auto at = std::sregex_iterator(found.begin(), found.end(), holds); at != std::sregex_iterator(); ++at, ++named)
      EXPECT_THAT(at->str(), HasSubstr("locked at locks.go:220 (main.(*store).works)"));
  }
  EXPECT_GT(named, 0U);  // else nothing was shown
}

INSTANTIATE_TEST_SUITE_P(Targets, Locks, ::testing::ValuesIn(lock_builds()), name_of_build);

}  // namespace
}  // namespace dwell::testing
