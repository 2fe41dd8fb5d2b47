// SPDX-License-Identifier: Apache-2.0
// Probes come and go under a busy process, and whoever holds them is killed at any moment: the process must
// not notice, and its code must be what its files say.
#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "probe_selftest.skel.h"
#include "probe_selftest_session_context.skel.h"
#include "probe_selftest_session_plain.skel.h"
#include "userspace/probes/plan.h"
#include "userspace/probes/session_form.h"

namespace dwell {
namespace {

constexpr int kThreads = 3, kRounds = 40, kKills = 25;

struct Shared {
  std::atomic<std::uint64_t> blocks{0};
  std::atomic<bool> corrupt{false};
};

void* (*volatile allocate)(std::size_t) = malloc;
void* (*volatile reallocate)(void*, std::size_t) = realloc;
void (*volatile release)(void*) = free;

void allocate_forever(Shared& shared) {
  unsigned char fill = 1;
  for (;;) {
    std::size_t size = 16 + fill;
    auto* block = static_cast<unsigned char*>(allocate(size));
    std::memset(block, fill, size);
    block = static_cast<unsigned char*>(reallocate(block, size * 3));
    for (std::size_t i = 0; i < size; ++i)
      if (block[i] != fill) shared.corrupt = true;
    release(block);
    ++fill;
    ++shared.blocks;
  }
}

// A process whose threads do nothing but allocate, check, and free.
class Busy {
 public:
  Busy() {
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared_ = new (memory) Shared;
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 1; i < kThreads; ++i) std::thread([this] { allocate_forever(*shared_); }).detach();
    allocate_forever(*shared_);
  }
  ~Busy() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    munmap(shared_, sizeof(Shared));
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

  pid_t pid() const { return pid_; }
  std::uint64_t blocks() const { return shared_->blocks; }
  bool is_sound() const { return !shared_->corrupt && waitpid(pid_, nullptr, WNOHANG) == 0; }
  // Whether it gets on with its work.
  bool advances() const {
    std::uint64_t before = blocks();
    for (int i = 0; i < 5000; ++i) {
      if (blocks() > before + 100) return true;
      usleep(1000);
    }
    return false;
  }

 private:
  Shared* shared_;
  pid_t pid_ = -1;
};

struct SkeletonDeleter {
  void operator()(probe_selftest* skeleton) const { probe_selftest__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<probe_selftest, SkeletonDeleter>;

Skeleton load(AttachMethod method) {
  Skeleton skeleton(DWELL_OPEN_IN_SESSION_FORM(probe_selftest, session_form_for(method)));
  for (bpf_program* program :
       {skeleton->progs.empty_entry, skeleton->progs.empty_session, skeleton->progs.empty_return})
    bpf_program__set_autoload(program, false);
  set_probe_role(skeleton->progs.on_entry, ProbeRole::kEntry, method);
  set_probe_role(skeleton->progs.on_session, ProbeRole::kSession, method);
  set_probe_role(skeleton->progs.on_return, ProbeRole::kReturn, method);
  return probe_selftest__load(skeleton.get()) == 0 ? std::move(skeleton) : nullptr;
}

ProbePrograms programs_of(const Skeleton& skeleton) {
  return {bpf_program__fd(skeleton->progs.on_entry), bpf_program__fd(skeleton->progs.on_session),
          bpf_program__fd(skeleton->progs.on_return)};
}

class Churn : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Result<Calibration> calibration = calibrate();
    ASSERT_TRUE(calibration) << calibration.error().what;
    if (!calibration->abilities.best) GTEST_SKIP() << calibration->abilities.why_not_perf;
    method_ = *calibration->abilities.best;
    busy_ = std::make_unique<Busy>();
    Result<std::vector<Mapping>> mappings = read_maps(busy_->pid());
    ASSERT_TRUE(mappings) << mappings.error().what;
    Result<AllocatorSet> allocators = find_allocators(busy_->pid(), *mappings);
    ASSERT_TRUE(allocators) << allocators.error().what;
    probes_ = plan_all(*allocators, *calibration, {});
    mappings_ = std::move(*mappings);
  }

  // The probed functions whose code in memory is not that of their file.
  std::vector<std::string> changed_functions() const {
    std::vector<std::string> changed;
    UniqueFd memory(open(fmt::format("/proc/{}/mem", busy_->pid()).c_str(), O_RDONLY));
    for (const PlannedProbe& probe : probes_) {
      for (const Mapping& mapping : mappings_) {
        std::uint64_t offset = probe.function.file_offset;
        if (mapping.path != probe.module || !mapping.executable || offset < mapping.file_offset ||
            offset >= mapping.file_offset + (mapping.end - mapping.start))
          continue;
        unsigned char live[32], original[32];
        UniqueFd file(open(probe.site.path.c_str(), O_RDONLY));
        std::uint64_t address = mapping.start + (offset - mapping.file_offset);
        bool read = pread(memory.get(), live, sizeof live, static_cast<off_t>(address)) == sizeof live &&
                    pread(file.get(), original, sizeof original, static_cast<off_t>(offset)) == sizeof original;
        if (!read || std::memcmp(live, original, sizeof live) != 0) changed.push_back(probe.function.name);
      }
    }
    return changed;
  }

  // The kernel takes the probes of a killed process away in its own time, a few grace periods later.
  void expect_clean_code() const {
    for (int i = 0; i < 10000 && !changed_functions().empty(); ++i) usleep(1000);
    EXPECT_THAT(changed_functions(), testing::IsEmpty());
  }

  AttachMethod method_{};
  std::unique_ptr<Busy> busy_;
  std::vector<PlannedProbe> probes_;
  std::vector<Mapping> mappings_;
};

TEST_F(Churn, ABusyProcessDoesNotNoticeProbesThatComeAndGo) {
  Skeleton skeleton = load(method_);
  ASSERT_TRUE(skeleton);
  for (int round = 0; round < kRounds; ++round) {
    ProbeLinks links(method_, programs_of(skeleton), busy_->pid());
    Result<std::vector<AttachedSite>> attached = links.attach(sites_of(probes_));
    ASSERT_TRUE(attached) << attached.error().what;
    ASSERT_TRUE(busy_->advances()) << "round " << round;
    ASSERT_TRUE(busy_->is_sound()) << "round " << round;
  }
  expect_clean_code();
  EXPECT_TRUE(busy_->advances());
}

TEST_F(Churn, WhoHoldsTheProbesMayBeKilledAtAnyMoment) {
  std::mt19937 random(20250101);
  for (int round = 0; round < kKills; ++round) {
    pid_t tracer = fork();
    if (tracer == 0) {
      for (;;) {
        Skeleton skeleton = load(method_);
        if (!skeleton) _exit(1);
        ProbeLinks links(method_, programs_of(skeleton), busy_->pid());
        if (!links.attach(sites_of(probes_))) _exit(1);
      }
    }
    usleep(random() % 60000);
    kill(tracer, SIGKILL);
    int status = 0;
    waitpid(tracer, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it could not attach";
    // Killed in the middle of the attaching system call, the kernel (6.18) can leave breakpoints behind that
    // nobody listens to: the process pays for them, and is right. So its work is looked at, not its code.
    ASSERT_TRUE(busy_->is_sound()) << "round " << round;
  }
  EXPECT_TRUE(busy_->advances());
}

}  // namespace
}  // namespace dwell
