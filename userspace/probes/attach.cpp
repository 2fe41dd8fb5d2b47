// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <thread>

#include "bpf/probe_shapes.h"
#include "userspace/base/files.h"
#include "userspace/base/living_thread.h"
#include "userspace/base/privileges.h"

namespace dwell {

namespace {

// Of the kernel's interface, and not in the headers of the oldest systems that dwell is built on.
constexpr unsigned kUprobeMulti = 48;    // BPF_TRACE_UPROBE_MULTI
constexpr unsigned kUprobeSession = 57;  // BPF_TRACE_UPROBE_SESSION
constexpr std::uint32_t kMultiReturn = 1;  // BPF_F_UPROBE_MULTI_RETURN

// The kernel takes no second probe on an instruction whose first one has another reference counter.
Error refused(const char* doing, int error) {
  Error refusal = system_error(doing, error, error == EINVAL ? "another tool's probe may stand on the same instruction: end that tool, and try again" : "");
  if (error == ESRCH) refusal.exit = Exit::kNoTarget;
  return refusal;
}

struct UprobeMultiLink {  // the start of union bpf_attr for BPF_LINK_CREATE
  std::uint32_t program, target, attach_type, flags;
  std::uint64_t path, offsets, reference_counters, cookies;
  std::uint32_t count, multi_flags, pid, padding;
};

Result<UniqueFd> create_multi_link(int program, unsigned attach_type, const std::string& path,
                                   const std::vector<ProbeSite::Candidate>& places, std::uint32_t flags, pid_t pid) {
  std::vector<std::uint64_t> offsets, cookies;
  for (const ProbeSite::Candidate& place : places) {
    offsets.push_back(place.file_offset);
    cookies.push_back(place.cookie);
  }
  UprobeMultiLink request{};
  request.program = static_cast<std::uint32_t>(program);
  request.attach_type = attach_type;
  request.path = reinterpret_cast<std::uint64_t>(path.c_str());
  request.offsets = reinterpret_cast<std::uint64_t>(offsets.data());
  request.cookies = reinterpret_cast<std::uint64_t>(cookies.data());
  request.count = static_cast<std::uint32_t>(places.size());
  request.multi_flags = flags;
  request.pid = static_cast<std::uint32_t>(pid);
  int fd = static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &request, sizeof request));
  if (fd < 0) return refused("create a uprobe_multi link", errno);
  return UniqueFd(fd);
}

// The kernel's dynamic number for perf events on user probes, and the bit that says "at the return".
struct PerfUprobe {
  std::uint32_t type;
  std::uint64_t return_bit;
};
Result<PerfUprobe> find_perf_uprobe() {
  const std::string kFolder = "/sys/bus/event_source/devices/uprobe/";
  Result<std::string> type = read_file(kFolder + "type");
  if (!type) return type.error().because_of("find the kernel's perf uprobes");
  Result<std::string> format = read_file(kFolder + "format/retprobe");
  if (!format) return format.error().because_of("find the kernel's perf uprobes");
  unsigned bit = 0;
  if (std::sscanf(format->c_str(), "config:%u", &bit) != 1 || bit > 63)
    return Error{fmt::format("read {}format/retprobe: unknown content", kFolder), {}, Exit::kUnsupported};
  return PerfUprobe{static_cast<std::uint32_t>(std::strtoul(type->c_str(), nullptr, 10)), std::uint64_t{1} << bit};
}

