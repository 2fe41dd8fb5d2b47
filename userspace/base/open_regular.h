// SPDX-License-Identifier: Apache-2.0
// Opens files whose names somebody else chose: the target, its files, its debug information.
//
// A path that leads into another process's root, /proc/PID/root/..., is resolved inside of that root: its links and
// its ".." lead nowhere else. The same for any other `root` that is given. Nothing but a regular file is opened:
// opening alone is an act for a device or a FIFO.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

struct RegularFile {
  UniqueFd fd;
  std::uint64_t size = 0;
  std::uint64_t version = 0;  // other when the file has been written to or replaced; never 0
};

// A descriptor that stands for a regular file and has not opened it (O_PATH).
struct FilePointer {
  UniqueFd fd;
  struct stat status;
};
Result<FilePointer> point_at_regular(const std::string& path, const std::string& root = "");

// stat(), but what a file system that is slow or hangs would have to be asked for is as it was last known.
bool known_status(const std::string& path, struct stat& status);

// Whether a process has the same root as this one, as far as can be told.
bool has_our_root(pid_t pid);

// `root`: "" or a folder that `path` begins with.
Result<RegularFile> open_regular(const std::string& path, const std::string& root = "");

// The file itself, not what a link leads to, and only of root or `owner`.
Result<RegularFile> open_owned_regular(const std::string& path, uid_t owner);

// From now on this path is refused: what it leads to does not answer, and whoever reads it hangs.
void refuse_to_open(const std::string& path);

// A process that may open nothing asks another one. Set before any thread is started.
enum class FileFormat : std::uint8_t { kElf, kPerfMap, kKernelSymbols };
struct FileRequest {
  FileFormat kind;
  std::string path;   // kElf
  std::string root;   // kElf
  pid_t pid = 0;      // kPerfMap
  uid_t owner = ~0u;  // kPerfMap: of the process, if it was known while it ran
};
using FileOpener = std::function<Result<RegularFile>(const FileRequest&)>;
void set_file_opener(FileOpener opener);
const FileOpener& file_opener();  // empty: this process opens files itself

}  // namespace dwell
