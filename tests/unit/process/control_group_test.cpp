// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/control_group.h"

#include <gmock/gmock.h>

#include "userspace/process/find_process.h"

namespace dwell {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kDocker(64, 'a'), kPodman = "b0b1" + std::string(60, 'b'), kPod = "c0ffee00" + std::string(56, 'c'), kCrio = "d00d" + std::string(60, '1'),
                  kPlain = "e1e2" + std::string(60, 'e');

// As the runtimes name them, with systemd's driver and without.
const std::vector<std::string> kGroups = {
    "/system.slice",
    "/system.slice/nginx.service",
    "/system.slice/nginx-debug.service",
    "/system.slice/postgresql.service",
    "/system.slice/system-postgresql.slice",
    "/system.slice/system-postgresql.slice/postgresql@15-main.service",
    "/system.slice/docker-" + kDocker + ".scope",
    "/system.slice/docker-" + kDocker + ".scope/init.scope",
    "/machine.slice",
    "/machine.slice/libpod-" + kPodman + ".scope",
    "/machine.slice/libpod-" + kPodman + ".scope/container",
    "/machine.slice/libpod-conmon-" + kPodman + ".scope",
    "/machine.slice/machine-builder.scope",
    "/kubepods.slice/kubepods-burstable.slice",
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice",
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice/cri-containerd-" + kPod + ".scope",
    "/kubepods/besteffort/pod99999999-1111-2222-3333-444455556666",
    "/kubepods/besteffort/pod99999999-1111-2222-3333-444455556666/" + kPlain,
    "/kubepods.slice/crio-" + kCrio + ".scope",
    "/kubepods.slice/crio-conmon-" + kCrio + ".scope",
    "/lxc.payload.web",
    "/user.slice/user-1000.slice/session-2.scope",
};

TEST(ControlGroup, AUnitIsCalledByItsNameWithOrWithoutItsType) {
  EXPECT_THAT(groups_called("nginx.service", kGroups), ElementsAre("/system.slice/nginx.service"));
  EXPECT_THAT(groups_called("nginx", kGroups), ElementsAre("/system.slice/nginx.service"));
  EXPECT_THAT(groups_called("postgresql@15-main", kGroups), ElementsAre("/system.slice/system-postgresql.slice/postgresql@15-main.service"));
  EXPECT_THAT(groups_called("session-2", kGroups), ElementsAre("/user.slice/user-1000.slice/session-2.scope"));
  EXPECT_THAT(groups_called("ngin", kGroups), IsEmpty()) << "a beginning of a name is no name";
}

TEST(ControlGroup, AContainerIsFoundByItsIdOrTheBeginningOfIt) {
  EXPECT_THAT(groups_called(kDocker, kGroups), ElementsAre("/system.slice/docker-" + kDocker + ".scope")) << "the outermost";
  EXPECT_THAT(groups_called("aaaaaaaaaaaa", kGroups), ElementsAre("/system.slice/docker-" + kDocker + ".scope"));
  EXPECT_THAT(groups_called("b0b1", kGroups), ElementsAre("/machine.slice/libpod-" + kPodman + ".scope")) << "not its monitor";
  EXPECT_THAT(groups_called("c0ffee00", kGroups), ElementsAre(kGroups[15]));
  EXPECT_THAT(groups_called("d00d1111", kGroups), ElementsAre("/kubepods.slice/crio-" + kCrio + ".scope"));
  EXPECT_THAT(groups_called(kPlain.substr(0, 12), kGroups), ElementsAre(kGroups[17]));
  EXPECT_THAT(groups_called("b0b", kGroups), IsEmpty()) << "three digits are a word";
  EXPECT_THAT(groups_called("b0b2", kGroups), IsEmpty());
}

TEST(ControlGroup, APodByItsUid) {
  EXPECT_THAT(groups_called("0a1b2c3d-1111-2222-3333-444455556666", kGroups), ElementsAre(kGroups[14]));
  EXPECT_THAT(groups_called("99999999-1111-2222-3333-444455556666", kGroups), ElementsAre(kGroups[16]));
}

TEST(ControlGroup, OtherContainersByTheirNames) {
  EXPECT_THAT(groups_called("web", kGroups), ElementsAre("/lxc.payload.web"));
  EXPECT_THAT(groups_called("builder", kGroups), ElementsAre("/machine.slice/machine-builder.scope"));
}

TEST(ControlGroup, SeveralOfOneBeginningAreAllTold) {
  std::vector<std::string> groups = {"/docker/" + std::string(64, '1'), "/docker/" + std::string(63, '1') + "2"};
  EXPECT_EQ(groups_called("1111", groups).size(), 2u);
}

TEST(ProcessTree, IsARootWithAllBelowItAndWithoutUs) {
  const std::vector<NamedProcess> machine = {{1, 0, "systemd"}, {10, 1, "sshd"},  {11, 10, "bash"},  {12, 11, "dwell"}, {13, 12, "parser"},
                                             {20, 11, "nginx"}, {21, 20, "nginx"}, {22, 21, "helper"}, {30, 1, "nginx"}};
  EXPECT_THAT(tree_of({20}, machine, 12), ElementsAre(20, 21, 22));
  EXPECT_THAT(tree_of({11}, machine, 12), ElementsAre(11, 20, 21, 22)) << "dwell and what works for it is no part of it";
  EXPECT_THAT(tree_of({21, 20}, machine, 12), ElementsAre(21, 20, 22)) << "each once";
  EXPECT_THAT(tree_of({99}, machine, 12), ElementsAre(99));
  EXPECT_THAT(all_called("nginx", machine), ElementsAre(20, 21, 30));
  EXPECT_THAT(all_called("apache2", machine), IsEmpty());
}

}  // namespace
}  // namespace dwell
