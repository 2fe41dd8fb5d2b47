// SPDX-License-Identifier: Apache-2.0
// Looks at a program whose goroutines never stand still: every stack that is told must be one that can be.
// DWELL_GO_CHURN sets for how many seconds to look (default: 5).
#include <gtest/gtest.h>

#include <map>

#include "tests/end_to_end/harness.h"
#include "userspace/go/goroutines/reader.h"

namespace dwell::testing {
namespace {

// The calls of the program itself, from the one that was started to the innermost, as the source allows them.
bool can_be(const std::vector<GoCall>& calls) {
  std::vector<std::string> own;
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
    if (call->function.rfind("main.", 0) == 0) own.push_back(call->function.substr(5));
  }
  auto starts = [&](std::string_view text) { return !own.empty() && own[0].rfind(text, 0) == 0; };
  if (starts("main.func") || starts("main.gowrap") || starts("spawner."))
    own.erase(own.begin());      // of the go statement
  if (own.empty()) return true;  // the runtime's own, or one that has not begun
  if (own[0] != "mover") return own.size() == 1;
  constexpr std::size_t kDeepest = 41;  // grow(40) down to grow(0)
  std::size_t grown = 0;
  std::size_t at = 1;
  while (at < own.size() && own[at] == "grow") ++at, ++grown;
  if (at < own.size() && own[at] == "leafOfMover") ++at;
  return at == own.size() && grown <= kDeepest;
}

TEST(GoChurn, TellsNoStackThatCannotBe) {
  int seconds = 5;
  if (const char* longer = std::getenv("DWELL_GO_CHURN")) seconds = std::atoi(longer);
  const char* other = std::getenv("DWELL_GO_CHURN_TARGET");
  Program target({other ? other : target_binary("go/churn")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Result<GoRuntime> runtime = GoRuntime::attach(target.pid());
  ASSERT_TRUE(runtime) << runtime.error().what;
  LookFigures all;
  std::uint64_t looks = 0, wrong = 0, whole = 0;
  std::string example;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (std::chrono::steady_clock::now() < end) {
    std::uint64_t still = 0;
    Result<LookFigures> figures = read_goroutines(*runtime, [&](const Goroutine& goroutine) {
      if (goroutine.stack_state != GoStackState::kWhole) return;
      ++whole;
      std::vector<GoCall> calls = runtime->frames().calls(goroutine.pcs);
      for (const GoCall& call : calls) still += call.function == "main.still" ? 1 : 0;
      if (can_be(calls)) return;
      if (!wrong++) {
        for (const GoCall& call : calls) example += call.function + "\n";
      }
    });
    ASSERT_TRUE(figures) << figures.error().what << " " << target.describe();
    EXPECT_EQ(still, 100u) << "those that stand still are always seen";
    ++looks;
    all.alive += figures->alive;
    all.torn += figures->torn;
    all.moved += figures->moved;
    all.broken += figures->broken;
    all.unreadable += figures->unreadable;
  }
  std::printf(
      "%lu looks, %lu goroutines, %lu whole stacks, %lu read again, %lu moved each time, %lu not followed, "
      "%lu unreadable, %lu wrong\n",
      looks, all.alive, whole, all.torn, all.moved, all.broken, all.unreadable, wrong);
  EXPECT_EQ(wrong, 0u) << example;
  EXPECT_GT(looks, 10u);
  EXPECT_LT(all.broken, all.alive / 100);
  EXPECT_TRUE(target.running()) << target.describe() << target.errors();
}

}  // namespace
}  // namespace dwell::testing