struct PerfProbe {
  UniqueFd event, link;
};
Result<PerfProbe> create_perf_probe(int program, const std::string& path, const ProbeSite::Candidate& place,
                                    bool at_return, pid_t pid) {
  static const Result<PerfUprobe> uprobe = find_perf_uprobe();
  if (!uprobe) return uprobe.error();
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = uprobe->type;
  attributes.config = at_return ? uprobe->return_bit : 0;
  attributes.uprobe_path = reinterpret_cast<std::uint64_t>(path.c_str());
  attributes.probe_offset = place.file_offset;
  int event = static_cast<int>(syscall(SYS_perf_event_open, &attributes, living_thread(pid), -1, -1, PERF_FLAG_FD_CLOEXEC));
  if (event < 0) return refused("open a perf uprobe", errno);
  PerfProbe probe{UniqueFd(event), {}};
  LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event = {.bpf_cookie = place.cookie});
  int link = bpf_link_create(program, event, BPF_PERF_EVENT, &options);
  if (link < 0) return system_error("attach a BPF program to a perf uprobe", -link);
  probe.link = UniqueFd(link);
  return probe;
}

// A return instruction of Go code tells of its own function alone, to each pair that names it.
bool is_of_go(const ProbeSite::Candidate& exit) { return dwell_probe_flags_of(exit.cookie) & DWELL_PROBE_GO; }

// What is true of all sites alike.
bool concerns_all(const Error& error) { return error.exit == Exit::kNotPermitted || error.exit == Exit::kNoTarget; }

}  // namespace

const char* attach_method_name(AttachMethod method) {
  switch (method) {
    case AttachMethod::kSession:
      return "uprobe session";
    case AttachMethod::kMulti:
      return "uprobe_multi";
    case AttachMethod::kPerf:
      return "perf uprobe";
  }
  return "?";
}

std::optional<AttachMethod> method_for(const ProcessFacts& target, std::optional<AttachMethod> wanted) {
  return target.main_thread_ended ? AttachMethod::kPerf : wanted;
}

bool role_needed(ProbeRole role, AttachMethod method) {
  switch (role) {
    case ProbeRole::kEntry:
      return true;
    case ProbeRole::kSession:
      return method == AttachMethod::kSession;
    case ProbeRole::kReturn:
      return method != AttachMethod::kSession;
  }
  return false;
}

void set_probe_role(bpf_program* program, ProbeRole role, AttachMethod method) {
  bpf_program__set_autoload(program, role_needed(role, method));
  if (method == AttachMethod::kPerf) return;
  unsigned type = role == ProbeRole::kSession ? kUprobeSession : kUprobeMulti;
  bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(type));
}

namespace {

// One attempt after the other until each site is attached, or has no candidate left.
class Attempt {
 public:
  using Create = std::function<Result<UniqueFd>(const std::string& path, const std::vector<ProbeSite::Candidate>&)>;

  Attempt(const std::vector<ProbeSite>& sites, std::vector<AttachedSite>& answers) : sites_(sites), answers_(answers) {}

  // A link for all of these sites of one file; if the kernel refuses it, for each half, down to the one that
  // it means, whose next candidate is tried then.
  void attach(const std::vector<std::size_t>& which, const Create& create, std::vector<UniqueFd>& links) {
    if (which.empty() || for_all_) return;
    std::vector<ProbeSite::Candidate> places;
    for (std::size_t site : which) places.push_back(sites_[site].candidates[static_cast<std::size_t>(next_candidate(site))]);
    Result<UniqueFd> link = create(sites_[which[0]].path, places);
    if (link) {
      links.push_back(std::move(*link));
      for (std::size_t site : which) answers_[site].candidate = next_candidate(site);
      return;
    }
    if (concerns_all(link.error())) for_all_ = link.error();
    if (which.size() > 1) {
      auto middle = which.begin() + static_cast<std::ptrdiff_t>(which.size() / 2);
      attach({which.begin(), middle}, create, links);
      attach({middle, which.end()}, create, links);
      return;
    }
    refuse(which[0], link.error(), [&] { attach(which, create, links); });
  }

  const std::optional<Error>& for_all() const { return for_all_; }

 private:
  int next_candidate(std::size_t site) const { return refused_.count(site) ? refused_.at(site) : 0; }

