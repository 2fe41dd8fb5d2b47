// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/privileges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/base/files.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHost = "         0          0 4294967295\n";

CapabilitySets with(const char* effective, const char* bounding = "000001ffffffffff", const char* map = kHost) {
  return parse_capability_sets(
      std::string("Name:\tdwell\nCapEff:\t") + effective + "\nCapBnd:\t" + bounding + "\n", map);
}

std::vector<std::string> missing_names(const CapabilitySets& sets) {
  std::vector<std::string> names;
  for (const Privilege& privilege : missing_privileges(sets)) names.emplace_back(privilege.name);
  return names;
}

TEST(Privileges, RootMissesNothingAndNobodyMissesAll) {
  EXPECT_THAT(missing_names(with("000001ffffffffff")), ::testing::IsEmpty());
  EXPECT_EQ(missing_names(with("0000000000000000")).size(), privileges().size());
}

TEST(Privileges, TheAdministratorsCapabilityStandsForSomeOfThemOnly) {
  CapabilitySets admin = with("0000000000200000");
  EXPECT_TRUE(admin.holds(Capability::kBpf));
  EXPECT_TRUE(admin.holds(Capability::kCheckpointRestore));
  EXPECT_FALSE(admin.holds(Capability::kSysPtrace)) << "a container with SYS_ADMIN alone cannot look at other users";
  EXPECT_THAT(missing_names(admin), ::testing::ElementsAre("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYSLOG"));
}

TEST(Privileges, AHintNamesWhatIsMissingAndNothingElse) {
  CapabilitySets bpf_only = with("0000008000000000");
  std::string hint = privilege_hint({Capability::kBpf, Capability::kPerfmon, Capability::kSysPtrace}, bpf_only);
  EXPECT_THAT(hint, HasSubstr("grant CAP_PERFMON and CAP_SYS_PTRACE;"));
  EXPECT_THAT(hint, Not(HasSubstr("CAP_BPF")));
}

TEST(Privileges, ARefusalIsNotExplainedByWhatIsThere) {
  std::string hint = privilege_hint({Capability::kBpf}, with("000001ffffffffff"));
  EXPECT_THAT(hint, Not(HasSubstr("root")));
  EXPECT_THAT(hint, HasSubstr("security module"));
}

// Kernels that have nothing else open perf uprobes for the administrator's capability alone.
TEST(Privileges, PerfUprobesNeedOneMore) {
  CapabilitySets listed = with("000001c000080000");
  std::string hint = privilege_hint({Capability::kBpf, Capability::kPerfmon, Capability::kSysAdmin}, listed);
  EXPECT_THAT(hint, HasSubstr("grant CAP_SYS_ADMIN;"));
  EXPECT_THAT(hint, Not(HasSubstr("security module")));
  std::vector<Privilege> missing = missing_privileges(with("000001c400080004"), true);
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].capability, Capability::kSysAdmin);
  EXPECT_THAT(setcap_advice(true), HasSubstr(",cap_syslog,cap_sys_admin=ep"));
  EXPECT_THAT(setcap_advice(), Not(HasSubstr("cap_sys_admin")));
}

TEST(Privileges, WhatAContainerExcludesCannotBeGrantedInIt) {
  CapabilitySets container = with("00000000a80425fb", "00000000a80425fb");
  for (const Privilege& privilege : missing_privileges(container)) EXPECT_FALSE(can_be_granted(container, privilege));
  EXPECT_THAT(privilege_hint({Capability::kBpf}, container), HasSubstr("--cap-add"));
}

TEST(Privileges, ThoseOfAUserNamespaceDoNotCount) {
  CapabilitySets own = with("000001ffffffffff", "000001ffffffffff", "         0       1000          1\n");
  EXPECT_FALSE(own.initial_namespace);
  EXPECT_THAT(privilege_hint({Capability::kBpf}, own), HasSubstr("user namespace"));
}

TEST(Privileges, TheAdviceGivesThemToAGroupAndNotToEverybody) {
  std::string advice = setcap_advice();
  EXPECT_THAT(advice, HasSubstr("chown root:dwell"));
  EXPECT_THAT(advice, HasSubstr("chmod 0750"));
  EXPECT_LT(advice.find("chmod 0750"), advice.find("setcap")) << "closed before it is given any";
  EXPECT_THAT(advice, HasSubstr("cap_bpf,cap_perfmon,cap_sys_ptrace,cap_checkpoint_restore"));
}

TEST(Privileges, TheDocumentationHasTheSameList) {
  for (const char* page : {"/docs/security.md", "/docs/man/dwell.1"}) {
    Result<std::string> text = read_file(std::string(DWELL_SOURCE_DIR) + page);
    ASSERT_TRUE(text) << page;
    for (const Privilege& privilege : privileges()) EXPECT_THAT(*text, HasSubstr(privilege.name)) << page;
    EXPECT_THAT(*text, HasSubstr(perf_uprobe_privilege().name)) << page;
    EXPECT_THAT(*text, HasSubstr("chmod 0750")) << page;
  }
}

}  // namespace
}  // namespace dwell
