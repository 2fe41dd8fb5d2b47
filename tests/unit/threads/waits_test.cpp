// SPDX-License-Identifier: Apache-2.0
// System calls and their arguments, in words.
#include "userspace/threads/waits.h"

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cstring>
#include <map>

namespace dwell {
namespace {

// A process whose memory is what the test put there.
struct FakeTarget {
  std::map<std::uint64_t, std::string> memory;
  std::vector<int> watched;
  bool hidden = false;  // the kernel does not tell what is watched

  template <typename T>
  std::uint64_t put(std::uint64_t address, const T& value) {
    memory[address] = std::string(reinterpret_cast<const char*>(&value), sizeof value);
    return address;
  }
  CallTarget target() {
    CallTarget target;
    target.descriptor = [](int fd) { return "pipe " + std::to_string(fd); };
    target.watched_by = [this](int) { return hidden ? std::nullopt : std::optional(watched); };
    target.memory = [this](std::uint64_t address, void* to, std::size_t size) {
      auto at = memory.upper_bound(address);
      if (at == memory.begin()) return false;
      --at;
      std::uint64_t offset = address - at->first;
      if (offset > at->second.size() || at->second.size() - offset < size) return false;
      std::memcpy(to, at->second.data() + offset, size);
      return true;
    };
    return target;
  }
  Wait wait(std::uint64_t call, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
            std::uint64_t d = 0, std::uint64_t e = 0) {
    std::uint64_t args[6] = {a, b, c, d, e, 0};
    return describe_wait(call, args, target());
  }
};

TEST(Waits, ACallWithADescriptor) {
  Wait wait = FakeTarget().wait(SYS_read, 5, 0x1000, 100);
  EXPECT_EQ(wait.kind, WaitKind::kInput);
  EXPECT_EQ(wait.text(), "read of pipe 5");
  EXPECT_FALSE(wait.timed);
  EXPECT_EQ(wait.futex, 0u);
  EXPECT_EQ(FakeTarget().wait(SYS_accept4, 3).text(), "accept of a connection at pipe 3");
}

TEST(Waits, AFutexIsKnownByItsAddress) {
  FakeTarget target;
  Wait wait = target.wait(SYS_futex, 0x7f00, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2);
  EXPECT_EQ(wait.kind, WaitKind::kFutex);
  EXPECT_EQ(wait.futex, 0x7f00u);
  EXPECT_FALSE(wait.timed);
  std::uint64_t time = target.put(0x100, timespec{2, 500'000'000});
  EXPECT_EQ(target.wait(SYS_futex, 0x7f00, FUTEX_WAIT, 2, time).text(), "futex at 0x7f00, at most 2.5 s");
  EXPECT_TRUE(target.wait(SYS_futex, 0x7f00, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 2, time).timed);
  EXPECT_EQ(target.wait(SYS_futex, 0x7f00, FUTEX_WAKE, 1).futex, 0u) << "who wakes does not wait";
}

TEST(Waits, PollNamesWhatItLooksAt) {
  FakeTarget target;
  pollfd fds[] = {{3, POLLIN, 0}, {-1, 0, 0}, {4, POLLIN, 0}};
  target.put(0x100, fds);
  Wait wait = target.wait(SYS_poll, 0x100, 3, static_cast<std::uint64_t>(-1));
  EXPECT_EQ(wait.text(), "poll of pipe 3 and pipe 4");
  EXPECT_FALSE(wait.timed);
  EXPECT_EQ(target.wait(SYS_poll, 0, 0, 1500).text(), "poll of nothing, at most 1.5 s");
  EXPECT_TRUE(target.wait(SYS_poll, 0x100, 3, 0).timed);
}

TEST(Waits, APollOfMoreThanThereIsReadsNoMore) {
  EXPECT_EQ(FakeTarget().wait(SYS_poll, 0x100, ~0ull, 10).text(), "poll of descriptors that could not be read, at most 10.0 ms");
}

TEST(Waits, PollCountsThoseThatItDoesNotLookAt) {
  FakeTarget target;
  pollfd fds[64];
  for (int i = 0; i < 64; ++i) fds[i] = {i, POLLIN, 0};
  target.put(0x100, fds);
  EXPECT_EQ(target.wait(SYS_poll, 0x100, 200, static_cast<std::uint64_t>(-1)).text(),
            "poll of pipe 0, pipe 1, pipe 2 and 197 more");
}

TEST(Waits, AnEpollThatTheKernelDoesNotTellOfIsNotOfNothing) {
  FakeTarget target;
  EXPECT_EQ(target.wait(SYS_epoll_wait, 4, 0, 8, 20).text(), "epoll 4 of nothing, at most 20.0 ms");
  target.hidden = true;
  EXPECT_EQ(target.wait(SYS_epoll_wait, 4, 0, 8, 20).text(), "epoll 4, at most 20.0 ms");
}

TEST(Waits, SpliceNamesBothItsEnds) {
  EXPECT_EQ(FakeTarget().wait(SYS_splice, 3, 0, 4).text(), "splice from pipe 3 to pipe 4");
}

TEST(Waits, EpollNamesAFewAndCountsTheRest) {
  FakeTarget target;
  target.watched = {5, 6, 7, 8, 9};
  EXPECT_EQ(target.wait(SYS_epoll_wait, 4, 0, 8, static_cast<std::uint64_t>(-1)).text(),
            "epoll 4 of pipe 5, pipe 6, pipe 7 and 2 more");
  target.watched = {5, 6, 7, 8};
  EXPECT_EQ(target.wait(SYS_epoll_wait, 4, 0, 8, 20).text(),
            "epoll 4 of pipe 5, pipe 6, pipe 7 and pipe 8, at most 20.0 ms");
}

TEST(Waits, SelectIsASetOfBits) {
  FakeTarget target;
  std::uint64_t bits[16] = {1ull << 3, 1};
  target.put(0x100, bits);
  EXPECT_EQ(target.wait(SYS_select, 65, 0x100).text(), "select of pipe 3 and pipe 64");
  std::uint64_t time = target.put(0x500, timespec{1, 250'000});  // a timeval: a quarter of a second
  EXPECT_EQ(target.wait(SYS_select, 0, 0, 0, 0, time).text(), "sleep by select, at most 1.2 s");
  EXPECT_EQ(target.wait(SYS_select, 0, 0, 0, 0, time).kind, WaitKind::kSleep);
}

TEST(Waits, SleepsEndByThemselves) {
  FakeTarget target;
  std::uint64_t time = target.put(0x100, timespec{10, 0});
  EXPECT_EQ(target.wait(SYS_clock_nanosleep, CLOCK_REALTIME, 0, time).text(), "sleep of 10.0 s");
  EXPECT_EQ(target.wait(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, time).text(),
            "sleep until a time");
  EXPECT_TRUE(target.wait(SYS_nanosleep, time).timed);
  target.put(0x100, timespec{-1, 0});
  EXPECT_EQ(target.wait(SYS_nanosleep, 0x100).text(), "sleep");
}

TEST(Waits, ChildrenAreNamed) {
  FakeTarget target;
  EXPECT_EQ(target.wait(SYS_wait4, 4711).text(), "the end of child 4711");
  EXPECT_EQ(target.wait(SYS_wait4, static_cast<std::uint64_t>(-1)).text(), "the end of any child");
  EXPECT_EQ(target.wait(SYS_waitid, P_PID, 4711).text(), "the end of child 4711");
  EXPECT_EQ(target.wait(SYS_waitid, 3 /* P_PIDFD */, 5).text(), "the end of the child of pidfd 5");
}

TEST(Waits, AnUnknownCallKeepsItsNumber) {
  Wait wait = FakeTarget().wait(999);
  EXPECT_EQ(wait.kind, WaitKind::kOther);
  EXPECT_EQ(wait.text(), "system call 999");
}

}  // namespace
}  // namespace dwell
