// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/page_scan.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "userspace/base/files.h"
#include "userspace/base/unique_fd.h"
#include "userspace/memory/heap/page_states.h"

namespace dwell::memory {
namespace {

// As in the kernel's linux/fs.h, which older headers lack.
struct ScanRequest {
  std::uint64_t size, flags, start, end, walk_end, regions, region_count, most_pages;
  std::uint64_t inverted, all_of, any_of, wanted;
};
struct PageRegion {
  std::uint64_t start, end, categories;
};
constexpr unsigned long kScan = _IOWR('f', 16, ScanRequest);
constexpr std::uint64_t kFile = 1 << 2, kPresent = 1 << 3, kSwapped = 1 << 4, kZero = 1 << 5, kHuge = 1 << 6;

// A scan holds the lock for one piece; where nothing was found, the next is twice as long.
constexpr std::uint64_t kScannedAtOnce = std::uint64_t{64} << 20, kLongestPiece = std::uint64_t{1} << 40;

class PageScan {
 public:
  explicit PageScan(int pagemap) : pagemap_(pagemap) {}

  // False: the kernel cannot.
  bool add(MappingUse& use) {
    std::uint64_t piece = kScannedAtOnce;
    for (std::uint64_t at = use.mapping.start; at < use.mapping.end;) {
      std::uint64_t end = use.mapping.end - at > piece ? at + piece : use.mapping.end;
      ScanRequest request{sizeof request, 0, at, end, 0, reinterpret_cast<std::uint64_t>(regions_.data()), regions_.size(), 0, 0, 0, kPresent | kSwapped,
                          kFile | kPresent | kSwapped | kZero | kHuge};
      int found = ::ioctl(pagemap_, kScan, &request);
      if (found < 0 || request.walk_end <= at) return false;
      for (int i = 0; i < found; ++i) add(regions_[static_cast<std::size_t>(i)], use);
      piece = found ? kScannedAtOnce : std::min(piece * 2, kLongestPiece);
      at = request.walk_end;
    }
    return true;
  }

 private:
  static void add(const PageRegion& region, MappingUse& use) {
    std::uint64_t size = region.end - region.start;
    if (region.categories & kSwapped) use.swapped += size;
    if (!(region.categories & kPresent) || region.categories & kZero) return;
    use.resident += size;
    if (region.categories & kFile) return;
    use.anonymous += size;
    if (region.categories & kHuge) use.huge += size;
  }

  int pagemap_;
  std::array<PageRegion, 512> regions_;
};

// Memory of devices, and what the kernel shows of its own, is not counted in RSS.
bool is_device(const Mapping& mapping) {
  std::string_view path = mapping.path;
  bool memory = path.starts_with("/dev/shm/") || path.starts_with("/dev/zero") || path.starts_with("/dev/hugepages/");
  return (path.starts_with("/dev/") && !memory) || path.starts_with("[v");
}

bool has_hugetlb(pid_t pid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid));
  std::size_t at = status ? status->find("HugetlbPages:") : std::string::npos;
  if (at == std::string::npos) return true;
  at = status->find_first_not_of(" \t", at + sizeof "HugetlbPages:" - 1);
  return at == std::string::npos || (*status)[at] != '0';
}

}  // namespace

std::optional<std::vector<MappingUse>> scan_pages(pid_t pid) {
  UniqueFd pagemap(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap.valid() || has_hugetlb(pid)) return std::nullopt;
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  if (!mappings) return std::nullopt;
  PageScan scan(pagemap.get());
  std::vector<MappingUse> uses;
  for (Mapping& mapping : *mappings) {
    uses.push_back({std::move(mapping)});
    if (!is_device(uses.back().mapping) && !scan.add(uses.back())) return std::nullopt;
  }
  return uses;
}

}  // namespace dwell::memory
