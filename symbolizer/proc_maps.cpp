// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/proc_maps.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/open_regular.h"
#include "userspace/base/privileges.h"
#include "userspace/base/text.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr std::uint64_t kMaxVdso = std::uint64_t{1} << 20;

// Takes a number up to `separator` off the front of `text`; false leaves both useless.
template <typename T>
bool take_number(std::string_view& text, int base, char separator, T& value) {
  const char* end = text.data() + text.size();
  std::from_chars_result parsed = std::from_chars(text.data(), end, value, base);
  if (parsed.ec != std::errc() || parsed.ptr == text.data()) return false;
  if (parsed.ptr != end && *parsed.ptr != separator) return false;
  text.remove_prefix(parsed.ptr - text.data() + (parsed.ptr != end));
  return true;
}

// The kernel writes a newline in a path as "\012", and nothing else is escaped.
std::string unescape(std::string_view path) {
  std::string result;
  for (std::size_t at = 0; at < path.size();) {
    bool newline = path.substr(at, 4) == "\\012";
    result += newline ? '\n' : path[at];
    at += newline ? 4 : 1;
  }
  return result;
}

std::optional<Mapping> parse_line(std::string_view line) {
  Mapping mapping{};
  if (!take_number(line, 16, '-', mapping.start) || !take_number(line, 16, ' ', mapping.end)) return std::nullopt;
  if (mapping.end <= mapping.start || line.size() < 5 || line[4] != ' ') return std::nullopt;
  mapping.readable = line[0] == 'r';
  mapping.writable = line[1] == 'w';
  mapping.executable = line[2] == 'x';
  mapping.shared = line[3] == 's';
  line.remove_prefix(5);
  if (!take_number(line, 16, ' ', mapping.file_offset) || !take_number(line, 16, ':', mapping.device_major) ||
      !take_number(line, 16, ' ', mapping.device_minor) || !take_number(line, 10, ' ', mapping.inode))
    return std::nullopt;
  std::size_t path_at = line.find_first_not_of(' ');
  std::string_view path = path_at == std::string_view::npos ? std::string_view() : line.substr(path_at);
  if (mapping.is_file() && path.size() > kDeleted.size() && path.ends_with(kDeleted)) {
    mapping.deleted = true;
    path.remove_suffix(kDeleted.size());
  }
  mapping.path = unescape(path);
  return mapping;
}

Error no_process(pid_t pid, const std::string& doing, int err) {
  Error error = system_error(doing, err);
  if (err == ENOENT || err == ESRCH) {
    error = {fmt::format("{}: no process {}", doing, pid), "", Exit::kNoTarget};
  } else if (err == EACCES || err == EPERM) {
    error.hint = privilege_hint({Capability::kSysPtrace});
  }
  return error;
}

bool is_file_of(const Mapping& mapping, const struct stat& status) {
  return status.st_ino == mapping.inode && major(status.st_dev) == mapping.device_major &&
         minor(status.st_dev) == mapping.device_minor;
}

// What the path leads to for whoever follows its links from our own root, as the kernel does at an attach.
bool leads_there_from_here(const std::string& path, const Mapping& mapping) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && is_file_of(mapping, status);
}

// What is mapped there by now may be another file: a plugin that came to lie where this one lay. The device of an overlay
// is not that of the file, so the name counts too.
bool still_maps(const std::string& by_address, const Mapping& mapping, const struct stat& status) {
  if (status.st_ino == mapping.inode) return true;
  char target[4096];
  ssize_t size = ::readlink(by_address.c_str(), target, sizeof target);
  std::string_view name(target, size > 0 ? static_cast<std::size_t>(size) : 0);
  return name == mapping.path || name == mapping.path + std::string(kDeleted);
}

}  // namespace

std::vector<Mapping> parse_maps(std::string_view text, std::size_t* skipped) {
  std::vector<Mapping> mappings;
  for (std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    std::optional<Mapping> mapping = parse_line(line);
    if (mapping) {
      mappings.push_back(std::move(*mapping));
    } else if (skipped) {
      ++*skipped;
    }
  }
  return mappings;
}

Result<std::vector<Mapping>> read_maps(pid_t pid, std::size_t* skipped) {
  std::string path = fmt::format("/proc/{}/maps", living_thread(pid));
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return no_process(pid, "read " + path, errno);
  Result<std::string> text = read_file(path);
  // A process that ends between open and read gives ESRCH or an empty file: only kernel threads have none.
  if (!text) {
    if (::access(fmt::format("/proc/{}", pid).c_str(), F_OK) != 0) return no_process(pid, "read " + path, ESRCH);
    return text.error();
  }
  return parse_maps(*text, skipped);
}

Result<std::string> path_to_open(pid_t pid, const Mapping& mapping) {
  if (!mapping.is_file()) {
    return Error{fmt::format("open the mapping at {:#x} of PID {}: it is not a file", mapping.start, pid), "",
                 Exit::kBadInput};
  }
  pid_t thread = living_thread(pid);
  std::string by_address = fmt::format("/proc/{}/map_files/{:x}-{:x}", thread, mapping.start, mapping.end);
  Result<FilePointer> direct = point_at_regular(by_address);
  if (direct && still_maps(by_address, mapping, direct->status)) return by_address;

  std::string by_path = fmt::format("/proc/{}/root{}", thread, mapping.path);
  Result<FilePointer> found = point_at_regular(by_path);
  if (found && is_file_of(mapping, found->status) && leads_there_from_here(by_path, mapping)) return by_path;
  // Of a process that is gone: what has the device and the inode is the file, whosever root it was in.
  if (::access(fmt::format("/proc/{}", pid).c_str(), F_OK) != 0) {
    Result<FilePointer> here = point_at_regular(mapping.path);
    if (here && is_file_of(mapping, here->status)) return mapping.path;
  }
  std::string why = found ? by_path + ": replaced by another file since it was mapped" : found.error().what;
  std::string at_address = direct ? by_address + ": maps another file by now" : direct.error().what;
  return Error{fmt::format("open {} of PID {}: {}; {}", mapping.path, pid, at_address, why),
               privilege_hint({Capability::kCheckpointRestore, Capability::kDacReadSearch, Capability::kSysPtrace}),
               Exit::kFailed};
}

Result<std::string> read_vdso(pid_t pid, const Mapping& vdso) {
  std::string doing = fmt::format("read the vDSO of PID {}", pid);
  std::uint64_t size = vdso.end - vdso.start;
  if (vdso.end <= vdso.start || size > kMaxVdso) {
    return Error{fmt::format("{}: {:#x}-{:#x} is no vDSO", doing, vdso.start, vdso.end), "", Exit::kBadInput};
  }
  std::string bytes(size, '\0');
  // Not by /proc/PID/mem, which only its owner may open.
  iovec local{bytes.data(), size}, remote{reinterpret_cast<void*>(vdso.start), size};
  ssize_t n = ::process_vm_readv(living_thread(pid), &local, 1, &remote, 1, 0);
  if (n < 0) return no_process(pid, doing, errno);
  if (static_cast<std::uint64_t>(n) != size)
    return Error{fmt::format("{}: {} of {} bytes", doing, n, size), "", Exit::kFailed};
  return bytes;
}

}  // namespace dwell
