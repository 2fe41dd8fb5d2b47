// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/smaps.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <utility>

#include "userspace/base/files.h"
#include "userspace/base/privileges.h"
#include "userspace/base/text.h"
#include "userspace/memory/account/page_scan.h"
#include "userspace/memory/heap/page_states.h"

namespace dwell::memory {
namespace {

using Field = std::pair<std::string_view, std::uint64_t MappingUse::*>;
constexpr std::array<Field, 6> kFields{{{"Rss:", &MappingUse::resident},
                                        {"Anonymous:", &MappingUse::anonymous},
                                        {"AnonHugePages:", &MappingUse::huge},
                                        {"Swap:", &MappingUse::swapped},
                                        {"Private_Hugetlb:", &MappingUse::hugetlb},
                                        {"Shared_Hugetlb:", &MappingUse::hugetlb}}};

void read_field(std::string_view line, MappingUse& use) {
  for (const auto& [name, member] : kFields) {
    if (!line.starts_with(name)) continue;
    std::size_t at = line.find_first_not_of(' ', name.size());
    std::uint64_t kilobytes = 0;
    if (at != std::string_view::npos) std::from_chars(line.data() + at, line.data() + line.size(), kilobytes);
    use.*member += kilobytes * 1024;
    return;
  }
}

std::uint64_t resident_bytes(pid_t pid) {
  Result<std::string> text = read_file(fmt::format("/proc/{}/statm", pid));
  std::size_t at = text ? text->find(' ') : std::string::npos;
  std::uint64_t pages = 0;
  if (at != std::string::npos) std::from_chars(text->data() + at + 1, text->data() + text->size(), pages);
  return pages * heap::kPageSize;
}

}  // namespace

std::vector<MappingUse> parse_smaps(std::string_view text) {
  std::vector<MappingUse> uses;
  for (std::string_view line : split(text, '\n')) {
    // A mapping's line begins with its address; fields begin with a capital letter.
    if (line.empty()) continue;
    if (line[0] >= 'A' && line[0] <= 'Z') {
      if (!uses.empty()) read_field(line, uses.back());
      continue;
    }
    for (Mapping& mapping : parse_maps(line)) uses.push_back({std::move(mapping)});
  }
  return uses;
}

bool is_shared_memory(const Mapping& mapping) {
  std::string_view path = mapping.path;
  return path.starts_with("/memfd:") || path.starts_with("/dev/shm/") || path.starts_with("/SYSV") ||
         path.starts_with("/dev/zero") || path.starts_with("[anon_shmem");
}

Result<std::vector<MappingUse>> read_mapping_uses(pid_t pid) {
  constexpr std::uint64_t kLarge = std::uint64_t{256} << 20;
  if (resident_bytes(pid) >= kLarge)
    if (std::optional<std::vector<MappingUse>> uses = scan_pages(pid)) return std::move(*uses);
  return read_smaps(pid);
}

Result<std::vector<MappingUse>> read_smaps(pid_t pid) {
  Result<std::string> text = read_file(fmt::format("/proc/{}/smaps", pid), std::size_t{256} << 20);
  if (!text) {
    Error error = text.error();
    if (error.exit == Exit::kNotPermitted) error.hint = privilege_hint({Capability::kSysPtrace});
    return error;
  }
  return parse_smaps(*text);
}

}  // namespace dwell::memory
