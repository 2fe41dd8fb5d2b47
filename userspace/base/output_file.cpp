// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/output_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace dwell {
namespace {

constexpr int kMostNames = 99;
constexpr std::size_t kLongestName = 64;

Error output_error(const std::string& doing, int err, std::string hint) {
  Error error = system_error(doing, err, std::move(hint));
  error.exit = Exit::kOutput;
  if (err == ENOSPC || err == EDQUOT) error.hint = "free some space, or use another disk";
  return error;
}

struct Place {
  UniqueFd folder;
  std::string name;
};

// The folders on the way are the caller's choice, links among them too; only the last name is nobody's yet.
Result<Place> find_place(const std::string& path) {
  std::size_t slash = path.rfind('/');
  std::string folder = slash == path.npos ? "." : path.substr(0, slash + 1);
  Place place{UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
              slash == path.npos ? path : path.substr(slash + 1)};
  if (!place.folder.valid()) return output_error(fmt::format("create {}: open folder {}", path, folder), errno, "choose a folder that is there, with -o");
  if (place.name.empty() || place.name == "." || place.name == "..")
    return Error{"create " + path + ": that is the name of a folder", "name a file in it, with -o", Exit::kOutput};
  return place;
}

// nullptr: a regular file.
const char* what_is_no_file(mode_t mode) {
  if (S_ISREG(mode)) return nullptr;
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Error refusal(const std::string& path, const char* what) {
  return {fmt::format("create {}: {} stands there", path, what),
          std::string_view(what) == "a symbolic link"
              ? "dwell writes through no link: give the name that it leads to, or remove it"
              : "dwell writes regular files only: choose another name; '-' is standard output where a command can write to it",
          Exit::kOutput};
}

// What stands at that name: none if nothing does. An error if it is no regular file.
Result<bool> is_taken(const Place& place, const std::string& path) {
  struct stat status {};
  if (::fstatat(place.folder.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    return output_error("look at " + path, errno, "");
  }
  if (const char* what = what_is_no_file(status.st_mode)) return refusal(path, what);
  return true;
}

std::optional<unsigned> id_in_environment(const char* variable) {
  const char* text = ::getenv(variable);
  if (!text || !std::isdigit(static_cast<unsigned char>(*text))) return std::nullopt;
  char* end = nullptr;
  unsigned long id = std::strtoul(text, &end, 10);
  if (*end || id >= ~0u) return std::nullopt;
  return static_cast<unsigned>(id);
}

}  // namespace

// O_NONBLOCK: should a file system's O_EXCL not keep its word, a pipe must not hold us up.
int OutputFile::open_new(const std::string& name, unsigned mode) {
  fd_.reset(::openat(folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, mode));
  if (!fd_.valid()) return errno;
  return 0;
}

Result<OutputFile> OutputFile::create(const std::string& path, unsigned mode) {
  Result<Place> place = find_place(path);
  if (!place) return place.error();
  if (Result<bool> taken = is_taken(*place, path); !taken) return taken.error();
  OutputFile file(path, place->name, std::move(place->folder));
  if (int failed = file.open_new(file.name_, mode))
    return output_error("create " + path, failed, "choose another file, with -o");
  return file;
}

Result<OutputFile> OutputFile::replace(const std::string& path, unsigned mode) {
  Result<Place> place = find_place(path);
  if (!place) return place.error();
  if (Result<bool> taken = is_taken(*place, path); !taken) return taken.error();
  OutputFile file(path, place->name, std::move(place->folder));
  int failed = EEXIST;
  for (int i = 1; failed == EEXIST && i <= kMostNames; ++i) {
    file.temporary_ = fmt::format("{}.{}.{}.tmp", file.name_.substr(0, 200), ::getpid(), i);
    failed = file.open_new(file.temporary_, mode);
  }
  if (!failed) return file;
  file.temporary_.clear();
  return output_error(fmt::format("create a file beside {}", path), failed, "choose a folder that can be written to, with -o");
}

OutputFile OutputFile::on(UniqueFd fd, std::string name) {
  OutputFile file(std::move(name), "", UniqueFd());
  file.fd_ = std::move(fd);
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept { *this = std::move(other); }

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  discard();
  path_ = std::move(other.path_);
  name_ = std::move(other.name_);
  temporary_ = std::exchange(other.temporary_, {});
  folder_ = std::move(other.folder_);
  fd_ = std::move(other.fd_);
  bytes_ = other.bytes_;
  return *this;
}

OutputFile::~OutputFile() { discard(); }

// A file that cannot be given away stays root's.
void OutputFile::give_to_caller() {
  std::optional<unsigned> user = id_in_environment("SUDO_UID"), group = id_in_environment("SUDO_GID");
  if (::geteuid() == 0 && user && group) (void)!::fchown(fd_.get(), *user, *group);
}

void OutputFile::discard() {
  if (!temporary_.empty() && folder_.valid()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
  temporary_.clear();
}

Result<void> OutputFile::write(std::string_view content) {
  std::size_t written = 0;
  while (written < content.size()) {
    ssize_t n = ::write(fd_.get(), content.data() + written, content.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error error = output_error("write " + path_, errno, "");
      if (written > 0 && (::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0 || ::lseek(fd_.get(), static_cast<off_t>(bytes_), SEEK_SET) < 0))
        error.what += " (and its last, unfinished part could not be taken back)";
      return error;
    }
    written += static_cast<std::size_t>(n);
  }
  bytes_ += written;
  return {};
}

Result<void> OutputFile::commit() {
  if (::fsync(fd_.get()) != 0) return output_error("sync " + path_, errno, "");
  if (temporary_.empty()) return {};
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0)
    return output_error(fmt::format("rename {} to {}", temporary_, path_), errno, "choose another name, with -o");
  temporary_.clear();
  return {};
}

Result<std::optional<std::string>> set_aside(const std::string& path) {
  Result<Place> place = find_place(path);
  if (!place) return place.error();
  Result<bool> taken = is_taken(*place, path);
  if (!taken) return taken.error();
  if (!*taken) return std::optional<std::string>();
  int failed = EEXIST;
  for (int i = 1; failed == EEXIST && i <= kMostNames; ++i) {
    std::string ending = i == 1 ? ".old" : fmt::format(".old.{}", i);
    if (::renameat2(place->folder.get(), place->name.c_str(), place->folder.get(), (place->name + ending).c_str(),
                    RENAME_NOREPLACE) == 0)
      return std::optional(path + ending);
    failed = errno;
  }
  return output_error(fmt::format("make room for {}: rename the one that stands there to {}.old", path, path), failed,
                      "remove old recordings, or choose another name with -o");
}

std::string unused_name(const std::string& stem, const std::string& ending) {
  std::string name = stem + ending;
  struct stat status {};
  for (int i = 2; i <= kMostNames && ::lstat(name.c_str(), &status) == 0; ++i) name = fmt::format("{}.{}{}", stem, i, ending);
  return name;
}

std::string safe_name(std::string_view name, std::string_view otherwise) {
  std::string safe;
  for (char c : name.substr(0, kLongestName)) {
    bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' || c == '+';
    safe += plain && static_cast<unsigned char>(c) < 128 ? c : '_';
  }
  // Neither an option nor a hidden file, and not the name of a folder.
  if (!safe.empty() && (safe[0] == '-' || safe[0] == '.')) safe[0] = '_';
  return safe.empty() ? std::string(otherwise) : safe;
}

}  // namespace dwell