  template <typename Again>
  void refuse(std::size_t site, const Error& error, Again again) {
    // A candidate that is attached already, on the other side of the call, is not up for change.
    bool settled = answers_[site].candidate >= 0;
    if (!settled && static_cast<std::size_t>(++refused_[site]) < sites_[site].candidates.size()) return again();
    answers_[site].candidate = -1;
    answers_[site].failure = fmt::format("attach {}: {}", sites_[site].name, error.what);
    answers_[site].hint = error.hint;
  }

  const std::vector<ProbeSite>& sites_;
  std::vector<AttachedSite>& answers_;
  std::map<std::size_t, int> refused_;
  std::optional<Error> for_all_;
};

// Sites of one file go into one link.
std::vector<std::vector<std::size_t>> by_file(const std::vector<ProbeSite>& sites, bool each_alone,
                                              const std::function<bool(std::size_t)>& wanted) {
  std::map<std::string, std::vector<std::size_t>> files;
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t site = 0; site < sites.size(); ++site) {
    if (sites[site].candidates.empty() || !wanted(site)) continue;
    if (each_alone)
      groups.push_back({site});
    else
      files[sites[site].path].push_back(site);
  }
  for (auto& [path, group] : files) groups.push_back(std::move(group));
  return groups;
}

}  // namespace

Result<std::vector<AttachedSite>> ProbeLinks::attach(const std::vector<ProbeSite>& sites) {
  Result<std::vector<AttachedSite>> answers = try_attach(sites);
  if (!answers || sites.empty()) return answers;
  bool any = std::any_of(answers->begin(), answers->end(), [](const AttachedSite& site) { return site.candidate >= 0; });
  if (any) return answers;
  return Error{answers->front().failure, "dwell doctor tells what this kernel allows", Exit::kUnsupported};
}

Result<std::vector<AttachedSite>> ProbeLinks::try_attach(const std::vector<ProbeSite>& sites) {
  std::vector<AttachedSite> answers(sites.size());
  for (std::size_t i = 0; i < sites.size(); ++i)
    if (sites[i].candidates.empty() && sites[i].exits.empty()) answers[i].failure = fmt::format("attach {}: no place to probe", sites[i].name);
  Attempt attempt(sites, answers);

  auto create = [&](int program, bool session, bool at_return) -> Attempt::Create {
    if (method_ == AttachMethod::kPerf)
      return [=, this](const std::string& path, const std::vector<ProbeSite::Candidate>& places) -> Result<UniqueFd> {
        Result<PerfProbe> probe = create_perf_probe(program, path, places[0], at_return, pid_);
        if (!probe) return probe.error();
        // The link keeps the event alive.
        return std::move(probe->link);
      };
    return [=, this](const std::string& path, const std::vector<ProbeSite::Candidate>& places) {
      return create_multi_link(program, session ? kUprobeSession : kUprobeMulti, path, places,
                               at_return ? kMultiReturn : 0, pid_);
    };
  };
  auto attach_all = [&](auto wanted, const Attempt::Create& how, std::vector<UniqueFd>& links) {
    for (const std::vector<std::size_t>& group : by_file(sites, method_ == AttachMethod::kPerf, wanted))
      attempt.attach(group, how, links);
  };
  auto returning = [&](std::size_t site) { return sites[site].returns; };
  auto entry_only = [&](std::size_t site) { return !sites[site].returns && answers[site].failure.empty(); };
  attach_exits(sites, answers);

  // Those that only end something (free, munmap) before those that begin it: a block whose beginning is seen must not end
  // unseen, while the other probes are still being placed.
  attach_all(entry_only, create(programs_.entry, false, false), entry_links_);
  if (method_ == AttachMethod::kSession) {
    attach_all(returning, create(programs_.session, true, false), entry_links_);
  } else {
    // The return side first: a return without its entry is known as such, an entry without its return is not.
    attach_all(returning, create(programs_.returns, false, true), return_links_);
    attach_all([&](std::size_t site) { return returning(site) && answers[site].candidate >= 0; },
               create(programs_.entry, false, false), entry_links_);
  }

  if (attempt.for_all()) {
    if (attempt.for_all()->exit == Exit::kNoTarget) return Error{fmt::format("probe PID {}: it has ended", pid_), "", Exit::kNoTarget};
    Error error = attempt.for_all()->because_of("attach probes");
    error.hint = method_ == AttachMethod::kPerf
                     ? privilege_hint({Capability::kBpf, Capability::kPerfmon, Capability::kSysAdmin})
                     : privilege_hint({Capability::kBpf, Capability::kPerfmon});
    return error;
  }
  return answers;
}

