// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/zero_frames.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "userspace/base/unique_fd.h"
#include "userspace/memory/heap/page_states.h"

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kHugeSize = std::uint64_t{2} << 20, kIsPresent = std::uint64_t{1} << 63;

// Memory that is read and never written.
class OnlyRead {
 public:
  OnlyRead(std::uint64_t size, int advice) : size_(size), start_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (start_ != MAP_FAILED) ::madvise(start_, size_, advice);
  }
  ~OnlyRead() {
    if (start_ != MAP_FAILED) ::munmap(start_, size_);
  }
  OnlyRead(const OnlyRead&) = delete;
  OnlyRead& operator=(const OnlyRead&) = delete;

  // What pagemap says of the first page at a multiple of `alignment` once it has been read, and of the one behind it.
  std::array<std::uint64_t, 2> entries(int pagemap, std::uint64_t alignment) const {
    std::array<std::uint64_t, 2> entries{};
    if (start_ == MAP_FAILED) return entries;
    std::uint64_t at = (reinterpret_cast<std::uint64_t>(start_) + alignment - 1) & ~(alignment - 1);
    (void)*reinterpret_cast<const volatile char*>(at);
    if (::pread(pagemap, entries.data(), sizeof entries, static_cast<off_t>(at / kPageSize * sizeof entries[0])) != sizeof entries) return {};
    return entries;
  }

 private:
  std::uint64_t size_;
  void* start_;
};

}  // namespace

// Some kernels give each reader a page of its own: what two of them show at the same time is shared. (A page
// that is given back may be the next one that the process looked at gets, whose memory would pass for
// untouched.)
ZeroFrames ZeroFrames::learn() {
  ZeroFrames frames;
  UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap.valid()) return frames;
  auto shared = [&](std::uint64_t alignment, int advice) {
    OnlyRead one(2 * alignment, advice), other(2 * alignment, advice);
    std::array<std::uint64_t, 2> entries = one.entries(pagemap.get(), alignment);
    return entries == other.entries(pagemap.get(), alignment) ? entries : std::array<std::uint64_t, 2>{};
  };
  frames.page_ = shared(kPageSize, MADV_NOHUGEPAGE)[0] & kFrameBits;
  // One read brings the page behind as well: then it is the huge one.
  auto [first, second] = shared(kHugeSize, MADV_HUGEPAGE);
  if (second & kIsPresent) frames.huge_ = first & kFrameBits;
  return frames;
}

}  // namespace dwell::memory::heap
