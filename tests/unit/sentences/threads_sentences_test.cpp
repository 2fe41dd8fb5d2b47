// SPDX-License-Identifier: Apache-2.0
// Every sentence of `dwell threads`, each in a situation in which it is true.
#include <gtest/gtest.h>
#include <signal.h>

#include "symbolizer/symbolizer.h"
#include "tests/unit/ui/golden.h"
#include "userspace/threads/text.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class Scene {
 public:
  explicit Scene(std::string title) : title_(std::move(title)) {
    report_.info.host = "vm";
    report_.info.kernel = "6.1.0";
    report_.info.arch = "x86_64";
    report_.process.name = "server";
    report_.process.pid = 10;
    report_.process.command_line = "server --port 0";
    report_.duration_ns = 50'000;
    report_.handled_signals = 0;
  }

  std::int32_t lock(WaitKind kind, std::string words, OwnerState state = OwnerState::kUnnamed, Tid owner = 0,
                    std::string owner_words = "") {
    report_.locks.push_back({0x1000, kind, std::move(words), false, state, owner, std::move(owner_words)});
    return static_cast<std::int32_t>(report_.locks.size() - 1);
  }
  std::int32_t mutex_of(Tid owner) {
    return lock(WaitKind::kMutex, "mutex m" + std::to_string(report_.locks.size()), OwnerState::kThread, owner,
                "t" + std::to_string(owner) + " (" + std::to_string(owner) + ")");
  }
  ThreadFacts& thread(WaitKind wait, std::string waits_for, std::uint64_t seconds = 90,
                      const std::vector<std::string>& functions = {"wait", "work"}) {
    ThreadFacts facts;
    facts.tid = static_cast<Tid>(10 + report_.threads.size());
    facts.name = "t" + std::to_string(facts.tid);
    facts.wait = wait;
    facts.waits_for = std::move(waits_for);
    std::vector<ReportFrame> frames;
    for (const std::string& function : functions) frames.emplace_back().function = function;
    report_.groups.push_back({{report_.threads.size()}, {frames, ""}, {}});
    report_.threads.push_back({facts, seconds * kSecond, report_.groups.size() - 1});
    return report_.threads.back().facts;
  }
  ThreadFacts& waits(std::int32_t lock, std::uint64_t seconds = 90, const std::vector<std::string>& functions = {"wait", "work"}) {
    const LockFacts& of = report_.locks[static_cast<std::size_t>(lock)];
    ThreadFacts& facts = thread(of.kind, of.words, seconds, functions);
    facts.lock = lock;
    return facts;
  }
  ThreadFacts& in_state(ThreadState state) {
    ThreadFacts& facts = thread(WaitKind::kNone, "");
    facts.state = state;
    report_.threads.back().waiting_ns.reset();
    return facts;
  }
  void listens() { thread(WaitKind::kPoll, "epoll 4 of socket 5 listening at 0.0.0.0:80", 3); }
  // The last threads stand at the same place.
  void as_one_group(std::size_t count) {
    for (std::size_t i = 1; i < count; ++i) {
      report_.groups.pop_back();
      report_.groups.back().threads.push_back(report_.groups.back().threads.back() + 1);
    }
    for (std::size_t t : report_.groups.back().threads) report_.threads[t].group = report_.groups.size() - 1;
  }
  ThreadReport& report() { return report_; }

  std::string text(std::uint64_t stuck_after_s = 60) {
    report_.verdicts = find_verdicts(report_, {stuck_after_s * kSecond});
    return "==== " + title_ + " ====\n" + threads_text(report_, {}) +
           (report_.stuck_for_good() ? "exit code 8\n\n" : "exit code 0\n\n");
  }

 private:
  std::string title_;
  ThreadReport report_;
};

std::string deadlocks() {
  std::string page;
  Scene circle("a cycle of three, and who waits behind it");
  circle.waits(circle.mutex_of(12));
  circle.waits(circle.mutex_of(10));
  circle.waits(circle.mutex_of(11));
  circle.waits(0);
  circle.listens();
  page += circle.text();
  Scene itself("one that waits for itself");
  itself.waits(itself.mutex_of(10));
  itself.listens();
  page += itself.text();
  Scene in_handler("the same in a signal handler");
  in_handler.waits(in_handler.mutex_of(10), 90, {"wait", "handler", std::string(kSignalFrame), "work"});
  in_handler.listens();
  page += in_handler.text();
  Scene join("a join that is part of the cycle");
  join.waits(join.lock(WaitKind::kJoin, "the end of thread 11 (t11)", OwnerState::kThread, 11, "t11 (11)"));
  join.waits(join.mutex_of(10));
  join.listens();
  page += join.text();
  Scene timed("a cycle that ends by itself");
  timed.waits(timed.mutex_of(11)).timed = true;
  timed.waits(timed.mutex_of(10));
  timed.listens();
  page += timed.text();
  Scene readers("a writer behind readers");
  readers.waits(readers.lock(WaitKind::kReadWriteLock, "rwlock table (held by 1 reader, which it doesn't name)"));
  readers.waits(readers.mutex_of(10));
  readers.listens();
  page += readers.text();
  return page;
}

