// SPDX-License-Identifier: Apache-2.0
// One system call attaches many probes, and one that the kernel refuses must not take the others along.
#include "userspace/probes/attach.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "bpf/probe_shapes.h"
#include "probe_selftest.skel.h"
#include "probe_selftest_session_context.skel.h"
#include "probe_selftest_session_plain.skel.h"
#include "symbolizer/proc_maps.h"
#include "userspace/base/clock.h"
#include "userspace/base/files.h"
#include "userspace/probes/random_start.h"
#include "userspace/probes/session_form.h"

// The kernel refuses probes on instructions with a lock prefix.
asm(R"(
.pushsection .text
test_site_plain:
  push %rbp
  pop %rbp
  ret
test_site_locked:
  lock incl -4(%rsp)
test_site_locked_then_plain:
  push %rbp
  pop %rbp
  ret
.popsection
)");
extern "C" {
void test_site_plain();
void test_site_locked();
void test_site_locked_then_plain();
}

namespace dwell {
namespace {

using ::testing::HasSubstr;

struct SkeletonDeleter {
  void operator()(probe_selftest* skeleton) const { probe_selftest__destroy(skeleton); }
};

class Attach : public testing::TestWithParam<AttachMethod> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    AttachMethod method = GetParam();
    skeleton_.reset(DWELL_OPEN_IN_SESSION_FORM(probe_selftest, session_form_for(method)));
    set_probe_role(skeleton_->progs.on_entry, ProbeRole::kEntry, method);
    set_probe_role(skeleton_->progs.on_session, ProbeRole::kSession, method);
    set_probe_role(skeleton_->progs.on_return, ProbeRole::kReturn, method);
    for (bpf_program* unused :
         {skeleton_->progs.empty_entry, skeleton_->progs.empty_session, skeleton_->progs.empty_return})
      bpf_program__set_autoload(unused, false);
    if (probe_selftest__load(skeleton_.get()) != 0) GTEST_SKIP() << "this kernel has no " << attach_method_name(method);
    Result<std::vector<Mapping>> mappings = read_maps(getpid());
    ASSERT_TRUE(mappings);
    std::uint64_t address = reinterpret_cast<std::uint64_t>(&test_site_plain);
    for (const Mapping& mapping : *mappings)
      if (address >= mapping.start && address < mapping.end) text_ = mapping;
    links_ = std::make_unique<ProbeLinks>(
        method,
        ProbePrograms{bpf_program__fd(skeleton_->progs.on_entry), bpf_program__fd(skeleton_->progs.on_session),
                      bpf_program__fd(skeleton_->progs.on_return)},
        getpid());
  }

  ProbeSite site(unsigned index, bool returns, std::vector<void (*)()> functions) {
    ProbeSite result{.path = "/proc/self/exe", .name = "site " + std::to_string(index), .returns = returns, .candidates = {}};
    for (void (*function)() : functions)
      result.candidates.push_back({reinterpret_cast<std::uint64_t>(function) - text_.start + text_.file_offset,
                                   dwell_probe_cookie(DWELL_SHAPE_SIZE_ARG0, index, 8, returns ? DWELL_PROBE_RETURNS : 0)});
    return result;
  }

  std::unique_ptr<probe_selftest, SkeletonDeleter> skeleton_;
  Mapping text_{};
  std::unique_ptr<ProbeLinks> links_;
};

