// SPDX-License-Identifier: Apache-2.0
// Real probes on real allocators: as many hits as calls, with the right argument in its register and the
// return address where the plan says that it is.
#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>

#include "probe_selftest.skel.h"
#include "probe_selftest_session_context.skel.h"
#include "probe_selftest_session_plain.skel.h"
#include "userspace/probes/doctor.h"
#include "userspace/probes/plan.h"
#include "userspace/probes/session_form.h"

namespace dwell {
namespace {

constexpr int kCalls = 37;

class Target {
 public:
  Target(const std::string& program, const std::string& preload) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      if (!preload.empty()) setenv("LD_PRELOAD", preload.c_str(), 1);
      execl(program.c_str(), program.c_str(), nullptr);
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_.reset(in[1]);
    from_.reset(out[0]);
  }
  ~Target() {
    to_.reset();
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  pid_t pid() const { return pid_; }
  char answer() {
    char byte = 0;
    return read(from_.get(), &byte, 1) == 1 ? byte : '\0';
  }
  char call(const std::string& operation, const std::string& function, int count) {
    std::string line = fmt::format("{} {} {}\n", operation, function, count);
    if (write(to_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 0;
    return answer();
  }

 private:
  pid_t pid_ = -1;
  UniqueFd to_, from_;
};

const char* operation_of(dwell_probe_shape shape) {
  static const std::map<dwell_probe_shape, const char*> kOperations = {
      {DWELL_SHAPE_SIZE_ARG0, "size0"},          {DWELL_SHAPE_SIZE_ARG1, "size1"},
      {DWELL_SHAPE_PRODUCT_ARG0_ARG1, "product0"}, {DWELL_SHAPE_PRODUCT_ARG1_ARG2, "product1"},
      {DWELL_SHAPE_MEMALIGN_OUT, "out"},         {DWELL_SHAPE_REALLOC_ARG0_ARG1, "realloc0"},
      {DWELL_SHAPE_REALLOC_ARG1_ARG2, "realloc1"}, {DWELL_SHAPE_REALLOCARRAY, "array0"},
      {DWELL_SHAPE_REALLOCARRAY_ARG1, "array1"}, {DWELL_SHAPE_REALLOCF, "realloc0"},
      {DWELL_SHAPE_XALLOCX, "xallocx"},          {DWELL_SHAPE_FREE_ARG0, "free"},
      {DWELL_SHAPE_MMAP, "mmap"},                {DWELL_SHAPE_MUNMAP, "munmap"},
      {DWELL_SHAPE_MREMAP, "mremap"},            {DWELL_SHAPE_BRK, "brk"},
      {DWELL_SHAPE_SBRK, "sbrk"}};
  return kOperations.at(shape);
}

// As call_target.c does it.
std::uint64_t asked_for(dwell_probe_shape shape) {
  switch (shape) {
    case DWELL_SHAPE_FREE_ARG0:
    case DWELL_SHAPE_BRK:
    case DWELL_SHAPE_SBRK:
      return 0;
    case DWELL_SHAPE_MMAP:
    case DWELL_SHAPE_MUNMAP:
    case DWELL_SHAPE_MREMAP:
      return 8192;
    default:
      return 128;
  }
}

struct SkeletonDeleter {
  void operator()(probe_selftest* skeleton) const { probe_selftest__destroy(skeleton); }
};

struct Case {
  const char* name;
  const char* program;
  const char* preload;
  const char* module;  // the one to test, by the name of the allocator in it
  AttachMethod method;
};

class Hits : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    const Case& test = GetParam();
    if (access(test.program, X_OK) != 0) GTEST_SKIP() << test.program << " was not built: no compiler for it";
    if (*test.preload && access(test.preload, R_OK) != 0) GTEST_SKIP() << test.preload << " is not installed";
    target_ = std::make_unique<Target>(test.program, test.preload);
    ASSERT_EQ(target_->answer(), '+');
    attach();
  }

  void attach() {
    Result<Calibration> calibration = calibrate(GetParam().method);
    ASSERT_TRUE(calibration) << calibration.error().what;
    if (!calibration->abilities.best) GTEST_SKIP() << "this kernel has no " << attach_method_name(GetParam().method);
    Result<std::vector<Mapping>> mappings = read_maps(target_->pid());
    ASSERT_TRUE(mappings) << mappings.error().what;
    Result<AllocatorSet> allocators = find_allocators(target_->pid(), *mappings);
    ASSERT_TRUE(allocators) << allocators.error().what;
    EXPECT_THAT(allocators->notes, testing::IsEmpty());
    for (AllocModule& module : allocators->modules)
      if (module.allocator == GetParam().module) module_ = module;
    ASSERT_FALSE(module_.functions.empty()) << "no " << GetParam().module;
    for (const Mapping& mapping : *mappings)
      if (mapping.executable && mapping.path.ends_with(GetParam().program)) program_ = mapping;

    probes_ = plan_module(module_, *calibration, {});
    skeleton_.reset(DWELL_OPEN_IN_SESSION_FORM(probe_selftest, session_form_for(GetParam().method)));
    set_probe_role(skeleton_->progs.on_entry, ProbeRole::kEntry, GetParam().method);
    set_probe_role(skeleton_->progs.on_exit, ProbeRole::kEntry, GetParam().method);
    set_probe_role(skeleton_->progs.on_session, ProbeRole::kSession, GetParam().method);
    set_probe_role(skeleton_->progs.on_return, ProbeRole::kReturn, GetParam().method);
    for (bpf_program* program :
         {skeleton_->progs.empty_entry, skeleton_->progs.empty_session, skeleton_->progs.empty_return})
      bpf_program__set_autoload(program, false);
    skeleton_->rodata->expected_tgid = static_cast<unsigned>(target_->pid());
    ASSERT_EQ(probe_selftest__load(skeleton_.get()), 0);
    ProbePrograms programs{bpf_program__fd(skeleton_->progs.on_entry), bpf_program__fd(skeleton_->progs.on_session),
                           bpf_program__fd(skeleton_->progs.on_return), bpf_program__fd(skeleton_->progs.on_exit)};
    links_ = std::make_unique<ProbeLinks>(GetParam().method, programs, target_->pid());
    Result<std::vector<AttachedSite>> attached = links_->attach(sites_of(probes_));
    ASSERT_TRUE(attached) << attached.error().what;
    note_attached(probes_, *attached);
  }

  // The probe that sees calls of this function, through whatever hands them on.
  const PlannedProbe* probe_of(std::string name) {
    for (int hops = 0; hops < 16; ++hops) {
      auto is_called = [&](const auto& function) {
        return function.name == name ||
               std::find(function.aliases.begin(), function.aliases.end(), name) != function.aliases.end();
      };
      for (const PlannedProbe& probe : probes_)
        if (is_called(probe.function)) return &probe;
      auto skipped = std::find_if(module_.skipped.begin(), module_.skipped.end(), is_called);
      if (skipped == module_.skipped.end()) return nullptr;
      name = skipped->forwards_to;
    }
    return nullptr;
  }

  std::uint64_t entries(const PlannedProbe& probe) { return skeleton_->bss->entries[probe.index]; }
  std::uint64_t returns(const PlannedProbe& probe) { return skeleton_->bss->returns[probe.index]; }

  void expect_one_hit_a_call(const std::string& function, dwell_probe_shape shape) {
    const PlannedProbe* probe = probe_of(function);
    ASSERT_NE(probe, nullptr) << function;
    // What it works on: fresh blocks, of a size and alignment that every way to free them agrees with.
    if (shape >= DWELL_SHAPE_REALLOC_ARG0_ARG1 && shape <= DWELL_SHAPE_FREE_ARG0) {
      ASSERT_EQ(target_->call("out", "posix_memalign", kCalls), '.');
    }
    if (shape == DWELL_SHAPE_MUNMAP || shape == DWELL_SHAPE_MREMAP) {
      ASSERT_EQ(target_->call("mmap", "mmap", kCalls), '.');
    }

    std::uint64_t entries_before = entries(*probe), returns_before = returns(*probe);
    if (target_->call(operation_of(shape), function, kCalls) != '.') return;  // not callable by name from outside
    EXPECT_EQ(entries(*probe) - entries_before, kCalls) << function;
    // Code at which several functions return is hit by calls of all of them, and counts for the first.
    if (probe->end != CallEnd::kExits) {
      EXPECT_EQ(returns(*probe) - returns_before, probe->end == CallEnd::kReturnProbe ? kCalls : 0) << function;
    }
    if (probe->function.name == function) {
      std::uint64_t return_address = skeleton_->bss->last_return[probe->index];
      EXPECT_GE(return_address, program_.start) << function << " " << probe->chosen().instruction;
      EXPECT_LT(return_address, program_.end) << function << " " << probe->chosen().instruction;
      EXPECT_EQ(skeleton_->bss->last_size[probe->index], asked_for(shape)) << function << " " << probe->chosen().instruction;
    }
    ++tested_;
  }

  std::unique_ptr<Target> target_;
  AllocModule module_;
  Mapping program_{};
  std::vector<PlannedProbe> probes_;
  std::unique_ptr<probe_selftest, SkeletonDeleter> skeleton_;
  std::unique_ptr<ProbeLinks> links_;
  int tested_ = 0;
};

TEST_P(Hits, EqualCalls) {
  std::vector<std::pair<std::string, dwell_probe_shape>> functions;
  for (const PlannedProbe& probe : probes_) {
    EXPECT_EQ(probe.refusal, "") << probe.function.name;
    functions.emplace_back(probe.function.name, probe.function.shape);
  }
  for (const SkippedFunction& function : module_.skipped)
    if (alloc_name(function.name).shape != DWELL_SHAPE_NONE)
      functions.emplace_back(function.name, alloc_name(function.name).shape);
  for (const auto& [name, shape] : functions) expect_one_hit_a_call(name, shape);
  EXPECT_GE(tested_, 8);
  EXPECT_EQ(skeleton_->bss->foreign, 0u);
}

TEST_P(Hits, NoneIsLeftBehind) {
  const PlannedProbe* probe = probe_of("malloc");
  ASSERT_NE(probe, nullptr);
  ASSERT_EQ(target_->call("size0", "malloc", kCalls), '.');
  std::uint64_t before = entries(*probe);
  EXPECT_GE(before, static_cast<std::uint64_t>(kCalls));
  links_->detach();
  EXPECT_EQ(links_->link_count(), 0u);
  ASSERT_EQ(target_->call("size0", "malloc", kCalls), '.');
  EXPECT_EQ(entries(*probe), before);
}

std::string case_name(const testing::TestParamInfo<Case>& test) { return test.param.name; }

#define LIBRARY(name) "/usr/lib/x86_64-linux-gnu/" name
INSTANTIATE_TEST_SUITE_P(
    Probes, Hits,
    testing::Values(Case{"GlibcSession", CALL_TARGET, "", "glibc", AttachMethod::kSession},
                    Case{"GlibcMulti", CALL_TARGET, "", "glibc", AttachMethod::kMulti},
                    Case{"GlibcPerf", CALL_TARGET, "", "glibc", AttachMethod::kPerf},
                    Case{"Jemalloc", CALL_TARGET, LIBRARY("libjemalloc.so.2"), "jemalloc", AttachMethod::kSession},
                    Case{"Tcmalloc", CALL_TARGET, LIBRARY("libtcmalloc_minimal.so.4"), "tcmalloc", AttachMethod::kSession},
                    Case{"Mimalloc", CALL_TARGET, LIBRARY("libmimalloc.so.2.0"), "mimalloc", AttachMethod::kSession},
                    Case{"GlibcStatic", CALL_TARGET_STATIC, "", "glibc", AttachMethod::kSession},
                    Case{"Musl", CALL_TARGET_MUSL, "", "musl", AttachMethod::kSession},
                    Case{"MuslStatic", CALL_TARGET_MUSL_STATIC, "", "musl", AttachMethod::kSession}),
    case_name);

}  // namespace
}  // namespace dwell
