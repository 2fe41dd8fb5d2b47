// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/same_files.h"

#include <fmt/core.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>

#include "userspace/base/files.h"
#include "userspace/process/children.h"

namespace dwell::files {
namespace {

constexpr std::size_t kMostRelatives = 32;

struct Relative {
  pid_t pid = 0;
  std::string name;
};

std::vector<Relative> relatives_of(pid_t pid) {
  std::vector<Relative> relatives;
  for (const ChildProcess& child : children_of(pid))
    if (relatives.size() < kMostRelatives) relatives.push_back({child.pid, child.name});
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid), 1 << 16);
  std::string parent = status ? status_field(*status, "PPid") : "";
  Result<std::string> name = read_file(fmt::format("/proc/{}/comm", parent), 64);
  pid_t number = 0;
  std::from_chars(parent.data(), parent.data() + parent.size(), number);
  if (number > 0 && name) relatives.push_back({number, name->substr(0, name->find('\n'))});
  return relatives;
}

// Inherited descriptors keep their number.
bool is_same_file(pid_t one, pid_t other, const OpenFile& file) {
  char link[4096];
  ssize_t n = ::readlink(fmt::format("/proc/{}/fd/{}", other, file.fd).c_str(), link, sizeof link);
  if (n < 0 || std::string_view(link, static_cast<std::size_t>(n)) != file.link) return false;
  return ::syscall(SYS_kcmp, one, other, KCMP_FILE, file.fd, file.fd) == 0;
}

}  // namespace

void add_same_files(FilesLook& look) {
  std::vector<Relative> relatives = relatives_of(look.process.pid);
  for (SeenFile& seen : look.files) {
    bool known_by_number = seen.file.kind == FileKind::kSocket || seen.file.kind == FileKind::kPipe || seen.file.kind == FileKind::kFifo;
    if (known_by_number) continue;
    for (const Relative& relative : relatives)
      if (is_same_file(look.process.pid, relative.pid, seen.file))
        seen.also.push_back({relative.pid, relative.name, seen.file.fd, seen.file.readable, seen.file.writable});
  }
}

}  // namespace dwell::files
