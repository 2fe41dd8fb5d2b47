// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/debug_files.h"

#include <dlfcn.h>
#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "userspace/base/cursor.h"
#include "userspace/base/text.h"
#include "userspace/base/unique_fd.h"

namespace dwell {

namespace {

constexpr std::size_t kMaxLink = std::size_t{64} << 10;

std::string_view folder_of(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view file_of(std::string_view path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Links of a file below one of the roots stay in it.
std::shared_ptr<const ElfFile> open_elf(const std::string& path, const DebugSearch& search) {
  std::string within;
  for (const std::string& root : search.roots)
    if (root.size() > within.size() && path.starts_with(root + "/")) within = root;
  Result<ElfFile> elf = ElfFile::open(path, within);
  return elf ? std::make_shared<const ElfFile>(std::move(*elf)) : nullptr;
}

// Where names are looked up that the program has chosen.
std::vector<std::string> roots_for_its_names(const DebugSearch& search) {
  std::vector<std::string> roots = search.roots;
  if (search.foreign_root) std::erase(roots, "");
  return roots;
}

// A debug file of this machine's own: what that names is of this machine too.
bool is_ours(const ElfFile& debug, const DebugSearch& search) {
  auto below = [&](const std::string& dir) { return debug.path().starts_with(dir + "/"); };
  return std::any_of(search.debug_dirs.begin(), search.debug_dirs.end(), below) ||
         std::any_of(search.extra_dirs.begin(), search.extra_dirs.end(), below);
}

// ".." leads out of nothing.
std::string in_order(std::string_view path) {
  return std::filesystem::path("/" + std::string(path)).lexically_normal().string();
}

std::vector<std::string> all_debug_dirs(const DebugSearch& search) {
  std::vector<std::string> dirs = search.extra_dirs;
  for (const std::string& root : search.roots) {
    for (const std::string& dir : search.debug_dirs) dirs.push_back(root + dir);
  }
  return dirs;
}

std::shared_ptr<const ElfFile> by_build_id(std::string_view build_id, const DebugSearch& search) {
  if (build_id.size() < 4) return nullptr;
  std::string below = fmt::format("/.build-id/{}/{}.debug", build_id.substr(0, 2), build_id.substr(2));
  for (const std::string& dir : all_debug_dirs(search)) {
    std::shared_ptr<const ElfFile> found = open_elf(dir + below, search);
    if (found && found->build_id() == build_id) return found;
  }
  // Folders that people gather by hand, and the cache of debuginfod clients.
  for (const std::string& dir : search.extra_dirs) {
    for (std::string name : {fmt::format("/{}/debuginfo", build_id), fmt::format("/{}.debug", build_id)}) {
      std::shared_ptr<const ElfFile> found = open_elf(dir + name, search);
      if (found && found->build_id() == build_id) return found;
    }
  }
  return nullptr;
}

struct DebugLink {
  std::string name;
  std::uint32_t crc = 0;
};

DebugLink read_debug_link(const ElfFile& elf) {
  DebugLink link;
  Result<std::string> section = elf.section_bytes(".gnu_debuglink", kMaxLink);
  if (!section) return link;
  Cursor cursor(*section);
  std::string_view name = cursor.c_string();
  cursor.skip((4 - cursor.offset() % 4) % 4);
  link.crc = cursor.u32();
  // A name with a slash would lead out of the folders that are searched.
  if (cursor.ok() && name.find('/') == std::string_view::npos) link.name = name;
  return link;
}

bool belongs_to(const ElfFile& candidate, const ElfFile& elf, const DebugLink& link) {
  if (!candidate.build_id().empty() && !elf.build_id().empty()) return candidate.build_id() == elf.build_id();
  Result<std::uint32_t> crc = debuglink_crc(candidate);
  return crc && *crc == link.crc;
}

DebugFile by_debug_link(const ElfFile& elf, std::string_view path, const DebugSearch& search) {
  DebugFile result;
  DebugLink link = read_debug_link(elf);
  if (link.name.empty()) return result;
  std::string folder = path.starts_with('/') ? in_order(folder_of(path)) : std::string(folder_of(path));
  std::vector<std::string> candidates;
  for (const std::string& dir : search.extra_dirs) {
    candidates.push_back(dir + folder + "/" + link.name);
    candidates.push_back(dir + "/" + link.name);
  }
  for (const std::string& root : roots_for_its_names(search)) {
    candidates.push_back(root + folder + "/" + link.name);
    candidates.push_back(root + folder + "/.debug/" + link.name);
    for (const std::string& dir : search.debug_dirs) candidates.push_back(root + dir + folder + "/" + link.name);
  }
  for (const std::string& candidate : candidates) {
    std::shared_ptr<const ElfFile> found = open_elf(candidate, search);
    // A link to itself is what a file has whose debug information was never cut off.
    if (!found || (found->file_size() == elf.file_size() && !found->section(".debug_info"))) continue;
    if (belongs_to(*found, elf, link)) {
      result.elf = found;
      result.problem.clear();
      return result;
    }
    result.problem = fmt::format("{} belongs to another build", candidate);
  }
  return result;
}

// The client library is looked for only when the user asks for servers: it is large, and few need it.
std::shared_ptr<const ElfFile> from_server(std::string_view build_id, std::string& problem) {
  if (build_id.empty()) return nullptr;
  void* library = ::dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    problem = "debuginfod was asked for, but its client library is not installed (package libdebuginfod1)";
    return nullptr;
  }
  using Begin = void* (*)();
  using Find = int (*)(void*, const unsigned char*, int, char**);
  using End = void (*)(void*);
  Begin begin = reinterpret_cast<Begin>(::dlsym(library, "debuginfod_begin"));
  Find find = reinterpret_cast<Find>(::dlsym(library, "debuginfod_find_debuginfo"));
  End end = reinterpret_cast<End>(::dlsym(library, "debuginfod_end"));
  void* client = begin && find && end ? begin() : nullptr;
  if (!client) return nullptr;
  char* path = nullptr;
  // Length 0: the id is written in hexadecimal.
  std::string id(build_id);
  int fd = find(client, reinterpret_cast<const unsigned char*>(id.c_str()), 0, &path);
  std::shared_ptr<const ElfFile> found;
  if (fd >= 0) {
    UniqueFd close_it(fd);
    Result<ElfFile> elf = ElfFile::open(path ? path : fmt::format("/proc/self/fd/{}", fd));
    if (elf) found = std::make_shared<const ElfFile>(std::move(*elf));
  } else {
    problem = fmt::format("debuginfod has nothing for build id {}: {}", build_id, std::strerror(-fd));
  }
  std::free(path);
  end(client);
  return found;
}

}  // namespace

Result<std::uint32_t> debuglink_crc(const ElfFile& elf) {
  std::string piece(std::size_t{1} << 20, '\0');
  std::uint32_t crc = 0;
  for (std::uint64_t at = 0; at < elf.file_size(); at += piece.size()) {
    std::size_t length = std::min<std::uint64_t>(piece.size(), elf.file_size() - at);
    Result<void> done = elf.read_at(at, std::as_writable_bytes(std::span(piece.data(), length)));
    if (!done) return done.error();
    crc = static_cast<std::uint32_t>(::crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), length));
  }
  return crc;
}

