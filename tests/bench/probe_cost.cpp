// SPDX-License-Identifier: Apache-2.0
// What probes add to a malloc/free pair, by where they sit and how they are attached: docs/cost-model.md.
//
// One child runs the loop; its own CPU time counts, so a busy machine disturbs little. The BPF programs are
// empty: this is the price of the traps alone.
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "bpf/probe_shapes.h"
#include "probe_selftest.skel.h"
#include "probe_selftest_session_context.skel.h"
#include "probe_selftest_session_plain.skel.h"
#include "userspace/probes/plan.h"
#include "userspace/probes/session_form.h"

namespace dwell {
namespace {

constexpr int kPairs = 20000, kBatches = 7;

void* (*volatile allocate)(std::size_t) = malloc;
void (*volatile release)(void*) = free;

double pair_ns() {
  double best = 1e12;
  for (int batch = 0; batch < kBatches; ++batch) {
    timespec begin, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (int i = 0; i < kPairs; ++i) release(allocate(16 + (i & 255)));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    double ns = static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 + static_cast<double>(end.tv_nsec - begin.tv_nsec);
    best = std::min(best, ns / kPairs);
  }
  return best;
}

// The process that is traced: answers each byte with the price of a pair.
class Loop {
 public:
  Loop() {
    if (pipe(to_) != 0 || pipe(from_) != 0) return;
    pid_ = fork();
    if (pid_ != 0) return;
    close(to_[1]);
    char byte;
    while (read(to_[0], &byte, 1) == 1) {
      double ns = pair_ns();
      if (write(from_[1], &ns, sizeof ns) != sizeof ns) break;
    }
    _exit(0);
  }
  ~Loop() {
    close(to_[1]);
    waitpid(pid_, nullptr, 0);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  pid_t pid() const { return pid_; }
  double measure() {
    double ns = 0;
    bool told = write(to_[1], "!", 1) == 1 && read(from_[0], &ns, sizeof ns) == sizeof ns;
    return told ? ns : 0;
  }

 private:
  int to_[2] = {-1, -1}, from_[2] = {-1, -1};
  pid_t pid_ = -1;
};

struct SkeletonDeleter {
  void operator()(probe_selftest* skeleton) const { probe_selftest__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<probe_selftest, SkeletonDeleter>;

Skeleton load(AttachMethod method) {
  Skeleton skeleton(DWELL_OPEN_IN_SESSION_FORM(probe_selftest, session_form_for(method)));
  for (bpf_program* program : {skeleton->progs.on_entry, skeleton->progs.on_session, skeleton->progs.on_return})
    bpf_program__set_autoload(program, false);
  set_probe_role(skeleton->progs.empty_entry, ProbeRole::kEntry, method);
  set_probe_role(skeleton->progs.empty_session, ProbeRole::kSession, method);
  set_probe_role(skeleton->progs.empty_return, ProbeRole::kReturn, method);
  return probe_selftest__load(skeleton.get()) == 0 ? std::move(skeleton) : nullptr;
}

enum class Where { kPlanned, kFirstInstruction, kPlannedNotSampled };

std::vector<ProbeSite> sites(const std::vector<PlannedProbe>& probes, Where where) {
  std::vector<ProbeSite> result;
  for (const PlannedProbe& probe : probes) {
    if (probe.function.name != "malloc" && probe.function.name != "free") continue;
    ProbeSite site = probe.site;
    if (where == Where::kFirstInstruction) site.candidates = {{probe.function.file_offset, site.candidates[0].cookie}};
    if (where == Where::kPlannedNotSampled)  // the session's entry then answers that it wants no return
      for (ProbeSite::Candidate& candidate : site.candidates) candidate.cookie &= ~(std::uint64_t{DWELL_PROBE_RETURNS} << 40);
    result.push_back(std::move(site));
  }
  return result;
}

double with_probes(Loop& loop, AttachMethod method, const std::vector<ProbeSite>& where) {
  Skeleton skeleton = load(method);
  if (!skeleton) return 0;
  ProbeLinks links(method,
                   {bpf_program__fd(skeleton->progs.empty_entry), bpf_program__fd(skeleton->progs.empty_session),
                    bpf_program__fd(skeleton->progs.empty_return)},
                   loop.pid());
  return links.attach(where) ? loop.measure() : 0;
}

double now_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void print_attach_times(const Loop& loop, const std::vector<PlannedProbe>& probes) {
  fmt::print("\n| {} probes | attach ms | detach ms |\n|---|---|---|\n", sites_of(probes).size());
  for (AttachMethod method : {AttachMethod::kSession, AttachMethod::kMulti, AttachMethod::kPerf}) {
    Skeleton skeleton = load(method);
    if (!skeleton) continue;
    ProbeLinks links(method,
                     {bpf_program__fd(skeleton->progs.empty_entry), bpf_program__fd(skeleton->progs.empty_session),
                      bpf_program__fd(skeleton->progs.empty_return)},
                     loop.pid());
    double begin = now_ms();
    bool attached = static_cast<bool>(links.attach(sites_of(probes)));
    double middle = now_ms();
    links.detach();
    if (attached) fmt::print("| {} | {:.1f} | {:.0f} |\n", attach_method_name(method), middle - begin, now_ms() - middle);
  }
}

int run() {
  Loop loop;
  Result<Calibration> calibration = calibrate();
  Result<std::vector<Mapping>> mappings = read_maps(loop.pid());
  if (!calibration || !mappings) return 1;
  Result<AllocatorSet> allocators = find_allocators(loop.pid(), *mappings);
  if (!allocators) {
    fmt::print(stderr, "{}\n", allocators.error().what);
    return 1;
  }
  std::vector<PlannedProbe> probes = plan_all(*allocators, *calibration, {});
  for (const PlannedProbe& probe : probes)
    if (probe.function.name == "malloc" || probe.function.name == "free")
      fmt::print("{} +{:#x}  {}  {}\n", probe.function.name, probe.chosen().offset, probe.chosen().instruction,
                 trap_class_name(probe.chosen().trap));

  double without = loop.measure();
  fmt::print("\n| probes on malloc and free | ns a pair | added |\n|---|---|---|\n| none | {:.0f} | |\n", without);
  struct Row {
    const char* name;
    AttachMethod method;
    Where where;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"planned, uprobe session", AttachMethod::kSession, Where::kPlanned},
           {"planned, uprobe session, allocation not sampled", AttachMethod::kSession, Where::kPlannedNotSampled},
           {"planned, uprobe_multi entry and return", AttachMethod::kMulti, Where::kPlanned},
           {"planned, perf uprobes", AttachMethod::kPerf, Where::kPlanned},
           {"first instruction, uprobe_multi", AttachMethod::kMulti, Where::kFirstInstruction},
           {"first instruction, perf uprobes", AttachMethod::kPerf, Where::kFirstInstruction}}) {
    double ns = with_probes(loop, row.method, sites(probes, row.where));
    if (ns > 0) fmt::print("| {} | {:.0f} | {:.0f} |\n", row.name, ns, ns - without);
  }
  print_attach_times(loop, probes);
  return 0;
}

}  // namespace
}  // namespace dwell

int main() { return dwell::run(); }
