// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "userspace/base/unique_fd.h"

namespace dwell {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kLastCapability = 63;

// Of the kernel's interface, and not in the headers of the oldest systems that dwell is built on.
constexpr std::uint64_t kTruncate = 1ULL << 14;  // LANDLOCK_ACCESS_FS_TRUNCATE, from version 3 on
constexpr std::uint64_t kReading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriting = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                   LANDLOCK_ACCESS_FS_REMOVE_FILE;
// What nobody needs here, and is refused everywhere.
constexpr std::uint64_t kRest = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

void allow_below(int rules, const std::string& name, std::uint64_t access) {
  UniqueFd at(::open(name.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!at.valid() || ::fstat(at.get(), &status) != 0) return;
  if (!S_ISDIR(status.st_mode)) access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = at.get();
  ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

}  // namespace

Result<void> forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("forbid new privileges", errno);
  return {};
}

Result<void> keep_capabilities(const std::vector<Capability>& kept) {
  std::uint64_t wanted = 0;
  for (Capability capability : kept) wanted |= std::uint64_t{1} << static_cast<int>(capability);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) return system_error("read this process's capabilities", errno);
  for (int capability = 0; capability <= kLastCapability; ++capability)
    if (!(wanted >> capability & 1)) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // refused without CAP_SETPCAP
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int word = 0; word < 2; ++word) {
    auto mask = static_cast<std::uint32_t>(wanted >> 32 * word);
    sets[word].permitted &= mask;
    sets[word].effective &= mask;
    sets[word].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, sets) != 0) return system_error("drop capabilities", errno);
  return {};
}

void drop_identity() {
  if (::geteuid() != 0) return;
  (void)!::setgroups(0, nullptr);
  (void)!::setresgid(kNobody, kNobody, kNobody);
  (void)!::setresuid(kNobody, kNobody, kNobody);
}

Result<bool> confine_files(const FileAccess& access) {
  long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  std::uint64_t writing = kWriting | (version >= 3 ? kTruncate : 0);
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = kReading | writing | kRest;
  UniqueFd rules(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled.handled_access_fs, 0)));
  if (!rules.valid()) return system_error("confine this process's access to files", errno);
  for (const std::string& name : access.readable) allow_below(rules.get(), name, kReading);
  for (const std::string& name : access.writable_folders) allow_below(rules.get(), name, kReading | writing);
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0)
    return system_error("confine this process's access to files", errno);
  return true;
}

Result<void> limit_memory(std::uint64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__)  // which reserves terabytes
  rlimit limit{bytes, bytes};
  rlimit now{};
  if (::getrlimit(RLIMIT_AS, &now) == 0 && now.rlim_max < bytes) limit = {now.rlim_max, now.rlim_max};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) return system_error("limit this process's memory", errno);
#else
  (void)bytes;
#endif
  return {};
}

}  // namespace dwell
