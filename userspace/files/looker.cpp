// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/looker.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "userspace/base/clock.h"
#include "userspace/base/files.h"
#include "userspace/base/text.h"
#include "userspace/base/time_units.h"
#include "userspace/files/same_files.h"

namespace dwell::files {
namespace {

// How long a connection has to stay half closed before it is called left open.
constexpr std::uint64_t kSettledNs = 100 * kMillisecond;

std::vector<std::uint64_t> numbers_in(const std::string& path) {
  std::vector<std::uint64_t> numbers;
  Result<std::string> text = read_file(path, 256);
  if (!text) return numbers;
  std::string_view first = std::string_view(*text).substr(0, text->find('\n'));
  for (std::string_view word : words_in(first)) {
    std::uint64_t value = 0;
    std::from_chars(word.data(), word.data() + word.size(), value);
    numbers.push_back(value);
  }
  return numbers;
}

SystemLimits read_system_limits() {
  SystemLimits limits;
  auto one = [](const std::string& path) {
    std::vector<std::uint64_t> numbers = numbers_in(path);
    return numbers.empty() ? 0 : numbers[0];
  };
  if (std::vector<std::uint64_t> open = numbers_in("/proc/sys/fs/file-nr"); open.size() == 3) limits.open = open[0], limits.most = open[2];
  limits.most_of_a_process = one("/proc/sys/fs/nr_open");
  limits.conntrack = one("/proc/sys/net/netfilter/nf_conntrack_count");
  limits.most_conntrack = one("/proc/sys/net/netfilter/nf_conntrack_max");
  return limits;
}

bool is_left_by_peer(const SeenFile& seen) { return seen.socket && seen.socket->state == "CLOSE_WAIT"; }
bool has_settled(const SeenFile& seen) { return !is_left_by_peer(seen) || seen.socket->quiet_ns.value_or(0) >= kSettledNs; }

std::string socket_link(std::uint64_t inode) { return fmt::format("socket:[{}]", inode); }

class FilesLooker {
 public:
  FilesLooker(const FilesLookOptions& options, FilesLook& look) : options_(options), look_(look), sockets_(SocketTable::read(options.pid)) {}

  void look() {
    for (SeenFile& seen : look_.files) add_socket(seen);
    if (!sockets_.problem().empty()) look_.notes.push_back(sockets_.problem());
    settle();
    look_.ephemeral_ports = sockets_.ephemeral_ports().size();
    look_.ports = ports_in_use(sockets_);
    if (options_.holders) add_holders();
  }

 private:
  void add_socket(SeenFile& seen) const {
    if (seen.file.kind != FileKind::kSocket) return;
    const Socket* socket = sockets_.find(seen.file.inode);
    if (!socket) return;
    seen.socket = *socket;
    seen.accepted = sockets_.is_accepted(*socket);
    const Socket* peer = sockets_.peer_of(*socket);
    if (peer && socket->peer_inode && socket->local.empty()) seen.peer_name = peer->local;
  }

  // Those that have only just been left by the other side are looked at again: most programs close them at once.
  void settle() {
    if (std::ranges::all_of(look_.files, has_settled)) return;
    std::uint64_t began = monotonic_ns();
    timespec moment{0, static_cast<long>(kSettledNs)};
    ::nanosleep(&moment, nullptr);
    SocketTable later = SocketTable::read(options_.pid);
    std::uint64_t passed = monotonic_ns() - began;
    for (SeenFile& seen : look_.files) {
      if (has_settled(seen)) continue;
      const Socket* socket = later.find(seen.file.inode);
      if (socket && socket->state == seen.socket->state) seen.socket->quiet_ns = seen.socket->quiet_ns.value_or(0) + passed;
    }
  }

  // The link of what is open at the other side, "" where there is no such side or it can't be told.
  std::string other_side(const SeenFile& seen) const {
    if (seen.file.kind == FileKind::kPipe || seen.file.kind == FileKind::kFifo) return seen.file.link;
    if (!seen.socket) return "";
    const Socket* peer = sockets_.peer_of(*seen.socket);
    std::uint64_t inode = peer ? peer->inode : seen.socket->peer_inode;
    return inode ? socket_link(inode) : "";
  }

  static bool has_own_link(FileKind kind) { return kind == FileKind::kSocket || kind == FileKind::kPipe || kind == FileKind::kFifo; }

  void add_holders() {
    std::set<std::string, std::less<>> links;
    for (const SeenFile& seen : look_.files) {
      if (has_own_link(seen.file.kind)) links.insert(seen.file.link);
      if (std::string other = other_side(seen); !other.empty()) links.insert(other);
    }
    Holders holders = find_holders(links);
    for (SeenFile& seen : look_.files) {
      if (!has_own_link(seen.file.kind)) continue;
      bool is_pipe = seen.file.kind != FileKind::kSocket;
      for (const Holder& holder : holders.of(seen.file.link)) {
        bool same_end = !is_pipe || (holder.readable && seen.file.readable) || (holder.writable && seen.file.writable);
        if (holder.pid != look_.process.pid && same_end) seen.also.push_back(holder);
      }
      std::string other = other_side(seen);
      seen.has_other_end = !other.empty() && !(seen.file.readable && seen.file.writable && is_pipe);
      for (const Holder& holder : holders.of(other)) {
        bool opposite = !is_pipe || (seen.file.readable ? holder.writable : holder.readable);
        if (opposite && seen.has_other_end) seen.other_end.push_back(holder);
      }
    }
    if (holders.not_seen)
      look_.notes.push_back(fmt::format("the descriptors of {} other processes can't be listed: they may hold some of these too", holders.not_seen));
    add_same_files(look_);
  }

  const FilesLookOptions& options_;
  FilesLook& look_;
  SocketTable sockets_;
};

}  // namespace

std::vector<PortUse> ports_in_use(const SocketTable& sockets) {
  std::map<std::pair<std::string, std::string>, std::set<std::uint16_t>> used;
  PortRange range = sockets.ephemeral_ports();
  for (const Socket& socket : sockets.all()) {
    bool outgoing = socket.protocol == "TCP" && !socket.peer.empty() && !sockets.is_accepted(socket);
    if (!outgoing || socket.local_port < range.first || socket.local_port > range.last) continue;
    used[{socket.local.substr(0, socket.local.rfind(':')), socket.peer}].insert(socket.local_port);
  }
  std::vector<PortUse> uses;
  for (const auto& [ends, ports] : used) uses.push_back({ends.first, ends.second, ports.size()});
  std::ranges::stable_sort(uses, std::greater<>(), &PortUse::ports);
  return uses;
}

Result<FilesLook> look_at_files(const FilesLookOptions& options) {
  std::uint64_t began = monotonic_ns();
  FilesLook look;
  Result<ProcessFacts> process = read_process(options.pid);
  if (!process) return process.error();
  look.process = *process;
  Result<OpenFiles> open = read_open_files(options.pid);
  if (!open) return open.error();
  look.limit = open->limit;
  for (OpenFile& file : open->files) {
    SeenFile& seen = look.files.emplace_back();
    seen.file = std::move(file);
  }
  look.system = read_system_limits();
  FilesLooker(options, look).look();
  look.took_ns = monotonic_ns() - began;
  return look;
}

}  // namespace dwell::files