std::string allocators() {
  const std::vector<std::string> stack = {"__lll_lock_wait_private", "malloc", "handler", std::string(kSignalFrame),
                                          "_int_free", "free", "work"};
  std::string page;
  for (bool certain : {true, false}) {
    Scene scene(certain ? "a handler that allocates in the middle of an allocation" : "the same, and another thread runs");
    scene.waits(scene.lock(WaitKind::kMutex, "lock inside the C library at 0x1000"), 90, stack);
    if (!certain) scene.in_state(ThreadState::kRunning);
    page += scene.text();
  }
  return page;
}

std::string gone_and_stalled() {
  std::string page;
  Scene ended("an owner that has ended");
  ended.waits(ended.lock(WaitKind::kMutex, "mutex m", OwnerState::kGone, 99, "thread 99, which has ended"));
  ended.listens();
  page += ended.text();
  Scene forked("an owner that stayed behind at a fork");
  forked.waits(forked.lock(WaitKind::kMutex, "mutex m", OwnerState::kElsewhere, 9,
                           "thread 9 of the parent process 8: it was locked when the process was forked"));
  forked.waits(0);
  forked.listens();
  page += forked.text();
  for (std::uint64_t handled : {std::uint64_t{0}, std::uint64_t{1} << (SIGALRM - 1)}) {
    Scene stalled(handled ? "nobody left but a signal handler" : "nobody left");
    stalled.waits(stalled.lock(WaitKind::kCondition, "condition variable filled"));
    stalled.waits(stalled.lock(WaitKind::kSemaphore, "semaphore tokens (value 0, 1 waiting)"));
    stalled.report().handled_signals = handled;
    page += stalled.text();
  }
  Scene unknown("nobody left, in a recording that does not say which signals are handled");
  for (int i = 0; i < 10; ++i) unknown.waits(unknown.lock(WaitKind::kCondition, "condition variable"), 90, {"wait", "f" + std::to_string(i)});
  unknown.report().handled_signals.reset();
  page += unknown.text();
  return page;
}

std::string convoys() {
  std::string page;
  const std::pair<const char*, ThreadState> kStates[] = {{"runs", ThreadState::kRunning},
                                                         {"is ready", ThreadState::kReady},
                                                         {"is stopped", ThreadState::kStopped},
                                                         {"waits", ThreadState::kSleeping}};
  for (const auto& [does, state] : kStates) {
    Scene convoy(std::string("a convoy behind one that ") + does);
    if (state == ThreadState::kSleeping)
      convoy.thread(WaitKind::kInput, "read of socket 5 to 127.0.0.1:6379", 7).moved = true;
    else
      convoy.in_state(state);
    std::int32_t mutex = convoy.mutex_of(10);
    for (int i = 0; i < 3; ++i) convoy.waits(mutex, 5);
    page += convoy.text();
  }
  return page;
}

std::string idle() {
  std::string page;
  Scene lost("long waits for locks that name nobody");
  lost.listens();
  lost.waits(lost.lock(WaitKind::kMutex, "Rust Mutex at 0x1000"));
  page += lost.text();
  lost.waits(lost.lock(WaitKind::kOnce, "pthread_once prepared"));
  page += lost.text();
  Scene pool("an idle pool on one condition, and one with a condition each");
  pool.listens();
  std::int32_t one = pool.lock(WaitKind::kCondition, "condition variable queue");
  for (int i = 0; i < 3; ++i) pool.waits(one, 90 - 10 * static_cast<std::uint64_t>(i), {"wait", "take"});
  pool.as_one_group(3);
  for (int i = 0; i < 2; ++i) pool.waits(pool.lock(WaitKind::kCondition, "condition variable c" + std::to_string(i)), 90, {"wait", "bio"});
  pool.as_one_group(2);
  BlockSite block;
  block.kind = "heap";
  block.size = 64;
  block.age_ns = kSecond;
  pool.report().lock_blocks = {block, block, block};
  page += pool.text();
  Scene alone("workers alone at their place");
  alone.listens();
  alone.waits(alone.lock(WaitKind::kCondition, "condition variable flush"), 3600, {"wait", "flusher"});
  page += alone.text();
  alone.waits(alone.lock(WaitKind::kSemaphore, "semaphore s (value 0, 1 waiting)"), 61, {"wait", "cleaner"});
  page += alone.text();
  return page;
}

std::string states() {
  Scene scene("every state");
  scene.in_state(ThreadState::kRunning);
  scene.report().groups.back().stack = {};
  scene.in_state(ThreadState::kReady);
  scene.in_state(ThreadState::kStopped).waits_for = "to be continued by gdb (77), which traces it";
  scene.in_state(ThreadState::kStopped).waits_for = "to be continued: it was stopped";
  scene.in_state(ThreadState::kEnded);
  scene.thread(WaitKind::kPageFault, "a page of its memory").state = ThreadState::kUninterruptible;
  scene.thread(WaitKind::kKernel, "work of the kernel's own").state = ThreadState::kUninterruptible;
  scene.report().threads.back().facts.moved = true;
  scene.report().groups.back().stack.incomplete = "no unwind rule, and no frame pointer";
  scene.report().notes = {"stacks through libx.so: no unwind tables"};
  std::string page = scene.text();
  scene.report().threads.front().facts.moved = true;
  return page + scene.text();
}

TEST(Sentences, OfThreads) {
  expect_golden("threads.txt", deadlocks() + allocators() + gone_and_stalled() + convoys() + idle() + states());
}

}  // namespace
}  // namespace dwell
