// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/waits/waits.h"

#include <absl/container/flat_hash_set.h>
#include <dirent.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>

#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/text.h"
#include "userspace/go/waits/lock_kinds.h"
#include "userspace/go/waits/semaphores.h"

namespace dwell {
namespace {

constexpr std::size_t kMostCases = 32;

std::string lock_state(std::string_view kind, std::uint64_t address, const ProcessMemory& memory) {
  std::array<std::int32_t, 6> words{};
  if (!memory.read(address, words.data(), kind == "sync.RWMutex" ? 24 : 8)) return "";
  if (kind == "sync.Mutex") {
    constexpr std::int32_t kLocked = 1, kStarving = 4;
    return fmt::format("{}{}, {} wait", words[0] & kLocked ? "locked" : "not locked",
                       words[0] & kStarving ? " (starving)" : "", words[0] >> 3);
  }
  if (kind == "sync.WaitGroup") return fmt::format("{} not done, {} wait", words[1], words[0] & 0x7fffffff);
  constexpr std::int32_t kMaxReaders = 1 << 30;
  std::int32_t readers = words[4];
  if (readers >= 0) return fmt::format("readers: {}", readers);
  return fmt::format("a writer has it or waits for it, readers: {}", readers + kMaxReaders);
}

std::string link_of(const std::string& path) {
  char text[256];
  ssize_t size = ::readlink(path.c_str(), text, sizeof text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
}

std::vector<EpollEntry> epoll_entries(pid_t pid) {
  std::vector<EpollEntry> result;
  pid = living_thread(pid);
  std::string folder = fmt::format("/proc/{}/fd", pid);
  std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  while (dirent* entry = open ? ::readdir(open.get()) : nullptr) {
    if (link_of(folder + "/" + entry->d_name) != "anon_inode:[eventpoll]") continue;
    if (Result<std::string> text = read_file(fmt::format("/proc/{}/fdinfo/{}", pid, entry->d_name))) {
      std::vector<EpollEntry> entries = parse_epoll(*text);
      result.insert(result.end(), entries.begin(), entries.end());
    }
  }
  return result;
}

}  // namespace

std::vector<EpollEntry> parse_epoll(std::string_view text) {
  std::vector<EpollEntry> result;
  for (std::string_view line : split(text, '\n')) {
    constexpr std::string_view kFd = "tfd:", kData = "data:";
    std::size_t fd_at = line.find(kFd), data_at = line.find(kData);
    if (fd_at == std::string_view::npos || data_at == std::string_view::npos) continue;
    auto number = [&](std::size_t from, auto& value, int base) {
      from = line.find_first_not_of(' ', from);
      if (from == std::string_view::npos) return false;
      return std::from_chars(line.data() + from, line.data() + line.size(), value, base).ec == std::errc{};
    };
    EpollEntry entry{};
    if (number(fd_at + kFd.size(), entry.fd, 10) && number(data_at + kData.size(), entry.data, 16))
      result.push_back(entry);
  }
  return result;
}

GoWait GoWaits::describe(const Goroutine& goroutine, const std::vector<GoCall>& calls) {
  GoWait wait;
  if (!waits(goroutine)) return wait;
  const std::string& reason = runtime_.wait_reason(goroutine.wait_reason);
  auto begins = [&](std::string_view text) { return reason.rfind(text, 0) == 0; };
  if (begins("chan ") || begins("select")) {
    add_channels(goroutine, wait);
  } else if (begins("sync.") || begins("semacquire")) {
    wait.lock = lock_of(goroutine, calls);
  } else if (begins("sleep")) {
    if (goroutine.timer && layout_.timer_when)
      wait.until_ns = runtime_.memory().load<std::uint64_t>(goroutine.timer + layout_.timer_when);
  } else if (begins("IO wait")) {
    read_descriptors();
    auto found = descriptors_.find(goroutine.address);
    if (found != descriptors_.end()) wait.descriptor = found->second;
  }
  return wait;
}

void GoWaits::add_channels(const Goroutine& goroutine, GoWait& wait) {
  bool sends = runtime_.wait_reason(goroutine.wait_reason).rfind("chan send", 0) == 0;
  std::uint64_t sudog = goroutine.waiting;
  constexpr std::size_t kMostFollowed = 65'536;  // what select takes
  for (std::size_t i = 0; sudog && i < kMostFollowed; ++i) {
    std::array<char, kSudogSize> bytes{};
    if (!runtime_.memory().read(sudog, bytes.data(), bytes.size())) return;
    std::string_view view(bytes.data(), bytes.size());
    // Not this goroutine's any more: it has moved on.
    if (field_of<std::uint64_t>(view, 0) != goroutine.address) return;
    std::uint64_t channel = field_of<std::uint64_t>(view, layout_.sudog_channel);
    if (wait.channels.size() < kMostCases) {
      if (channel) {
        const Queues& queues = queues_at(channel);
        wait.channels.push_back(queues.channel);
        wait.channels.back().sends =
            sends || queues.senders.contains(sudog);  // of a select's cases only the queues tell
      }
    } else {
      ++wait.more_channels;
    }
    sudog = field_of<std::uint64_t>(view, layout_.sudog_next_case);
  }
}

std::vector<std::uint64_t> GoWaits::queue_from(std::uint64_t first) const {
  std::vector<std::uint64_t> queue;
  for (std::uint64_t sudog = first; sudog && queue.size() < GoChannel::kMostWaiters;) {
    queue.push_back(sudog);
    sudog = runtime_.memory().load<std::uint64_t>(sudog + 8).value_or(0);
  }
  return queue;
}

// Kept: many goroutines wait for few channels.
const GoWaits::Queues& GoWaits::queues_at(std::uint64_t address) {
  auto [found, is_new] = channels_.try_emplace(address);
  Queues& queues = found->second;
  if (!is_new) return queues;
  GoChannel& channel = queues.channel;
  channel.address = address;
  std::array<char, 112> bytes{};
  if (!runtime_.memory().read(address, bytes.data(), bytes.size())) return queues;
  std::string_view view(bytes.data(), bytes.size());
  channel.length = field_of<std::uint64_t>(view, 0);
  channel.capacity = field_of<std::uint64_t>(view, 8);
  channel.closed = field_of<std::uint32_t>(view, 28) != 0;
  std::vector<std::uint64_t> senders = queue_from(field_of<std::uint64_t>(view, layout_.channel_senders));
  channel.receivers =
      static_cast<std::uint32_t>(queue_from(field_of<std::uint64_t>(view, layout_.channel_receivers)).size());
  channel.senders = static_cast<std::uint32_t>(senders.size());
  queues.senders.insert(senders.begin(), senders.end());
  std::uint64_t timer = layout_.channel_timer ? field_of<std::uint64_t>(view, layout_.channel_timer) : 0;
  if (timer) channel.fires_at_ns = runtime_.memory().load<std::uint64_t>(timer + layout_.timer_when);
  return queues;
}

std::optional<GoLock> GoWaits::lock_of(const Goroutine& goroutine, const std::vector<GoCall>& calls) {
  std::uint64_t semaphore = 0;
  if (goroutine.waiting)
    semaphore = runtime_.memory().load<std::uint64_t>(goroutine.waiting + layout_.sudog_element).value_or(0);
  if (!semaphore) {
    if (!std::exchange(semaphores_read_, true))
      semaphores_ = read_semaphore_waiters(runtime_, &expected_).semaphore_of;
    auto found = semaphores_.find(goroutine.address);
    if (found != semaphores_.end()) semaphore = found->second;
  }
  const LockKind* kind = lock_kind(calls);
  if (!semaphore) return std::nullopt;
  GoLock lock;
  lock.address = semaphore;
  if (!kind) return lock;
  lock.kind = kind->kind;
  lock.address = semaphore - kind->semaphore;
  lock.state = lock_state(kind->kind, lock.address, runtime_.memory());
  return lock;
}

// The kernel tells which descriptors an epoll watches, and the word that the program gave with each: to Go's
// runtime that is where its own record of the descriptor stands, which names the goroutines that wait.
void GoWaits::read_descriptors() {
  if (std::exchange(descriptors_read_, true) || !layout_.poll_reader) return;
  for (const EpollEntry& entry : epoll_entries(runtime_.memory().pid())) {
    // Since 1.21 a counter shares the word: it takes the low bits, and those that the address's alignment
    // leaves.
    auto word = static_cast<std::int64_t>(entry.data);
    auto address_121 = static_cast<std::uint64_t>(word >> 19 << 3),
         address_125 = static_cast<std::uint64_t>(word >> 24 << 9);
    for (std::uint64_t address : {entry.data, address_121, address_125}) {
      std::array<char, 64> bytes{};
      if (!runtime_.memory().read(address, bytes.data(), bytes.size())) continue;
      std::string_view view(bytes.data(), bytes.size());
      if (field_of<std::uint64_t>(view, 8) != static_cast<std::uint64_t>(entry.fd)) continue;
      descriptors_[field_of<std::uint64_t>(view, layout_.poll_reader)] = {entry.fd, false, ""};
      descriptors_[field_of<std::uint64_t>(view, layout_.poll_writer)] = {entry.fd, true, ""};
      break;
    }
  }
}

}  // namespace dwell