// Exits before entries, as returns: a site whose exits are not all probed is not probed at all.
void ProbeLinks::attach_exits(const std::vector<ProbeSite>& sites, std::vector<AttachedSite>& answers) {
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (sites[i].exits.empty()) continue;
    Result<void> attached = attach_exits(sites[i].path, sites[i].exits);
    if (attached && sites[i].candidates.empty()) answers[i].candidate = 0;
    if (attached) continue;
    answers[i].failure = fmt::format("attach {}: {}", sites[i].name, attached.error().what);
    answers[i].hint = attached.error().hint;
  }
}

Result<void> ProbeLinks::attach_exits(const std::string& path, const std::vector<ProbeSite::Candidate>& places) {
  std::vector<ProbeSite::Candidate> fresh;
  for (const ProbeSite::Candidate& place : places)
    if (!exits_.count({path, place.file_offset}) || is_of_go(place)) fresh.push_back(place);
  std::vector<UniqueFd> links;
  if (method_ == AttachMethod::kPerf) {
    for (const ProbeSite::Candidate& place : fresh) {
      Result<PerfProbe> probe = create_perf_probe(programs_.exits, path, place, false, pid_);
      if (!probe) return probe.error();
      links.push_back(std::move(probe->link));
    }
  } else if (!fresh.empty()) {
    Result<UniqueFd> link = create_multi_link(programs_.exits, kUprobeMulti, path, fresh, 0, pid_);
    if (!link) return link.error();
    links.push_back(std::move(*link));
  }
  for (const ProbeSite::Candidate& place : fresh) exits_.emplace(path, place.file_offset);
  return_links_.insert(return_links_.end(), std::make_move_iterator(links.begin()), std::make_move_iterator(links.end()));
  return {};
}

void ProbeLinks::detach() {
  // Entries first, so that no call is begun that nobody will see return. Each close waits for a grace period
  // of its own; from several threads they wait together.
  auto close_all = [](std::vector<UniqueFd>& links) {
    if (links.size() < 2) {
      links.clear();
      return;
    }
    std::vector<std::thread> threads;
    const std::size_t kThreads = std::min<std::size_t>(links.size(), 32);
    for (std::size_t first = 0; first < kThreads; ++first)
      threads.emplace_back([&links, first, kThreads] {
        for (std::size_t i = first; i < links.size(); i += kThreads) links[i].reset();
      });
    for (std::thread& thread : threads) thread.join();
    links.clear();
  };
  close_all(entry_links_);
  close_all(return_links_);
  exits_.clear();
}

Result<bool> has_seccomp_filter(pid_t pid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", living_thread(pid)));
  if (!status) return status.error();
  std::size_t at = status->find("\nSeccomp:");
  if (at == std::string::npos) return false;
  return std::strtol(status->c_str() + at + 9, nullptr, 10) != 0;  // 1: strict mode, which filters still more
}

bool shadow_stack_in(std::string_view status) {
  constexpr std::string_view kFeatures = "\nx86_Thread_features:";
  std::size_t at = status.find(kFeatures);
  if (at == std::string_view::npos) return false;
  std::string_view line = status.substr(at + kFeatures.size());
  return line.substr(0, line.find('\n')).find("shstk") != std::string_view::npos;
}

bool has_shadow_stack(pid_t pid) {
  Result<std::string> status = read_file(fmt::format("/proc/{}/status", living_thread(pid)));
  return status && shadow_stack_in(*status);
}

}  // namespace dwell
