// SPDX-License-Identifier: Apache-2.0
// Each case gives something up for good, and so does it in a child.
#include "userspace/base/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

namespace dwell {
namespace {

// What it returns, or 1000 and the signal that ended it.
int in_child(const std::function<int()>& work) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(Confinement, CapabilitiesThatAreNotKeptAreGoneFromAllSets) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_child([] {
              if (!keep_capabilities({Capability::kSysPtrace})) return 1;
              CapabilitySets sets = own_capabilities();
              std::uint64_t ptrace = std::uint64_t{1} << static_cast<int>(Capability::kSysPtrace);
              if (sets.effective != ptrace || sets.bounding != ptrace) return 2;
              return ::chown("/", 0, 0) == 0 && ::setuid(1000) == 0 ? 3 : 0;
            }),
            0);
}

TEST(Confinement, AProcessThatOnlyComputesOpensNothingAndStartsNothing) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer makes system calls of its own";
#endif
  auto confined = [](const std::function<int()>& work) {
    return in_child([&] {
      if (!forbid_new_privileges() || !allow_only_computing()) return 100;
      return work();
    });
  };
  EXPECT_EQ(confined([] { return ::open("/etc/passwd", O_RDONLY) == -1 && errno == EPERM ? 0 : 1; }), 0);
  EXPECT_EQ(confined([] { return ::socket(AF_INET, SOCK_STREAM, 0) == -1 ? 0 : 1; }), 0);
  EXPECT_EQ(confined([] { return ::fork() == -1 ? 0 : 1; }), 0);
  EXPECT_EQ(confined([] { return ::execl("/bin/true", "true", nullptr) == -1 ? 0 : 1; }), 0);
  EXPECT_EQ(confined([] {
              void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return page == MAP_FAILED ? 0 : 1;
            }),
            0);
  EXPECT_EQ(confined([] {
              std::vector<std::thread> threads;
              int sum = 0;
              std::thread other([&] { sum = static_cast<int>(std::vector<char>(8 << 20, 1).size() >> 20); });
              other.join();
              return sum == 8 ? 0 : 1;
            }),
            0)
      << "memory and threads are what computing needs";
}

TEST(Confinement, FilesThatWereNotNamedAreOutOfReach) {
  char pattern[] = "/tmp/dwell-confine-XXXXXX";
  std::string folder = ::mkdtemp(pattern);
  std::filesystem::create_directory(folder + "/out");
  std::ofstream(folder + "/named") << "x";
  std::ofstream(folder + "/other") << "x";
  int exit = in_child([&] {
    if (!forbid_new_privileges()) return 100;
    Result<bool> confined = confine_files({{folder + "/named"}, {folder + "/out"}});
    if (!confined) return 101;
    if (!*confined) return 77;
    if (::open((folder + "/named").c_str(), O_RDONLY) < 0) return 1;
    if (::open((folder + "/other").c_str(), O_RDONLY) >= 0) return 2;
    if (::open((folder + "/named").c_str(), O_WRONLY) >= 0) return 3;
    if (::open((folder + "/new").c_str(), O_WRONLY | O_CREAT, 0644) >= 0) return 4;
    if (::open((folder + "/out/a").c_str(), O_WRONLY | O_CREAT, 0644) < 0) return 5;
    return ::rename((folder + "/out/a").c_str(), (folder + "/out/b").c_str()) == 0 ? 0 : 6;
  });
  std::filesystem::remove_all(folder);
  if (exit == 77) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(exit, 0);
}

TEST(Confinement, MemoryEndsAtTheLimit) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer reserves terabytes";
#endif
  EXPECT_EQ(in_child([] {
              if (!limit_memory(std::uint64_t{1} << 30)) return 1;
              void* much = ::mmap(nullptr, std::size_t{2} << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return much == MAP_FAILED ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace dwell