// Else what happens each fourth millisecond in a process, say, would lie in all windows or in none.
TEST_P(Attach, ProbesCanBeInPlaceAtAnyMomentBetweenTwoTicksOfTheKernel) {
  if (GetParam() == AttachMethod::kPerf) GTEST_SKIP() << "windows are too short for probes that are attached one by one";
  timespec tick{};
  ASSERT_EQ(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
  constexpr int kTimes = 40, kQuarters = 4;
  RandomStart start(7);
  std::vector<int> met(kQuarters);
  for (int i = 0; i < kTimes; ++i) {
    start.wait(*links_);
    ASSERT_TRUE(links_->attach({site(0, false, {test_site_plain})}));
    std::uint64_t length_ns = static_cast<std::uint64_t>(tick.tv_nsec);
    ++met[monotonic_ns() % length_ns * kQuarters / length_ns];
    links_->detach();
  }
  EXPECT_THAT(met, testing::Each(testing::Ge(2)));
}

TEST_P(Attach, OneThatIsRefusedDoesNotTakeTheOthersAlong) {
  std::vector<ProbeSite> sites;
  for (unsigned index = 0; index < 8; ++index) sites.push_back(site(index, index % 2, {test_site_plain}));
  sites[2] = site(2, false, {test_site_locked});
  sites[5] = site(5, true, {test_site_locked});
  sites[6] = site(6, false, {test_site_locked, test_site_locked_then_plain});
  sites[7] = site(7, true, {test_site_locked, test_site_locked_then_plain});
  Result<std::vector<AttachedSite>> attached = links_->attach(sites);
  ASSERT_TRUE(attached) << attached.error().what;

  for (unsigned index : {0u, 1u, 3u, 4u}) EXPECT_EQ((*attached)[index].candidate, 0) << (*attached)[index].failure;
  for (unsigned index : {6u, 7u}) EXPECT_EQ((*attached)[index].candidate, 1) << (*attached)[index].failure;
  for (unsigned index : {2u, 5u}) {
    EXPECT_EQ((*attached)[index].candidate, -1);
    EXPECT_THAT((*attached)[index].failure, HasSubstr("site " + std::to_string(index)));
  }

  test_site_plain();
  test_site_locked();
  const auto& counts = *skeleton_->bss;
  for (unsigned index = 0; index < 8; ++index) {
    bool is_attached = (*attached)[index].candidate >= 0;
    EXPECT_EQ(counts.entries[index], is_attached ? 1u : 0u) << index;
    EXPECT_EQ(counts.returns[index], is_attached && sites[index].returns ? 1u : 0u) << index;
  }
}

TEST_P(Attach, NoneAtAllIsAnError) {
  Result<std::vector<AttachedSite>> attached = links_->attach({site(1, false, {test_site_locked})});
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().what, HasSubstr("attach site 1"));
  EXPECT_EQ(attached.error().exit, Exit::kUnsupported);

  ProbeSite elsewhere = site(1, false, {test_site_plain});
  elsewhere.path = "/no/such/file";
  ASSERT_FALSE(links_->attach({elsewhere}));
  EXPECT_EQ(links_->link_count(), 0u);
}

TEST_P(Attach, MoreCanBeAddedAndAllGoTogether) {
  ASSERT_TRUE(links_->attach({site(1, true, {test_site_plain})}));
  ASSERT_TRUE(links_->attach({site(2, false, {test_site_plain})}));
  test_site_plain();
  links_->detach();
  test_site_plain();
  EXPECT_EQ(skeleton_->bss->entries[1], 1u);
  EXPECT_EQ(skeleton_->bss->returns[1], 1u);
  EXPECT_EQ(skeleton_->bss->entries[2], 1u);
}

// The target goes on while its probes are placed, one file and one side after the other.
TEST_P(Attach, NothingBeginsBeforeItsEndCanBeSeen) {
  std::atomic<bool> stop = false;
  std::thread target([&] {
    while (!stop) {
      test_site_plain();             // as malloc
      test_site_locked_then_plain(); // as free
    }
  });
  Result<std::vector<AttachedSite>> attached =
      links_->attach({site(1, true, {test_site_plain}), site(2, false, {test_site_locked_then_plain})});
  EXPECT_TRUE(attached);
  while (attached && *static_cast<const volatile __u64*>(&skeleton_->bss->entries[1]) < 100) std::this_thread::yield();
  stop = true;
  target.join();
  EXPECT_GE(skeleton_->bss->entries[2], skeleton_->bss->entries[1]);
}

TEST_P(Attach, TheCodeIsAsItWasAfterwards) {
  const auto* code = reinterpret_cast<const unsigned char*>(&test_site_plain);
  ASSERT_EQ(code[0], 0x55);
  ASSERT_TRUE(links_->attach({site(1, false, {test_site_plain})}));
  EXPECT_EQ(code[0], 0xcc);
  links_->detach();
  EXPECT_EQ(code[0], 0x55);
}

std::string method_name(const testing::TestParamInfo<AttachMethod>& method) {
  static constexpr const char* kNames[] = {"Session", "Multi", "Perf"};
  return kNames[static_cast<int>(method.param)];
}
INSTANTIATE_TEST_SUITE_P(Probes, Attach,
                         testing::Values(AttachMethod::kSession, AttachMethod::kMulti, AttachMethod::kPerf), method_name);

// ---- filters ----

TEST(Seccomp, AFilterIsSeen) {
  Result<bool> own = has_seccomp_filter(getpid());
  ASSERT_TRUE(own);
  EXPECT_FALSE(has_seccomp_filter(-1));
}

}  // namespace
}  // namespace dwell
