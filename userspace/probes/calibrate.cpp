// SPDX-License-Identifier: Apache-2.0
#include "userspace/probes/calibrate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>
#include <type_traits>

#include "bpf/probe_shapes.h"
#include "probe_selftest.skel.h"
#include "probe_selftest_session_context.skel.h"
#include "probe_selftest_session_plain.skel.h"
#include "symbolizer/proc_maps.h"
#include "userspace/base/clock.h"
#include "userspace/base/unique_fd.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/kernel/kernel_types.h"
#include "userspace/kernel/load_error.h"
#include "userspace/probes/pid_namespace.h"
#include "userspace/probes/session_form.h"
#include "userspace/process/surroundings.h"

// The functions that are probed. Each begins with the instruction whose price is asked for, and none shares
// a page with another's end: a five-byte nop must not cross one.
asm(R"(
.pushsection .text
.p2align 6
dwell_site_counted:
  push %rbp
  pop %rbp
  ret
.p2align 4
dwell_site_counted_stepped:
  test %rdi, %rdi
  ret
.p2align 4
dwell_site_nop5:
  .byte 0x0f, 0x1f, 0x44, 0x00, 0x00
  ret
.p2align 4
dwell_site_nop4:
  .byte 0x0f, 0x1f, 0x40, 0x00
  ret
.p2align 4
dwell_site_push:
  push %rbp
  pop %rbp
  ret
.p2align 4
dwell_site_push_return:
  push %rbp
  pop %rbp
  ret
.p2align 4
dwell_site_stepped:
  test %rdi, %rdi
  ret
.popsection
)");
extern "C" {
void dwell_site_counted();
void dwell_site_counted_stepped();
void dwell_site_nop5();
void dwell_site_nop4();
void dwell_site_push();
void dwell_site_push_return();
void dwell_site_stepped();
}

