// SPDX-License-Identifier: Apache-2.0
#include "userspace/files/findings.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/base/time_units.h"
#include "userspace/files/groups.h"
#include "userspace/files/looker.h"

namespace dwell::files {
namespace {

constexpr double kNearlyAll = 0.8;
constexpr std::size_t kPileUp = 10;                               // sockets that a program still has to close
constexpr std::uint64_t kLeftNs = 100 * kMillisecond;             // half closed for so long, nobody is just closing it
constexpr std::uint64_t kDeletedThatMatters = std::uint64_t{256} << 20;

bool nearly(std::uint64_t used, std::uint64_t most) { return most && static_cast<double>(used) >= kNearlyAll * static_cast<double>(most); }

class FindingList {
 public:
  explicit FindingList(const FilesLook& look) : look_(look) {}

  std::vector<Finding> find() {
    near_own_limit();
    near_system_limit();
    ports_nearly_used_up();
    accept_queues_full();
    left_open();
    deleted_files();
    return std::move(findings_);
  }

 private:
  void add(FindingWeight weight, std::string headline, std::vector<std::string> evidence, std::string command = "") {
    if (command.empty()) command = fmt::format("dwell files {}", look_.process.pid);
    findings_.push_back({weight, false, std::move(headline), std::move(evidence), std::move(command)});
  }

  void near_own_limit() {
    if (!nearly(look_.files.size(), look_.limit)) return;
    add(FindingWeight::kLimit, fmt::format("{} of {} file descriptors are open", count_text(look_.files.size()), count_text(look_.limit)),
        {"the limit is RLIMIT_NOFILE; beyond it open, accept and socket fail with EMFILE", largest_group()});
  }

  std::string largest_group() const {
    std::vector<FileGroup> groups = group_files(look_);
    const FileGroup& group = groups.front();
    std::string text = fmt::format("most of one kind: {} {}", count_text(group.files.size()), group.kind);
    for (const std::string& more : {group.state, group.what})
      if (!more.empty()) text += " " + more;
    return text;
  }

  void near_system_limit() {
    const SystemLimits& system = look_.system;
    if (nearly(system.open, system.most))
      add(FindingWeight::kLimit, fmt::format("{} of the {} files that the machine may have open are open", count_text(system.open), count_text(system.most)),
          {"the limit is fs.file-max; beyond it open fails with ENFILE in every process"}, "cat /proc/sys/fs/file-nr");
    if (nearly(system.conntrack, system.most_conntrack))
      add(FindingWeight::kLimit, fmt::format("{} of {} connections that the firewall can track are in use", count_text(system.conntrack), count_text(system.most_conntrack)),
          {"the limit is net.netfilter.nf_conntrack_max; beyond it packets of new connections are dropped"}, "sysctl net.netfilter.nf_conntrack_max");
  }

  void ports_nearly_used_up() {
    for (const PortUse& use : look_.ports) {
      if (!nearly(use.ports, look_.ephemeral_ports)) break;
      bool ours = std::ranges::any_of(look_.files, [&](const SeenFile& seen) { return seen.socket && seen.socket->peer == use.to; });
      if (ours)
        add(FindingWeight::kLimit, fmt::format("{} of {} ephemeral ports are in use from {} to {}", count_text(use.ports), count_text(look_.ephemeral_ports), use.from, use.to),
            {"the range is net.ipv4.ip_local_port_range; beyond it connect fails with EADDRNOTAVAIL. Connections in TIME_WAIT count"});
    }
  }

  void accept_queues_full() {
    for (const SeenFile& seen : look_.files) {
      if (!seen.socket || !seen.socket->listening || !seen.socket->send_queue || seen.socket->receive_queue <= seen.socket->send_queue) continue;
      add(FindingWeight::kLimit, fmt::format("the accept queue of {} is full: {} connections wait, {} may", seen.socket->local, seen.socket->receive_queue, seen.socket->send_queue),
          {"the program has to accept faster, or to listen with a larger backlog; new connections are not answered meanwhile"},
          fmt::format("dwell threads {}", look_.process.pid));
    }
  }

  void left_open() {
    std::map<std::string, std::size_t> ends;
    std::size_t count = 0;
    std::uint64_t shortest = ~0ull, longest = 0;
    for (const SeenFile& seen : look_.files) {
      if (!seen.socket || seen.socket->state != "CLOSE_WAIT" || seen.socket->quiet_ns.value_or(0) < kLeftNs) continue;
      ++count;
      ++ends[seen.accepted ? "from clients, at " + seen.socket->local : "to " + seen.socket->peer];
      shortest = std::min(shortest, *seen.socket->quiet_ns);
      longest = std::max(longest, *seen.socket->quiet_ns);
    }
    if (count < kPileUp) return;
    auto most = std::ranges::max_element(ends, {}, [](const auto& end) { return end.second; });
    add(FindingWeight::kPileUp, fmt::format("{} TCP connections were closed by the other side and are still open here", count_text(count)),
        {fmt::format("they are in CLOSE_WAIT, and the other side has been silent for {} to {}: the program has to close them", human_duration(shortest), human_duration(longest)),
         fmt::format("{} of them are {}", count_text(most->second), most->first)});
  }

  void deleted_files() {
    std::uint64_t bytes = 0;
    std::set<std::pair<std::uint64_t, std::uint64_t>> files;
    for (const SeenFile& seen : look_.files)
      if (seen.file.kind == FileKind::kDeleted && files.insert({seen.file.device, seen.file.inode}).second) bytes += seen.file.size;
    if (bytes < kDeletedThatMatters) return;
    add(FindingWeight::kWaste, fmt::format("{} that were deleted still occupy up to {}", counted(files.size(), "file"), bytes_text(static_cast<double>(bytes))),
        {"their space is given back when the last descriptor is closed"});
  }

  const FilesLook& look_;
  std::vector<Finding> findings_;
};

}  // namespace

Findings findings_of(const FilesLook& look) {
  Findings result;
  result.looked_at = fmt::format("{} open{}", count_text(look.files.size()), look.limit ? " of " + count_text(look.limit) : ", no limit");
  result.findings = FindingList(look).find();
  return result;
}

std::optional<Findings> files_findings(const LookRequest& request) {
  Result<FilesLook> look = look_at_files({request.pid, false});
  if (!look) return Findings{"", "files: " + look.error().what, {}};
  return findings_of(*look);
}

}  // namespace dwell::files
