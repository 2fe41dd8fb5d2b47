// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/shared_pages.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "userspace/base/unique_fd.h"

namespace dwell::memory::reach {
namespace {

constexpr std::uint64_t kMostInAll = std::uint64_t{1} << 30;
constexpr std::size_t kPieceWords = 1 << 17;

bool has_untouched_pages(const MappingUse& use) {
  const Mapping& mapping = use.mapping;
  return mapping.shared && mapping.readable && mapping.writable && is_shared_memory(mapping) && use.resident < mapping.end - mapping.start;
}

}  // namespace

void for_each_shared_word(pid_t pid, const std::vector<MappingUse>& uses, const WordVisitor& visit) {
  std::vector<std::uint64_t> words(kPieceWords);
  std::uint64_t left = kMostInAll;
  for (const MappingUse& use : uses) {
    if (!has_untouched_pages(use)) continue;
    Result<std::string> path = path_to_open(pid, use.mapping);
    UniqueFd file(path ? ::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1);
    if (!file.valid()) continue;
    auto begin = static_cast<off_t>(use.mapping.file_offset), end = begin + static_cast<off_t>(use.mapping.end - use.mapping.start);
    for (off_t at = ::lseek(file.get(), begin, SEEK_DATA); at >= 0 && at < end && left > 0;) {
      std::size_t want = std::min({words.size() * 8, static_cast<std::size_t>(end - at), static_cast<std::size_t>(left)});
      ssize_t got = ::pread(file.get(), words.data(), want, at);
      if (got < 8) break;
      visit({words.data(), static_cast<std::size_t>(got) / 8}, use.mapping.start + static_cast<std::uint64_t>(at - begin));
      left -= std::min(left, static_cast<std::uint64_t>(got));
      at = ::lseek(file.get(), at + got, SEEK_DATA);
    }
  }
}

}  // namespace dwell::memory::reach
