// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/privileges.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "userspace/base/files.h"

namespace dwell {
namespace {

constexpr Privilege kPrivileges[] = {
    {Capability::kBpf, "CAP_BPF", "BPF programs: record, threads and clocks", true},
    {Capability::kPerfmon, "CAP_PERFMON", "probes, perf events and what BPF programs read: record, threads and clocks", true},
    {Capability::kSysPtrace, "CAP_SYS_PTRACE", "memory, mappings and files of other users' processes", false},
    {Capability::kCheckpointRestore, "CAP_CHECKPOINT_RESTORE",
     "programs and libraries that were deleted or replaced since they were mapped", true},
    {Capability::kDacReadSearch, "CAP_DAC_READ_SEARCH",
     "descriptors of other users' processes, and programs that only their owner may read", false},
    {Capability::kSyslog, "CAP_SYSLOG", "names of kernel functions: threads --kernel-stacks", false},
};
constexpr Privilege kForPerfUprobes = {Capability::kSysAdmin, "CAP_SYS_ADMIN",
                                       "perf uprobes, the only probes of Linux before 6.6: record and clocks", true};

std::vector<Privilege> listed_for(bool perf_uprobes) {
  std::vector<Privilege> all(std::begin(kPrivileges), std::end(kPrivileges));
  if (perf_uprobes) all.push_back(kForPerfUprobes);
  return all;
}

std::uint64_t hexadecimal_behind(std::string_view text, std::string_view label) {
  std::size_t at = text.find(label);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + label.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

// The initial namespace maps all 2^32 - 1 users to themselves.
bool maps_everybody(std::string_view uid_map) {
  std::string words;
  for (char c : uid_map) {
    bool space = std::isspace(static_cast<unsigned char>(c));
    if (!space) words += c;
    if (space && !words.empty() && words.back() != ' ') words += ' ';
  }
  return words.empty() || words == "0 0 4294967295 ";
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

std::uint64_t bit(Capability capability) { return std::uint64_t{1} << static_cast<int>(capability); }

bool is_granted(std::uint64_t set, const Privilege& privilege) {
  return set & (bit(privilege.capability) | (privilege.implied_by_admin ? bit(Capability::kSysAdmin) : 0));
}

}  // namespace

std::span<const Privilege> privileges() { return kPrivileges; }
const Privilege& perf_uprobe_privilege() { return kForPerfUprobes; }

bool CapabilitySets::holds(Capability capability) const {
  for (const Privilege& privilege : kPrivileges)
    if (privilege.capability == capability) return is_granted(effective, privilege);
  return effective & bit(capability);
}

CapabilitySets parse_capability_sets(std::string_view status, std::string_view uid_map) {
  return {hexadecimal_behind(status, "CapEff:"), hexadecimal_behind(status, "CapBnd:"), maps_everybody(uid_map)};
}

CapabilitySets own_capabilities() {
  Result<std::string> status = read_file("/proc/self/status");
  Result<std::string> map = read_file("/proc/self/uid_map");
  return status ? parse_capability_sets(*status, map ? *map : std::string()) : CapabilitySets{};
}

std::vector<Privilege> missing_privileges(const CapabilitySets& sets, bool for_perf_uprobes) {
  std::vector<Privilege> missing;
  for (const Privilege& privilege : listed_for(for_perf_uprobes))
    if (!is_granted(sets.effective, privilege)) missing.push_back(privilege);
  return missing;
}

bool can_be_granted(const CapabilitySets& sets, const Privilege& privilege) {
  return is_granted(sets.bounding, privilege);
}

std::string setcap_advice(bool for_perf_uprobes) {
  std::string names;
  for (const Privilege& privilege : listed_for(for_perf_uprobes)) {
    if (!names.empty()) names += ',';
    for (const char* c = privilege.name; *c; ++c) names += static_cast<char>(std::tolower(*c));
  }
  return fmt::format(
      "sudo groupadd -f dwell; D=$(command -v dwell); sudo chown root:dwell \"$D\"; sudo chmod 0750 \"$D\"; "
      "sudo setcap {}=ep \"$D\"; then put into group dwell whom you trust with every process of this machine",
      names);
}

std::string privilege_hint(std::initializer_list<Capability> needed, const CapabilitySets& sets) {
  std::vector<std::string> missing, all;
  bool out_of_reach = false;
  const std::vector<Privilege> known = listed_for(true);
  for (Capability capability : needed) {
    auto privilege = std::ranges::find(known, capability, &Privilege::capability);
    all.emplace_back(privilege->name);
    if (sets.holds(capability)) continue;
    missing.emplace_back(privilege->name);
    out_of_reach |= !can_be_granted(sets, *privilege);
  }
  if (!sets.initial_namespace && missing.empty())
    return fmt::format("{} of a user namespace of its own do not count here: run dwell on the host, or in a container "
                       "without a user namespace",
                       listed(all));
  if (missing.empty())
    return fmt::format("dwell holds {}: a security module, kernel lockdown or a container's filter of system calls "
                       "refuses; what is: dwell doctor",
                       listed(all));
  return fmt::format("run as root, or grant {}{}; what is missing: dwell doctor", listed(missing),
                     out_of_reach ? " (this container's limits exclude it: start it with --cap-add)" : "");
}

}  // namespace dwell
