// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "userspace/base/confinement.h"

namespace dwell {
namespace {

std::string folder_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Root without its capabilities is a user as others are.
bool needs_root(const std::string& path, unsigned others) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && status.st_uid != ::geteuid() && (status.st_mode & others) != others;
}

}  // namespace

Result<bool> enter(const Sandbox& sandbox) {
  if (Result<void> done = forbid_new_privileges(); !done) return done.error();
  bool reads = false, writes = !sandbox.output.empty() && needs_root(folder_of(sandbox.output), S_IWOTH | S_IXOTH);
  for (const std::string& input : sandbox.inputs)
    reads = reads || needs_root(input, S_IROTH) || needs_root(folder_of(input), S_IXOTH);
  std::vector<Capability> kept;
  if (writes) kept.push_back(Capability::kDacOverride);
  if (reads) kept.push_back(Capability::kDacReadSearch);
  // What is written becomes the file of whoever called sudo.
  if (!sandbox.output.empty() && ::getenv("SUDO_UID")) kept.push_back(Capability::kChown);
  if (Result<void> dropped = keep_capabilities(kept); !dropped) return dropped.error();
  FileAccess access{sandbox.inputs, {}};
  access.readable.insert(access.readable.end(), sandbox.readable.begin(), sandbox.readable.end());
  // Of this process alone: a file that is open is opened anew by its number there.
  access.readable.emplace_back("/proc/self");
  if (!sandbox.output.empty()) access.writable_folders.push_back(folder_of(sandbox.output));
  return confine_files(access);
}

}  // namespace dwell
