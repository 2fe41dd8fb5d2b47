// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/surroundings.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "userspace/base/files.h"
#include "userspace/base/privileges.h"
#include "userspace/base/text.h"
#include "userspace/process/own_proc.h"

namespace dwell {
namespace {

using Found = std::optional<Surrounding>;

constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;  // include/linux/proc_ns.h: PROC_PID_INIT_INO

bool exists(const char* path) { return ::access(path, F_OK) == 0; }

bool is_file(const char* path) {
  struct stat st {};
  return ::stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

Found foreign_proc() {
  Result<void> own = expect_own_proc();
  if (own) return std::nullopt;
  return Surrounding{"/proc", own.error().what, own.error().hint, true};
}

Found missing_sys() {
  if (!exists("/sys/kernel") || !exists("/sys/devices/system/cpu/possible"))
    return Surrounding{"/sys", "it is not mounted: the kernel's types and CPUs are not known",
                       "run: mount -t sysfs sysfs /sys, or start the container with the host's /sys", true};
  if (!is_file("/sys/kernel/btf/vmlinux"))
    return Surrounding{
        "/sys/kernel/btf/vmlinux", "this kernel offers no BTF there",
        "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are; in a container, one "
        "that doesn't mask /sys/kernel",
        true};
  return std::nullopt;
}

Found own_user_namespace() {
  if (own_capabilities().initial_namespace) return std::nullopt;
  return Surrounding{
      "user namespace",
      "dwell runs in a user namespace of its own, whose root may not use BPF, whatever its capabilities",
      "run dwell on the host, or in a container without one (--userns=host)", true};
}

Found own_pid_namespace() {
  if (in_initial_pid_namespace()) return std::nullopt;
  return Surrounding{"PID namespace",
                     "dwell's own: it sees the processes of this container, by the ids that they have here",
                     "to see all of the machine, start the container with --pid=host", false};
}

Found hiding_proc() {
  Result<std::string> mounts = read_file("/proc/self/mountinfo");
  std::string hides = mounts ? mount_option(*mounts, "/proc", "hidepid") : "";
  if (hides.empty() || hides == "0" || hides == "off" || own_capabilities().holds(Capability::kSysPtrace))
    return std::nullopt;
  return Surrounding{"/proc", fmt::format("it hides other users' processes (hidepid={})", hides),
                     "run as root, or grant CAP_SYS_PTRACE", false};
}

Found process_files_only() {
  if (exists("/proc/sys")) return std::nullopt;
  return Surrounding{"/proc", "it shows processes only (subset=pid): kernel functions have no names", "",
                     false};
}

Found filtered_calls() {
  Result<std::string> status = read_file("/proc/self/status");
  if (!status || status->find("\nSeccomp:\t2") == std::string::npos) return std::nullopt;
  return Surrounding{
      "seccomp filter",
      "dwell itself runs under one, which may refuse bpf() and perf_event_open() whatever its capabilities",
      "if it does: start the container with --security-opt seccomp=unconfined", false};
}

Found unwritable_folder() {
  if (::access(".", W_OK) == 0) return std::nullopt;
  return Surrounding{"working folder", "it can't be written to", "say where a recording goes: -o FILE",
                     false};
}

// The user namespace is among the privileges.
constexpr Found (*kAll[])() = {foreign_proc, missing_sys,    own_pid_namespace, process_files_only,
                               hiding_proc,  filtered_calls, unwritable_folder};

}  // namespace

bool in_initial_pid_namespace() {
  struct stat ns {};
  return ::stat("/proc/self/ns/pid", &ns) == 0 && ns.st_ino == kInitialPidNamespace;
}

std::vector<Surrounding> surroundings() {
  std::vector<Surrounding> found;
  for (auto look : kAll)
    if (Found one = look()) found.push_back(std::move(*one));
  return found;
}

Result<void> expect_bpf_surroundings(const std::string& doing) {
  for (auto look : {foreign_proc, missing_sys, own_user_namespace}) {
    Found one = look();
    if (!one) continue;
    bool permitted = one->name != "user namespace";
    return Error{
        fmt::format("{}: {}{}", doing, one->name.starts_with('/') ? one->name + ": " : "", one->detail),
        one->hint, permitted ? Exit::kUnsupported : Exit::kNotPermitted};
  }
  return {};
}

std::string mount_option(std::string_view mountinfo, std::string_view place, std::string_view option) {
  std::string value;
  for (std::string_view line : split(mountinfo, '\n')) {
    std::vector<std::string_view> fields = split(line, ' ');
    if (fields.size() < 7 || fields[4] != place) continue;
    value.clear();  // what was mounted here before is covered
    for (std::string_view setting : split(fields.back(), ','))
      if (setting.starts_with(option) && setting.substr(option.size()).starts_with('='))
        value = setting.substr(option.size() + 1);
  }
  return value;
}

}  // namespace dwell
