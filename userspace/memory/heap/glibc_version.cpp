// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/glibc_version.h"

#include <charconv>

#include "userspace/base/byte_source.h"

namespace dwell::memory::heap {
namespace {

constexpr std::string_view kBanner = "GNU C Library (", kRelease = " release version ";
constexpr std::size_t kLongestBanner = 200;
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;
constexpr std::size_t kPiece = 1 << 20, kOverlap = 512;

}  // namespace

std::string glibc_version_in(std::string_view bytes) {
  for (std::size_t at = bytes.find(kBanner); at != std::string_view::npos; at = bytes.find(kBanner, at + 1)) {
    std::string_view banner = bytes.substr(at, kLongestBanner);
    std::size_t release = banner.find(kRelease);
    if (release == std::string_view::npos) continue;
    std::size_t from = release + kRelease.size(), to = banner.find_first_not_of("0123456789.", from);
    std::string_view version = banner.substr(from, to == std::string_view::npos ? to : to - from);
    while (!version.empty() && version.back() == '.') version.remove_suffix(1);
    return std::string(version);
  }
  return "";
}

bool is_glibc_before(std::string_view version, int minor) {
  int number = minor;
  if (version.starts_with("2.")) std::from_chars(version.data() + 2, version.data() + version.size(), number);
  return number < minor;
}

std::string glibc_version(pid_t pid, const Mapping& mapping) {
  Result<std::string> path = path_to_open(pid, mapping);
  if (!path) return "";
  Result<ByteSource> file = ByteSource::open(*path);
  if (!file) return "";
  for (std::uint64_t at = 0; at < file->size() && at < kMostBytes; at += kPiece) {
    Result<std::span<const std::byte>> bytes = file->read(at, kPiece + kOverlap);
    if (!bytes) return "";
    std::string version = glibc_version_in({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    if (!version.empty()) return version;
  }
  return "";
}

}  // namespace dwell::memory::heap