DebugFile find_debug_file(const ElfFile* elf, std::string_view build_id, std::string_view path,
                          const DebugSearch& search) {
  DebugFile result;
  result.elf = by_build_id(build_id, search);
  if (!result.elf && elf) result = by_debug_link(*elf, path, search);
  if (!result.elf && search.debuginfod) result.elf = from_server(build_id, result.problem);
  return result;
}

DebugFile find_supplementary(const ElfFile& debug, std::string_view path, const DebugSearch& search) {
  DebugFile result;
  Result<std::string> section = debug.section_bytes(".gnu_debugaltlink", kMaxLink);
  if (!section) return result;
  Cursor cursor(*section);
  std::string name(cursor.c_string());
  std::string id = hex(section->data() + cursor.offset(), cursor.remaining());
  if (!cursor.ok() || name.empty() || id.empty()) return result;
  std::vector<std::string> candidates;
  for (const std::string& root : is_ours(debug, search) ? search.roots : roots_for_its_names(search)) {
    candidates.push_back(name.front() == '/' ? root + name : fmt::format("{}{}/{}", root, folder_of(path), name));
  }
  // Beside the debug file itself, wherever that was found.
  if (name.front() != '/') candidates.push_back(fmt::format("{}/{}", folder_of(debug.path()), name));
  for (const std::string& dir : search.extra_dirs) {
    candidates.push_back(fmt::format("{}/{}", dir, file_of(name)));
    candidates.push_back(fmt::format("{}/.dwz/{}", dir, file_of(name)));
  }
  for (const std::string& candidate : candidates) {
    std::shared_ptr<const ElfFile> found = open_elf(candidate, search);
    if (found && found->build_id() == id) {
      result.elf = found;
      return result;
    }
  }
  result.elf = by_build_id(id, search);
  if (!result.elf) result.problem = fmt::format("supplementary debug file {} (build id {}) not found", name, id);
  return result;
}

std::shared_ptr<const ElfFile> find_split_unit(std::string_view name, std::string_view directory,
                                               std::string_view program, const DebugSearch& search) {
  if (name.empty()) return nullptr;
  std::vector<std::string> candidates;
  for (const std::string& root : roots_for_its_names(search)) {
    if (name.front() == '/') {
      candidates.push_back(fmt::format("{}{}", root, name));
    } else {
      candidates.push_back(fmt::format("{}{}/{}", root, directory, name));
    }
    // A program that was moved together with its .dwo files.
    candidates.push_back(fmt::format("{}{}/{}", root, folder_of(program), name));
    candidates.push_back(fmt::format("{}{}/{}", root, folder_of(program), file_of(name)));
  }
  for (const std::string& dir : search.extra_dirs) candidates.push_back(fmt::format("{}/{}", dir, file_of(name)));
  for (const std::string& candidate : candidates) {
    if (std::shared_ptr<const ElfFile> found = open_elf(candidate, search)) return found;
  }
  return nullptr;
}

std::shared_ptr<const ElfFile> find_split_package(std::string_view program, std::string_view debug_file,
                                                  const DebugSearch& search) {
  std::vector<std::string> candidates = {fmt::format("{}.dwp", debug_file)};
  for (const std::string& root : roots_for_its_names(search))
    candidates.push_back(fmt::format("{}{}.dwp", root, program));
  for (const std::string& dir : search.extra_dirs)
    candidates.push_back(fmt::format("{}/{}.dwp", dir, file_of(program)));
  for (const std::string& candidate : candidates) {
    if (std::shared_ptr<const ElfFile> found = open_elf(candidate, search)) return found;
  }
  return nullptr;
}

}  // namespace dwell
