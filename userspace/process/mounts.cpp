// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/mounts.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

// Blanks and the like are written as \040.
std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace

std::vector<Mount> parse_mounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (std::string_view line : split(mountinfo, '\n')) {
    std::vector<std::string_view> words = words_in(line);
    auto dash = std::ranges::find(words, std::string_view("-"));
    if (words.size() < 6 || words.end() - dash < 3) continue;
    mounts.push_back({without_escapes(words[4]), std::string(dash[1]), without_escapes(dash[2])});
  }
  return mounts;
}

std::vector<Mount> mounts_of(pid_t pid) {
  Result<std::string> text = read_file(fmt::format("/proc/{}/mountinfo", living_thread(pid)));
  return text ? parse_mounts(*text) : std::vector<Mount>();
}

const Mount* mount_of(const std::vector<Mount>& mounts, std::string_view path) {
  const Mount* best = nullptr;
  for (const Mount& mount : mounts) {
    bool inside = path.starts_with(mount.place) &&
                  (mount.place == "/" || path.size() == mount.place.size() || path[mount.place.size()] == '/');
    if (inside && (!best || mount.place.size() >= best->place.size())) best = &mount;
  }
  return best;
}

std::string file_system_words(const std::vector<Mount>& mounts, std::string_view path) {
  const Mount* mount = mount_of(mounts, path);
  return mount && is_answered_elsewhere(*mount) ? fmt::format("on {} from {}, mounted at {}", mount->type, mount->source, mount->place) : "";
}

bool is_answered_elsewhere(const Mount& mount) {
  constexpr std::string_view kTypes[] = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "virtiofs", "autofs", "glusterfs", "lustre", "ocfs2", "gfs2"};
  return mount.type == "fuse" || mount.type == "fuseblk" || mount.type.starts_with("fuse.") || std::ranges::find(kTypes, mount.type) != std::end(kTypes);
}

}  // namespace dwell
