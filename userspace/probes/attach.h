// SPDX-License-Identifier: Apache-2.0
// Attaches BPF programs to user-space instructions in the way that this kernel does best, and detaches
// them by closing descriptors.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/process/process.h"

struct bpf_program;

namespace dwell {

enum class AttachMethod : std::uint8_t {
  kSession,  // uprobe_multi sessions: one program for entry and return, and the entry can refuse the return
  kMulti,    // uprobe_multi links: one system call for all probes of a file
  kPerf,     // a perf event for each probe
};
const char* attach_method_name(AttachMethod method);  // "uprobe session", "uprobe_multi", "perf uprobe"

// Links of many probes find a process's memory by its main thread: where that has ended, only perf uprobes can be tied to
// another one. None: the best there is.
std::optional<AttachMethod> method_for(const ProcessFacts& target, std::optional<AttachMethod> wanted);

// What a BPF program is for. Before an object is loaded, each of its probe programs is given its role, so
// that the kernel accepts it for the links of that method.
enum class ProbeRole : std::uint8_t {
  kEntry,    // sites without return probe, and return instructions
  kSession,  // sites with return, both sides of the call; only for AttachMethod::kSession
  kReturn,   // the return side of sites with return; not for AttachMethod::kSession
};
void set_probe_role(bpf_program* program, ProbeRole role, AttachMethod method);
// Loads only what the method needs: no session program on a kernel without sessions.
bool role_needed(ProbeRole role, AttachMethod method);

struct ProbePrograms {  // descriptors of the loaded programs; borrowed; -1: none
  int entry = -1;       // for kMulti and kPerf it serves the entry of sites with return as well
  int session = -1;
  int returns = -1;
  int exits = -1;       // at return instructions, by whichever method
};

struct ProbeSite {
  struct Candidate {
    std::uint64_t file_offset;
    std::uint64_t cookie;  // dwell_probe_cookie()
  };
  std::string path;                   // opens the file
  std::string name;                   // for messages: "malloc in /usr/lib/libc.so.6"
  bool returns = false;
  std::vector<Candidate> candidates;  // best first; the others are tried if the kernel refuses one; none: exits only
  std::vector<Candidate> exits = {};  // return instructions; all of them are probed, or the site is not
};

// What became of a site: the index of the candidate in use, or why there is none.
struct AttachedSite {
  int candidate = -1;  // of a site that has exits only: 0
  std::string failure;
  std::string hint;
};

// The attached probes. Closing is the destructor's; what is attached in one call is closed in one.
class ProbeLinks {
 public:
  ProbeLinks(AttachMethod method, ProbePrograms programs, pid_t pid)
      : method_(method), programs_(programs), pid_(pid) {}
  ProbeLinks(ProbeLinks&&) = default;
  ProbeLinks& operator=(ProbeLinks&&) = default;
  ~ProbeLinks() { detach(); }

  // One answer for each site, in order. An Error only if no site at all could be attached.
  // Can be called again for modules that arrive later.
  Result<std::vector<AttachedSite>> attach(const std::vector<ProbeSite>& sites);
  // The same; an Error only if a privilege is missing, or the process has ended (Exit::kNoTarget).
  Result<std::vector<AttachedSite>> try_attach(const std::vector<ProbeSite>& sites);
  void detach();
  ProbeLinks likewise(pid_t pid) const { return {method_, programs_, pid}; }  // of the same kind, for another process
  std::size_t link_count() const { return entry_links_.size() + return_links_.size(); }

 private:
  void attach_exits(const std::vector<ProbeSite>& sites, std::vector<AttachedSite>& answers);
  Result<void> attach_exits(const std::string& path, const std::vector<ProbeSite::Candidate>& places);
  AttachMethod method_;
  ProbePrograms programs_;
  pid_t pid_;
  std::set<std::pair<std::string, std::uint64_t>> exits_;  // probed already: functions share them
  std::vector<UniqueFd> entry_links_, return_links_;
};

// What was found by probing functions of our own; each `why_not` is empty where it works.
struct ProbeAbilities {
  std::optional<AttachMethod> best;  // none: nothing works, see why_not_perf
  std::string why_not_session, why_not_multi, why_not_perf;
  bool pid_filter_exact = false;     // uprobe_multi hits all threads of the process and no other process
  bool nop5_is_a_call = false;       // measured
  bool long_nops_emulated = false;   // measured
};

// Whether a process under a seccomp filter survives probes, found out on a child of our own.
enum class SeccompAnswer : std::uint8_t { kSurvives, kKilledByReturns, kKilledByNop5, kUnknown };

// Under what filter a process runs, from /proc/PID/status.
Result<bool> has_seccomp_filter(pid_t pid);

// Whether it has a shadow stack, of which kernels before 6.11 know nothing when they change a return address.
bool has_shadow_stack(pid_t pid);
bool shadow_stack_in(std::string_view status);  // of /proc/PID/status

}  // namespace dwell
