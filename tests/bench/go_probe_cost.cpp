// SPDX-License-Identifier: Apache-2.0
// What a probe on a function of Go adds to a call, where dwell puts it, and at the function's first
// instruction. The BPF program is empty: this is the price of the trap.
//
//   go_probe_cost TARGET...     builds of tests/targets/go/paces.go
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "empty.skel.h"
#include "userspace/go/record/probes.h"

namespace dwell {
namespace {

// The target: answers a name with what a call of it takes.
class Paces {
 public:
  explicit Paces(const char* path) {
    int to[2], from[2];
    if (::pipe(to) || ::pipe(from)) std::exit(1);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      ::close(to[1]);
      ::execl(path, path, nullptr);
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_ = to[1];
    out_ = ::fdopen(from[0], "r");
    line();
  }
  ~Paces() {
    ::close(in_);
    ::waitpid(pid_, nullptr, 0);
    std::fclose(out_);
  }
  Paces(const Paces&) = delete;
  Paces& operator=(const Paces&) = delete;

  pid_t pid() const { return pid_; }
  double ns(const std::string& name) {
    std::string request = name + "\n";
    if (::write(in_, request.data(), request.size()) < 0) return 0;
    return std::strtod(line().c_str(), nullptr);
  }

 private:
  std::string line() {
    char text[128] = "";
    return std::fgets(text, sizeof text, out_) ? text : "";
  }
  pid_t pid_;
  int in_;
  FILE* out_;
};

struct Measured {
  const char* work;
  std::string_view function;
};
constexpr Measured kMeasured[] = {
    {"park", "runtime.gopark"},
    {"park", "runtime.execute"},
    {"contend", "sync.(*Mutex).lockSlow"},
    {"contend", "internal/sync.(*Mutex).lockSlow"},
    {"spawn", "runtime.newproc1"},
    {"cancel", "context.propagateCancel"},
    {"cancel", "context.(*cancelCtx).propagateCancel"},
    {"cancel", "context.(*cancelCtx).cancel"},
};

double with_probe(Paces& paces, const Measured& measured, AttachMethod method, int program,
                  std::uint64_t offset, const GoProbe& probe) {
  ProbeLinks links(method, {program, -1, -1}, paces.pid());
  ProbeSite site = probe.site(1, 1);
  site.candidates = {{offset, 0}};
  Result<std::vector<AttachedSite>> attached = links.attach({site});
  if (!attached || attached->at(0).candidate < 0) return 0;
  return paces.ns(measured.work);
}

int run(int argc, char** argv) {
  Result<Calibration> calibration = calibrate();
  if (!calibration) return 1;
  AttachMethod method = go_probe_method(*calibration);
  std::unique_ptr<::empty, decltype(&empty__destroy)> skeleton(empty__open(), empty__destroy);
  for (bpf_program* other : {skeleton->progs.on_call, skeleton->progs.on_return})
    bpf_program__set_autoload(other, false);
  set_probe_role(skeleton->progs.on_entry, ProbeRole::kEntry, method);
  if (empty__load(skeleton.get())) return 1;
  int program = bpf_program__fd(skeleton->progs.on_entry);

  fmt::print(
      "| Go | function | call ns | probe at | adds ns | first instruction | adds ns | ratio |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (int i = 1; i < argc; ++i) {
    Paces paces(argv[i]);
    Result<GoRuntime> runtime = GoRuntime::attach(paces.pid());
    if (!runtime) return 1;
    for (const Measured& measured : kMeasured) {
      std::vector<GoProbe> probes =
          find_go_probes(runtime->module(), std::span(&measured.function, 1), *calibration);
      const GoProbe& probe = probes[0];
      if (!probe.found()) continue;
      std::string entry(16, '\0');
      if (!runtime->memory().read(probe.address, entry.data(), entry.size())) continue;
      GoPlacement first = go_entry({std::as_bytes(std::span(entry)), probe.address, false},
                                   calibration->traps(), calibration->prices);
      double plain = paces.ns(measured.work);
      double there = with_probe(paces, measured, method, program,
                                probe.file_offset + probe.placements[0].offset, probe) -
                     plain;
      double at_entry = with_probe(paces, measured, method, program, probe.file_offset, probe) - plain;
      fmt::print("| {} | {} | {:.0f} | `{}` | {:.0f} | `{}` | {:.0f} | {:.1f} |\n", runtime->module().version,
                 measured.function, plain, probe.placements[0].instruction, there, first.instruction,
                 at_entry, at_entry / there);
    }
  }
  return 0;
}

}  // namespace
}  // namespace dwell

int main(int argc, char** argv) { return dwell::run(argc, argv); }
