// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/mmap_watch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "userspace/base/cursor.h"
#include "userspace/base/files.h"
#include "userspace/base/privileges.h"
#include "userspace/base/text.h"

namespace dwell {

namespace {

// Of each CPU; a mapping takes about 150 bytes, and what is lost of them costs names.
constexpr std::size_t kDataPages = 64;
constexpr std::size_t kLargestRecord = 4096 + 256;  // a path as long as paths can be
constexpr std::size_t kSampleIdSize = 16;  // pid, tid, time: PERF_SAMPLE_TID | PERF_SAMPLE_TIME

std::size_t page_size() {
  static const std::size_t kSize = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return kSize;
}
std::size_t ring_size() { return (kDataPages + 1) * page_size(); }

// "0-3,8" -> 0 1 2 3 8
Result<std::vector<int>> online_cpus() {
  Result<std::string> text = read_file("/sys/devices/system/cpu/online");
  if (!text) return text.error();
  std::vector<int> cpus;
  for (std::string_view part : split(*text, ',')) {
    int first = 0, last = 0;
    int fields = std::sscanf(std::string(part).c_str(), "%d-%d", &first, &last);
    if (fields < 1) continue;
    for (int cpu = first; cpu <= (fields == 2 ? last : first) && cpus.size() < 65536; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

perf_event_attr mapping_events() {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.mmap = 1;
  attributes.mmap2 = 1;
  attributes.comm = 1;
  attributes.comm_exec = 1;
  attributes.sample_id_all = 1;
  attributes.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;
  attributes.watermark = 1;
  attributes.wakeup_watermark = 1;  // each record at once: they are rare, and a library's first calls are not
  return attributes;
}

struct MappingBody {  // PERF_RECORD_MMAP2 up to the file's name
  std::uint32_t pid, tid;
  std::uint64_t address, size, file_offset;
  std::uint32_t device_major, device_minor;
  std::uint64_t inode, generation;
  std::uint32_t protection, flags;
};

void decode_mapping(Cursor body, std::uint64_t time_ns, const std::unordered_set<pid_t>& watched, MappingNews& news) {
  MappingBody mapping = body.fixed<MappingBody>();
  std::string_view path = body.c_string();
  if (!body.ok() || !(mapping.protection & PROT_EXEC) || mapping.inode == 0) return;
  if (!watched.count(static_cast<pid_t>(mapping.pid))) return;
  news.mappings.push_back({.pid = static_cast<pid_t>(mapping.pid),
                           .start = mapping.address,
                           .size = mapping.size,
                           .file_offset = mapping.file_offset,
                           .inode = mapping.inode,
                           .device_major = mapping.device_major,
                           .device_minor = mapping.device_minor,
                           .path = std::string(path),
                           .time_ns = time_ns});
}

}  // namespace

void MappingNews::clear() { *this = {}; }

void MappingNews::append(MappingNews later) {
  mappings.insert(mappings.end(), std::make_move_iterator(later.mappings.begin()), std::make_move_iterator(later.mappings.end()));
  executed.insert(executed.end(), later.executed.begin(), later.executed.end());
  lost += later.lost;
}

void decode_mapping_records(std::span<const std::byte> bytes, const std::unordered_set<pid_t>& watched,
                            MappingNews& news) {
  Cursor cursor(bytes);
  while (cursor.remaining() >= sizeof(perf_event_header)) {
    perf_event_header header = cursor.fixed<perf_event_header>();
    if (header.size < sizeof header) return;
    std::span<const std::byte> body = cursor.take(header.size - sizeof header);
    if (!cursor.ok()) return;
    if (header.type == PERF_RECORD_LOST) {
      Cursor lost(body);
      lost.u64();  // which event
      news.lost += lost.u64();
      continue;
    }
    if (body.size() < kSampleIdSize) continue;
    Cursor id(body.last(8));
    std::uint64_t time_ns = id.u64();
    Cursor content(body.first(body.size() - kSampleIdSize));
    if (header.type == PERF_RECORD_MMAP2) {
      decode_mapping(content, time_ns, watched, news);
    } else if (header.type == PERF_RECORD_COMM && (header.misc & PERF_RECORD_MISC_COMM_EXEC)) {
      pid_t pid = static_cast<pid_t>(content.u32());
      if (content.ok() && watched.count(pid)) news.executed.push_back({pid, time_ns});
    }
  }
}

Result<MmapWatch> MmapWatch::open() {
  Result<std::vector<int>> cpus = online_cpus();
  if (!cpus) return cpus.error().because_of("watch mappings");
  MmapWatch watch;
  watch.epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!watch.epoll_.valid()) return system_error("watch mappings: epoll_create1", errno);
  perf_event_attr attributes = mapping_events();
  for (int cpu : *cpus) {
    UniqueFd event(static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
    if (!event.valid() && errno == ENODEV) continue;  // went offline in between
    if (!event.valid())
      return system_error(fmt::format("watch mappings on CPU {}: perf_event_open", cpu), errno,
                          privilege_hint({Capability::kPerfmon}));
    void* pages = mmap(nullptr, ring_size(), PROT_READ | PROT_WRITE, MAP_SHARED, event.get(), 0);
    if (pages == MAP_FAILED) return system_error(fmt::format("watch mappings on CPU {}: map its buffer", cpu), errno);
    epoll_event interest{.events = EPOLLIN, .data = {.u32 = 0}};
    int added = epoll_ctl(watch.epoll_.get(), EPOLL_CTL_ADD, event.get(), &interest);
    watch.rings_.push_back({std::move(event), pages});
    if (added != 0) return system_error("watch mappings: epoll_ctl", errno);
  }
  return watch;
}

MmapWatch& MmapWatch::operator=(MmapWatch&& other) noexcept {
  if (this == &other) return *this;
  close_rings();
  epoll_ = std::move(other.epoll_);
  rings_ = std::exchange(other.rings_, {});
  watched_ = std::move(other.watched_);
  return *this;
}

MmapWatch::~MmapWatch() { close_rings(); }

void MmapWatch::close_rings() {
  for (Ring& ring : rings_) munmap(ring.pages, ring_size());
  rings_.clear();
}

namespace {

// Copies what the kernel has written and gives the space back.
std::vector<std::byte> drain(void* pages) {
  auto* control = static_cast<perf_event_mmap_page*>(pages);
  const std::byte* data = static_cast<const std::byte*>(pages) + page_size();
  const std::uint64_t kSize = kDataPages * page_size();
  std::uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
  std::uint64_t tail = control->data_tail;
  if (head == tail) return {};
  std::vector<std::byte> bytes(head - tail);
  std::uint64_t first = std::min<std::uint64_t>(bytes.size(), kSize - tail % kSize);
  std::memcpy(bytes.data(), data + tail % kSize, first);
  std::memcpy(bytes.data() + first, data, bytes.size() - first);
  __atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
  return bytes;
}

}  // namespace

MappingNews MmapWatch::take() {
  MappingNews news;
  for (const Ring& ring : rings_) {
    std::vector<std::byte> records = drain(ring.pages);
    decode_mapping_records(records, watched_, news);
    // The kernel tells of a loss with the next record on the same CPU, which may never come.
    if (records.size() + kLargestRecord > kDataPages * page_size() && news.lost == 0) news.lost = 1;
  }
  // Each CPU has its own buffer; together they are in order only by time.
  std::stable_sort(news.mappings.begin(), news.mappings.end(),
                   [](const NewMapping& a, const NewMapping& b) { return a.time_ns < b.time_ns; });
  return news;
}

}  // namespace dwell
