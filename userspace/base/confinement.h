// SPDX-License-Identifier: Apache-2.0
// Takes away from this process what it does not need (any more). Nothing of it can be got back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/privileges.h"
#include "userspace/base/result.h"

namespace dwell {

// No program that is started from here gets more than this one has: not by set-user-ID, not by file capabilities.
Result<void> forbid_new_privileges();

// Of the capabilities that this thread has. Nothing stays inheritable or ambient; the bounding set shrinks too where
// that is allowed. Call it before there are threads: each has its own.
Result<void> keep_capabilities(const std::vector<Capability>& kept);

// Another user and group, without any right of their own, if this process may change them.
void drop_identity();

// Landlock: reads nothing but what lies in or below these, writes nothing but into these folders. False: this kernel
// cannot do that. Names that do not exist are passed over.
struct FileAccess {
  std::vector<std::string> readable;
  std::vector<std::string> writable_folders;
};
Result<bool> confine_files(const FileAccess& access);

// Of address space. A second one can only be smaller.
Result<void> limit_memory(std::uint64_t bytes);

// seccomp: what a process may call that only computes, on descriptors that it was given, with threads. Everything else
// fails with EPERM. `opens_files`: also what opens, and looks at, files.
Result<void> allow_only_computing(bool opens_files = false);

}  // namespace dwell
