// SPDX-License-Identifier: Apache-2.0
// The capabilities that dwell uses, and what fails without each: the one list from which doctor and all hints are
// made, and against which the documentation is tested. Held means in the effective set of this process; the kernel
// asks for the first three in the initial user namespace, so those of a container's own user namespace do not count.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

// Numbers of the kernel's interface, <linux/capability.h>.
enum class Capability : int {
  kChown = 0,
  kDacOverride = 1,
  kDacReadSearch = 2,
  kFowner = 3,
  kKill = 5,
  kSetGid = 6,
  kSetUid = 7,
  kSetPcap = 8,
  kSysPtrace = 19,
  kSysAdmin = 21,
  kSysNice = 23,
  kSyslog = 34,
  kPerfmon = 38,
  kBpf = 39,
  kCheckpointRestore = 40,
};

struct Privilege {
  Capability capability;
  const char* name;         // "CAP_BPF"
  const char* needed_for;   // what fails without it, as a noun phrase
  bool implied_by_admin;    // the kernel takes CAP_SYS_ADMIN for it
};
std::span<const Privilege> privileges();
// Beside them, where there are perf uprobes only (Linux before 6.6): since 2025 these are opened for no less, in older
// series too.
const Privilege& perf_uprobe_privilege();

// The sets of a process, one bit a capability.
struct CapabilitySets {
  std::uint64_t effective = 0, bounding = 0;
  bool initial_namespace = true;  // of users
  bool holds(Capability capability) const;
};
CapabilitySets parse_capability_sets(std::string_view status, std::string_view uid_map);
// Of this process now; all empty if /proc cannot be read.
CapabilitySets own_capabilities();

std::vector<Privilege> missing_privileges(const CapabilitySets& sets, bool for_perf_uprobes = false);
// False if the process could not get it by file capabilities or by being root: a container's limit.
bool can_be_granted(const CapabilitySets& sets, const Privilege& privilege);

// How a group of people is given all of them, without giving them to every local user.
std::string setcap_advice(bool for_perf_uprobes = false);

// What to do when the kernel refused something that these allow. Names those that are missing; where none is, says
// what else may refuse.
std::string privilege_hint(std::initializer_list<Capability> needed, const CapabilitySets& sets = own_capabilities());

}  // namespace dwell
