// SPDX-License-Identifier: Apache-2.0
// Waits that other processes could end, as /proc tells of them.
#include "userspace/threads/other_waits.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cstring>
#include <map>

#include "userspace/process/frozen_group.h"
#include "userspace/process/mounts.h"
#include "userspace/threads/call_names.h"
#include "userspace/threads/foreign_threads.h"

namespace dwell {
namespace {

constexpr std::string_view kLocks =
    "1: POSIX  ADVISORY  WRITE 4711 08:01:99 0 EOF\n"
    "1: -> POSIX  ADVISORY  WRITE 4712 08:01:99 0 EOF\n"
    "2: FLOCK  ADVISORY  WRITE 4713 08:01:98 0 EOF\n"
    "2: -> FLOCK  ADVISORY  WRITE 4714 08:01:98 0 EOF\n"
    "3: OFDLCK ADVISORY  WRITE -1 08:01:97 0 EOF\n"
    "3: -> OFDLCK ADVISORY  WRITE 4715 08:01:97 0 EOF\n";

TEST(LockHolders, AreThoseAboveTheOnesThatWait) {
  EXPECT_EQ(lock_holder(kLocks, 4712)->pid, 4711);
  EXPECT_TRUE(lock_holder(kLocks, 4712)->of_process);
  EXPECT_EQ(lock_holder(kLocks, 4714)->pid, 4713);
  EXPECT_FALSE(lock_holder(kLocks, 4714)->of_process);
  EXPECT_LE(lock_holder(kLocks, 4715)->pid, 0) << "the lock of an open file names nobody";
  EXPECT_FALSE(lock_holder(kLocks, 4711)) << "it holds one and waits for none";
  EXPECT_FALSE(lock_holder("", 1));
  EXPECT_FALSE(lock_holder("1: -> POSIX ADVISORY WRITE 5 08:01:99 0 EOF\n", 5)) << "of a lock that was given back just now";
}

TEST(ForeignThreads, ASystemCallWithItsArguments) {
  ForeignThread thread;
  parse_call("61 0xffffffff 0x7ffc0010 0x0 0x0 0x0 0x0 0x7ffc0000 0x7f1b0000\n", thread);
  ASSERT_TRUE(thread.in_call);
  EXPECT_EQ(thread.call, static_cast<std::uint64_t>(SYS_wait4));
  EXPECT_EQ(thread.args[0], 0xffffffffu);
  EXPECT_EQ(thread.args[1], 0x7ffc0010u);
  for (const char* none : {"running\n", "-1 0x7ffc0000 0x7f1b0000\n", "", "1 0x1\n"}) {
    ForeignThread other;
    parse_call(none, other);
    EXPECT_FALSE(other.in_call) << none;
  }
}

TEST(ForeignThreads, WhetherTheySleepAndHowOftenTheyRan) {
  ForeignThread thread;
  parse_task_status("Name:\tworker\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n", thread);
  EXPECT_EQ(thread.name, "worker");
  EXPECT_TRUE(thread.sleeps);
  EXPECT_EQ(thread.switches, 15u);
  parse_task_status("Name:\tworker\nState:\tR (running)\n", thread);
  EXPECT_FALSE(thread.sleeps);
}

TEST(CallNames, EveryNumberHasTheNameThatTheHeadersGiveIt) {
  struct Known {
    std::uint64_t call;
    const char* name;
  };
  constexpr Known kKnown[] = {{SYS_read, "read"},       {SYS_newfstatat, "newfstatat"}, {SYS_rseq, "rseq"},     {SYS_pidfd_send_signal, "pidfd_send_signal"},
                              {SYS_io_uring_setup, "io_uring_setup"}, {SYS_openat2, "openat2"}, {SYS_statx, "statx"}, {SYS_epoll_pwait2, "epoll_pwait2"},
                              {SYS_process_mrelease, "process_mrelease"}, {SYS_futex_waitv, "futex_waitv"}, {450, "set_mempolicy_home_node"}, {462, "mseal"}};
  for (const Known& known : kKnown) EXPECT_EQ(call_name(known.call), known.name);
  EXPECT_EQ(call_name(400), "");
  EXPECT_EQ(call_name(100'000), "");
  EXPECT_EQ(path_argument(SYS_openat), 1);
  EXPECT_EQ(path_argument(SYS_stat), 0);
  EXPECT_EQ(path_argument(SYS_read), -1);
  EXPECT_TRUE(begins_with_descriptor(SYS_fstat));
}

TEST(Mounts, APathLiesOnTheLongestPlace) {
  std::vector<Mount> mounts = parse_mounts(
      "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n"
      "30 22 0:40 / /mnt/a\\040b rw shared:9 - nfs4 server:/export rw\n"
      "31 30 0:41 / /mnt/a\\040b/c rw - fuse.sshfs host:/srv rw\n"
      "broken line\n");
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_EQ(file_system_words(mounts, "/mnt/a b/file"), "on nfs4 from server:/export, mounted at /mnt/a b");
  EXPECT_EQ(file_system_words(mounts, "/mnt/a b/c"), "on fuse.sshfs from host:/srv, mounted at /mnt/a b/c");
  EXPECT_EQ(file_system_words(mounts, "/mnt/a bc"), "") << "that is another folder";
  EXPECT_EQ(file_system_words(mounts, "/etc/passwd"), "");
  EXPECT_EQ(mount_of({}, "/"), nullptr);
}

TEST(FrozenGroups, AreThoseThatWereFrozenNotThoseBelow) {
  std::map<std::string, std::string> files = {{"/a/b/cgroup.events", "populated 1\nfrozen 1\n"}, {"/a/b/cgroup.freeze", "0\n"}, {"/a/cgroup.freeze", "1\n"},
                                              {"/c/cgroup.events", "populated 1\nfrozen 0\n"},   {"/c/cgroup.freeze", "1\n"},
                                              {"/old/freezer.self_freezing", "1\n"},              {"/old/below/freezer.self_freezing", "0\n"}};
  GroupFileReader read = [&](const std::string& path) -> std::optional<std::string> {
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  EXPECT_EQ(frozen_group("/a/b", read), "/a");
  EXPECT_EQ(frozen_group("/c", read), "") << "it is being frozen, and some of its threads still run";
  EXPECT_EQ(frozen_group("/", read), "");
  EXPECT_EQ(frozen_by_freezer("/old/below", read), "/old");
  EXPECT_EQ(frozen_by_freezer("/other", read), "");
}

}  // namespace
}  // namespace dwell