namespace dwell {

namespace {

using Function = void (*)();

constexpr unsigned kCounted = 1, kCountedStepped = 2;  // probe indexes

struct SkeletonDeleter {
  void operator()(probe_selftest* skeleton) const { probe_selftest__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<probe_selftest, SkeletonDeleter>;

Result<Skeleton> load_selftest(AttachMethod method) {
  Skeleton skeleton(DWELL_OPEN_IN_SESSION_FORM(probe_selftest, session_form_for(method)));
  if (!skeleton) return load_error("the probe self-test", errno);
  for (bpf_program* program : {skeleton->progs.on_entry, skeleton->progs.empty_entry})
    set_probe_role(program, ProbeRole::kEntry, method);
  bpf_program__set_autoload(skeleton->progs.on_exit, false);
  for (bpf_program* program : {skeleton->progs.on_return, skeleton->progs.empty_return})
    set_probe_role(program, ProbeRole::kReturn, method);
  for (bpf_program* program : {skeleton->progs.on_session, skeleton->progs.empty_session})
    set_probe_role(program, ProbeRole::kSession, method);
  if (Result<void> told = tell_pid_namespace(skeleton->obj); !told) return told.error();
  skeleton->rodata->expected_tgid = static_cast<std::uint32_t>(getpid());
  int error = probe_selftest__load(skeleton.get());
  if (error) return load_error("the probe self-test", -error);
  return skeleton;
}

// Where our own code lies in our own file.
struct OwnText {
  std::string path;
  std::uint64_t start, file_offset;

  std::uint64_t offset_of(Function function) const {
    return reinterpret_cast<std::uint64_t>(function) - start + file_offset;
  }
};
Result<OwnText> find_own_text() {
  Result<std::vector<Mapping>> mappings = read_maps(getpid());
  if (!mappings) return mappings.error();
  std::uint64_t address = reinterpret_cast<std::uint64_t>(&dwell_site_push);
  for (const Mapping& mapping : *mappings) {
    if (address < mapping.start || address >= mapping.end) continue;
    Result<std::string> path = path_to_open(getpid(), mapping);
    if (!path) return path.error();
    return OwnText{std::move(*path), mapping.start, mapping.file_offset};
  }
  return Error{"find dwell's own code in its memory map", {}, Exit::kFailed};
}

ProbeSite own_site(const OwnText& text, Function function, unsigned index, bool returns) {
  std::uint64_t cookie = dwell_probe_cookie(DWELL_SHAPE_SIZE_ARG0, index, 8, returns ? DWELL_PROBE_RETURNS : 0);
  return {.path = text.path,
          .name = fmt::format("self-test function {}", index),
          .returns = returns,
          .candidates = {{text.offset_of(function), cookie}}};
}

// The best of several batches: what disturbs only ever adds.
double price_of(Function function, int calls) {
  constexpr int kBatches = 6;
  double best = 1e12;
  for (int batch = 0; batch < kBatches; ++batch) {
    std::uint64_t begin = monotonic_ns();
    for (int i = 0; i < calls; ++i) function();
    best = std::min(best, static_cast<double>(monotonic_ns() - begin) / calls);
  }
  return best;
}

struct Prices {
  double nop5, nop4, push, push_return, stepped;
};
Prices measure() {
  return {price_of(dwell_site_nop5, 150), price_of(dwell_site_nop4, 50), price_of(dwell_site_push, 150),
          price_of(dwell_site_push_return, 100), price_of(dwell_site_stepped, 40)};
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  bool is_open() const { return read_end.valid(); }
  UniqueFd read_end, write_end;
};

// A child of ours that waits for a byte, calls the counted function, and goes.
class OtherProcess {
 public:
  OtherProcess() : pid_(go_.is_open() ? fork() : -1) {
    if (pid_ != 0) return;
    char byte;
    go_.write_end.reset();
    if (read(go_.read_end.get(), &byte, 1) == 1) dwell_site_counted();
    _exit(0);
  }
  ~OtherProcess() {
    go_.write_end.reset();
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  bool call() {
    if (pid_ <= 0 || write(go_.write_end.get(), "!", 1) != 1) return false;
    pid_t child = std::exchange(pid_, -1);
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status);
  }

 private:
  Pipe go_;
  pid_t pid_;
};

struct Trial {
  bool pid_filter_exact;
  Prices without, with;
  double between_ns;  // of a call with its return: what lies between the two programs
};

// The median of some calls of our own.
double measure_between(const probe_selftest& skeleton) {
  std::array<std::uint64_t, std::extent_v<decltype(skeleton.bss->between_ns)>> times;
  for (std::size_t i = 0; i < times.size(); ++i) dwell_site_counted();
  std::ranges::copy(skeleton.bss->between_ns, times.begin());
  auto middle = times.begin() + times.size() / 2;
  std::ranges::nth_element(times, middle);
  return static_cast<double>(*middle);
}

Error wrong_count(const char* what, std::uint64_t expected, std::uint64_t got) {
  return {fmt::format("the self-test saw {} {} of {}", got, what, expected), {}, Exit::kUnsupported};
}

// Three calls of our own, two of them in another thread, and one of another process.
Result<bool> count_calls(const probe_selftest& skeleton, OtherProcess& other) {
  dwell_site_counted();
  std::thread([] {
    dwell_site_counted();
    dwell_site_counted();
  }).join();
  dwell_site_counted_stepped();
  bool called = other.call();
  const auto& counts = *skeleton.bss;
  if (counts.entries[kCounted] != 3) return wrong_count("entries", 3, counts.entries[kCounted]);
  if (counts.returns[kCounted] != 3) return wrong_count("returns", 3, counts.returns[kCounted]);
  if (counts.entries[kCountedStepped] != 1) return wrong_count("single-stepped entries", 1, counts.entries[kCountedStepped]);
  if (counts.returns[kCountedStepped] != 0) return wrong_count("unwanted returns", 0, counts.returns[kCountedStepped]);
  return called && counts.foreign == 0;
}

Result<Trial> try_method(AttachMethod method, const OwnText& text) {
  Result<Skeleton> loaded = load_selftest(method);
  if (!loaded) return loaded.error();
  const probe_selftest& skeleton = **loaded;
  auto fd = [](const bpf_program* program) { return bpf_program__fd(program); };

  Trial trial{};
  trial.without = measure();
  OtherProcess other;

  ProbeLinks counting(method, {fd(skeleton.progs.on_entry), fd(skeleton.progs.on_session), fd(skeleton.progs.on_return)},
                      getpid());
  ProbeLinks priced(method,
                    {fd(skeleton.progs.empty_entry), fd(skeleton.progs.empty_session), fd(skeleton.progs.empty_return)},
                    getpid());
  Result<std::vector<AttachedSite>> attached =
      counting.attach({own_site(text, dwell_site_counted, kCounted, true),
                       own_site(text, dwell_site_counted_stepped, kCountedStepped, false)});
  if (!attached) return attached.error();
  Result<bool> exact = count_calls(skeleton, other);
  if (!exact) return exact.error();
  trial.pid_filter_exact = *exact;

  attached = priced.attach(
      {own_site(text, dwell_site_nop5, 3, false), own_site(text, dwell_site_nop4, 4, false),
       own_site(text, dwell_site_push, 5, false), own_site(text, dwell_site_push_return, 6, true),
       own_site(text, dwell_site_stepped, 7, false)});
  if (!attached) return attached.error();
  trial.with = measure();
  trial.between_ns = measure_between(skeleton);
  // Both wait for the kernel to be done with their programs: together rather than one after the other.
  std::thread closing([&] { counting.detach(); });
  priced.detach();
  closing.join();
  return trial;
}

void use(const Trial& trial, AttachMethod method, Calibration& calibration) {
  auto added = [&](double Prices::*price) { return std::max(0.0, trial.with.*price - trial.without.*price); };
  double push = added(&Prices::push), stepped = added(&Prices::stepped);
  double nop5 = added(&Prices::nop5), nop4 = added(&Prices::nop4);

  calibration.abilities.best = method;
  calibration.abilities.pid_filter_exact = trial.pid_filter_exact;
  // A call instead of a trap is told from an emulated nop by its price alone.
  calibration.abilities.nop5_is_a_call = nop5 < 0.85 * push;
  calibration.abilities.long_nops_emulated = nop4 < (push + stepped) / 2;
  calibration.prices.entry_ns[static_cast<int>(TrapClass::kNop5)] = nop5;
  calibration.prices.entry_ns[static_cast<int>(TrapClass::kEmulated)] = push;
  calibration.prices.entry_ns[static_cast<int>(TrapClass::kStepped)] = stepped;
  calibration.prices.return_ns = std::max(0.0, added(&Prices::push_return) - push);
  if (trial.between_ns > 0) calibration.prices.uneven_ns = std::max(0.0, added(&Prices::push_return) - 2 * trial.between_ns);
}

std::string& why_not(ProbeAbilities& abilities, AttachMethod method) {
  switch (method) {
    case AttachMethod::kSession:
      return abilities.why_not_session;
    case AttachMethod::kMulti:
      return abilities.why_not_multi;
    case AttachMethod::kPerf:
      break;
  }
  return abilities.why_not_perf;
}

// What the kernel says of itself, so that nothing is tried that it cannot have.
Result<void> expect_method(AttachMethod method) {
  if (!kernel_types()) return {};
  if (method == AttachMethod::kSession && session_form() == SessionForm::kNone)
    return Error{"needs Linux 6.13", {}, Exit::kUnsupported};
  if (method == AttachMethod::kMulti && !kernel_has_struct("bpf_uprobe_multi_link"))
    return Error{"needs Linux 6.6", {}, Exit::kUnsupported};
  return {};
}

}  // namespace

Error Calibration::why_no_probes() const {
  Error why = failure.value_or(Error{"no way to attach a probe was tried", {}, Exit::kUnsupported});
  return why.because_of("attach a probe to a function of our own");
}

Result<Calibration> calibrate(std::optional<AttachMethod> only) {
  if (Result<void> usable = expect_bpf_surroundings("load BPF programs"); !usable) return usable.error();
  Result<OwnText> text = find_own_text();
  if (!text) return text.error().because_of("calibrate probes");
  listen_to_libbpf();
  Calibration calibration;
  for (AttachMethod method : {AttachMethod::kSession, AttachMethod::kMulti, AttachMethod::kPerf}) {
    if (only && *only != method) continue;
    Result<void> expected = expect_method(method);
    Result<Trial> trial = expected ? try_method(method, *text) : Result<Trial>(expected.error());
    if (trial) {
      use(*trial, method, calibration);
      break;
    }
    why_not(calibration.abilities, method) = trial.error().what;
    calibration.failure = trial.error();
  }
  return calibration;
}

namespace {

// As container runtimes filter: what is not on the list gets EPERM, and return probes' own system call is on
// nobody's list.
bool install_unaware_filter() {
  constexpr std::uint32_t kOffset = offsetof(seccomp_data, nr);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{std::size(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Whether a filtered child survives calling `function` under a probe. The child says after its calls that it
// is still itself.
enum class Fate { kAlive, kDead, kUntried };
Fate fate_of_filtered_child(AttachMethod method, const OwnText& text, Function function, bool returns) {
  Result<Skeleton> loaded = load_selftest(method);
  Pipe go, done;
  if (!loaded || !go.is_open() || !done.is_open()) return Fate::kUntried;
  pid_t child = fork();
  if (child < 0) return Fate::kUntried;
  if (child == 0) {
    char byte;
    go.write_end.reset();
    if (read(go.read_end.get(), &byte, 1) != 1 || !install_unaware_filter()) _exit(2);
    // Several calls: the kernel changes a nop to a call only once it has been hit.
    for (int i = 0; i < 8; ++i) function();
    syscall(SYS_write, done.write_end.get(), "!", 1);
    _exit(0);
  }
  done.write_end.reset();
  const probe_selftest& skeleton = **loaded;
  ProbeLinks links(method,
                   {bpf_program__fd(skeleton.progs.empty_entry), bpf_program__fd(skeleton.progs.empty_session),
                    bpf_program__fd(skeleton.progs.empty_return)},
                   child);
  Fate fate = Fate::kUntried;
  if (links.attach({own_site(text, function, 1, returns)}) && write(go.write_end.get(), "!", 1) == 1) {
    char byte;
    fate = read(done.read_end.get(), &byte, 1) == 1 ? Fate::kAlive : Fate::kDead;
  }
  go.write_end.reset();
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) fate = Fate::kUntried;
  return fate;
}

}  // namespace

Result<ProbeSite> idle_site() {
  Result<OwnText> text = find_own_text();
  if (!text) return text.error();
  return own_site(*text, dwell_site_counted, kCounted, false);
}

SeccompAnswer try_seccomp(AttachMethod method) {
  Result<OwnText> text = find_own_text();
  if (!text) return SeccompAnswer::kUnknown;
  listen_to_libbpf();
  Fate returns = fate_of_filtered_child(method, *text, dwell_site_push_return, true);
  Fate nop5 = fate_of_filtered_child(method, *text, dwell_site_nop5, false);
  if (returns == Fate::kUntried || nop5 == Fate::kUntried) return SeccompAnswer::kUnknown;
  if (returns == Fate::kDead) return SeccompAnswer::kKilledByReturns;
  return nop5 == Fate::kDead ? SeccompAnswer::kKilledByNop5 : SeccompAnswer::kSurvives;
}

}  // namespace dwell
