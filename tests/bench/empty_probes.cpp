// SPDX-License-Identifier: Apache-2.0
// Puts an empty program where dwell would put its own: what remains of the cost is the trap, and no tool that
// attaches to these functions can be cheaper. Holds the probes until its standard input ends.
//
//   empty_probes PID
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "empty.skel.h"
#include "symbolizer/proc_maps.h"
#include "userspace/probes/calibrate.h"
#include "userspace/probes/plan.h"

namespace dwell {
namespace {

Result<void> hold(pid_t pid) {
  Result<Calibration> calibration = calibrate();
  if (!calibration) return calibration.error();
  Result<std::vector<Mapping>> mappings = read_maps(pid);
  if (!mappings) return mappings.error();
  Result<AllocatorSet> allocators = find_allocators(pid, *mappings);
  if (!allocators) return allocators.error();
  std::vector<PlannedProbe> probes = plan_all(*allocators, *calibration, {});

  AttachMethod method = *calibration->abilities.best;
  std::unique_ptr<::empty, decltype(&empty__destroy)> skeleton(empty__open(), empty__destroy);
  if (!skeleton) return system_error("open the empty programs", errno);
  struct {
    bpf_program* program;
    ProbeRole role;
  } roles[] = {{skeleton->progs.on_call, ProbeRole::kSession},
               {skeleton->progs.on_entry, ProbeRole::kEntry},
               {skeleton->progs.on_return, ProbeRole::kReturn}};
  for (auto& [program, role] : roles) {
    bpf_program__set_autoload(program, role_needed(role, method));
    set_probe_role(program, role, method);
  }
  if (int err = empty__load(skeleton.get())) return system_error("load the empty programs", -err);
  auto fd = [](bpf_program* program) { return bpf_program__autoload(program) ? bpf_program__fd(program) : -1; };
  ProbeLinks links(method, {fd(roles[1].program), fd(roles[0].program), fd(roles[2].program)}, pid);
  Result<std::vector<AttachedSite>> attached = links.attach(sites_of(probes));
  if (!attached) return attached.error();
  fmt::print("attached\n");
  std::fflush(stdout);
  char ignored;
  while (::read(STDIN_FILENO, &ignored, 1) > 0) {
  }
  return {};
}

}  // namespace
}  // namespace dwell

int main(int argc, char** argv) {
  dwell::Result<void> held = dwell::hold(argc > 1 ? std::atoi(argv[1]) : 0);
  if (held) return 0;
  fmt::print(stderr, "empty_probes: {}\n", held.error().what);
  return 1;
}
