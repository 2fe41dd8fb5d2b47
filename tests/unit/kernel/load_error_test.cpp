// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/load_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kDoing = "load the BPF programs for blocked time";
constexpr const char* kKernel = "6.1.0-50-cloud-amd64";
const CapabilitySets kRoot{~0ull, ~0ull, true};
const CapabilitySets kNobody{0, ~0ull, true};

TEST(LoadError, ARefusalOfTheVerifierIsNeverExplainedByPrivilegesThatAreThere) {
  BpfComplaint said{"on_waking", "R3 unbounded memory access", "", "prog 'on_waking': BPF program load failed"};
  Error error = explain_bpf_failure(kDoing, EACCES, said, kRoot, kKernel);
  EXPECT_EQ(error.exit, Exit::kUnsupported);
  EXPECT_EQ(error.what,
            "load the BPF programs for blocked time: the verifier of Linux 6.1.0-50-cloud-amd64 refuses on_waking: R3 "
            "unbounded memory access");
  EXPECT_THAT(error.hint, HasSubstr("-v"));
  EXPECT_THAT(error.hint, HasSubstr("report"));
  EXPECT_THAT(error.hint, Not(HasSubstr("root")));
}

TEST(LoadError, TooLargeAProgramIsARefusalToo) {
  BpfComplaint said{"on_tick", "BPF program is too large. Processed 1000001 insn", "", "prog 'on_tick': ..."};
  Error error = explain_bpf_failure(kDoing, E2BIG, said, kRoot, "7.3.4");
  EXPECT_EQ(error.exit, Exit::kUnsupported);
  EXPECT_THAT(error.what, HasSubstr("refuses on_tick: BPF program is too large"));
}

TEST(LoadError, MissingPrivilegesAreToldAsSuchOnlyWhereTheyAreMissing) {
  for (int number : {EPERM, EACCES}) {
    Error missing = explain_bpf_failure(kDoing, number, {}, kNobody, kKernel);
    EXPECT_EQ(missing.exit, Exit::kNotPermitted);
    EXPECT_THAT(missing.hint, HasSubstr("CAP_BPF and CAP_PERFMON"));
    Error held = explain_bpf_failure(kDoing, number, {}, kRoot, kKernel);
    EXPECT_EQ(held.exit, Exit::kNotPermitted);
    EXPECT_THAT(held.hint, HasSubstr("dwell holds"));
    EXPECT_THAT(held.hint, Not(HasSubstr("run as root")));
  }
}

TEST(LoadError, WhatTheKernelDoesNotHaveIsNamed) {
  Error field = explain_bpf_failure(kDoing, EINVAL, {"look", "failed", "struct task_struct.robust_list", ""}, kRoot, "7.3.4");
  EXPECT_EQ(field.exit, Exit::kUnsupported);
  EXPECT_THAT(field.what, HasSubstr("Linux 7.3.4 have no struct task_struct.robust_list that fits"));
  Error function = explain_bpf_failure(
      kDoing, EINVAL, {"", "", "", "extern (func ksym) 'bpf_session_is_return': func_proto [15] incompatible with kernel [36512]"},
      kRoot, "7.3.4");
  EXPECT_EQ(function.exit, Exit::kUnsupported);
  EXPECT_THAT(function.what, HasSubstr("bpf_session_is_return"));
}

TEST(LoadError, AnyOtherFailureQuotesLibbpf) {
  Error error = explain_bpf_failure(kDoing, ENOMEM, {"", "", "", "failed to create map"}, kRoot, kKernel);
  EXPECT_EQ(error.exit, Exit::kFailed);
  EXPECT_THAT(error.what, HasSubstr("Cannot allocate memory (failed to create map)"));
}

}  // namespace
}  // namespace dwell
