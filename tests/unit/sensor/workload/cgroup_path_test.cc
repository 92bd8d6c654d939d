// SPDX-License-Identifier: Apache-2.0
#include "sensor/workload/cgroup_path.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kentry {
namespace {

const std::string kA = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kB = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const std::string kUuid = "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9";
const std::string kUuidInSlice = "1b2c3d4e_5f60_4718_8293_a4b5c6d7e8f9";
const std::string kUuid2 = "99999999-8888-4777-8666-555555555555";
const std::string kHash = "3b6c1f0e9d8a7b6c5d4e3f2a1b0c9d8e";  // a static pod's
const std::string kBuildStep = "jvifp9a6b1lxa1kuw8bwfcovf";

struct Row {
  const char* name;
  std::string path;
  Runtime runtime;
  std::string id;
  std::string pod;
};

class CgroupPathTest : public testing::TestWithParam<Row> {};

TEST_P(CgroupPathTest, NamesRuntimeContainerAndPod) {
  const Row& row = GetParam();
  const ContainerRef ref = ParseCgroupPath(row.path);
  EXPECT_EQ(RuntimeName(ref.runtime), RuntimeName(row.runtime));
  EXPECT_EQ(ref.id, row.id);
  EXPECT_EQ(ref.pod_uid.view(), row.pod);
  EXPECT_EQ(ref.depth, row.id.empty() ? 0 : 1);
  EXPECT_EQ(ref.outer_id, ref.id);
  EXPECT_EQ(ref.outer_runtime, ref.runtime);
}

TEST_P(CgroupPathTest, ChildrenBelongToTheSameContainer) {
  const Row& row = GetParam();
  for (const char* child : {"/init.scope", "/system.slice/ssh.service", "/user.slice", "/a/b/c"}) {
    if (row.id.empty()) {
      continue;  // "/lxc" and the like: a child may be the container
    }
    const std::string path = row.path + child;
    const ContainerRef ref = ParseCgroupPath(path);
    EXPECT_EQ(ref.runtime, row.runtime) << path;
    EXPECT_EQ(ref.id, row.id) << path;
    EXPECT_EQ(ref.pod_uid.view(), row.pod) << path;
  }
}

std::string Burstable(const std::string& uid) {
  return "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uid + ".slice";
}

const std::string kUserManager = "/user.slice/user-1000.slice/user@1000.service";

std::vector<Row> DockerRows() {
  using enum Runtime;
  return {
      {"DockerSystemd", "/system.slice/docker-" + kA + ".scope", kDocker, kA, ""},
      {"DockerCgroupfs", "/docker/" + kA, kDocker, kA, ""},
      {"DockerCgroupParentSlice", "/batch.slice/docker-" + kA + ".scope", kDocker, kA, ""},
      {"DockerRootless", kUserManager + "/user.slice/docker-" + kA + ".scope", kDocker, kA, ""},
      {"DockerColons", "/system.slice/system.slice:docker:" + kA, kDocker, kA, ""},
      {"DockerBuildStepSystemd", "/system.slice/system.slice:docker:" + kBuildStep, kDocker,
       kBuildStep, ""},
      {"DockerBuildStepCgroupfs", "/docker/" + kBuildStep, kDocker, kBuildStep, ""},
      {"DockerInKubernetes", Burstable(kUuidInSlice) + "/docker-" + kA + ".scope", kDocker, kA,
       kUuid},
  };
}

std::vector<Row> ContainerdRows() {
  using enum Runtime;
  const std::string scope = "/cri-containerd-" + kA + ".scope";
  const std::string colons = ".slice:cri-containerd:" + kA;
  return {
      {"ContainerdBurstable", Burstable(kUuidInSlice) + scope, kContainerd, kA, kUuid},
      {"ContainerdBestEffort",
       "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kUuidInSlice +
           ".slice" + scope,
       kContainerd, kA, kUuid},
      {"ContainerdGuaranteed", "/kubepods.slice/kubepods-pod" + kUuidInSlice + ".slice" + scope,
       kContainerd, kA, kUuid},
      {"ContainerdStaticPod", Burstable(kHash) + scope, kContainerd, kA, kHash},
      {"ContainerdKubeletCgroupRoot",
       "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
       "kubelet-kubepods-burstable-pod" +
           kUuidInSlice + ".slice" + scope,
       kContainerd, kA, kUuid},
      {"ContainerdColonsAtRoot", "/kubepods-burstable-pod" + kUuidInSlice + colons, kContainerd, kA,
       kUuid},
      {"ContainerdColonsInService",
       "/system.slice/containerd.service/kubepods-besteffort-pod" + kUuidInSlice + colons,
       kContainerd, kA, kUuid},
      {"ContainerdColonsStaticPod", "/kubepods-pod" + kHash + colons, kContainerd, kA, kHash},
      {"ContainerdColonsWithoutPod", "/system.slice/system" + colons, kContainerd, kA, ""},
      {"ContainerdNoPodSlice", "/system.slice" + scope, kContainerd, kA, ""},
      {"ContainerdCriNamespace", "/k8s.io/" + kA, kContainerd, kA, ""},
      {"NerdctlSystemd", "/system.slice/nerdctl-" + kA + ".scope", kContainerd, kA, ""},
      {"NerdctlRootless", kUserManager + "/user.slice/nerdctl-" + kA + ".scope", kContainerd, kA,
       ""},
      {"NerdctlColons", "/system.slice/system.slice:nerdctl:" + kA, kContainerd, kA, ""},
      {"NerdctlCgroupfs", "/default/" + kA, kContainerd, kA, ""},
  };
}

std::vector<Row> CrioAndPodmanRows() {
  using enum Runtime;
  return {
      {"CrioSystemd", Burstable(kUuidInSlice) + "/crio-" + kA + ".scope", kCrio, kA, kUuid},
      {"CrioCrunChild", Burstable(kUuidInSlice) + "/crio-" + kA + ".scope/container", kCrio, kA,
       kUuid},
      {"CrioCgroupfs", "/kubepods/besteffort/pod" + kUuid + "/crio-" + kA, kCrio, kA, kUuid},
      {"CrioColons", "/kubepods-burstable-pod" + kUuidInSlice + ".slice:crio:" + kA, kCrio, kA,
       kUuid},
      {"PodmanSystemd", "/machine.slice/libpod-" + kA + ".scope", kPodman, kA, ""},
      {"PodmanCrunChild", "/machine.slice/libpod-" + kA + ".scope/container", kPodman, kA, ""},
      {"PodmanRootless", kUserManager + "/user.slice/libpod-" + kA + ".scope/container", kPodman,
       kA, ""},
      {"PodmanCgroupfs", "/libpod_parent/libpod-" + kA, kPodman, kA, ""},
      {"PodmanColons", "/machine.slice/machine.slice:libpod:" + kA, kPodman, kA, ""},
      {"PodmanPodSystemd",
       "/machine.slice/machine-libpod_pod_" + kB + ".slice/libpod-" + kA + ".scope", kPodman, kA,
       ""},
      {"PodmanPodCgroupfs", "/libpod_parent/" + kB + "/libpod-" + kA, kPodman, kA, ""},
  };
}

std::vector<Row> MachineRows() {
  using enum Runtime;
  return {
      {"NspawnTemplate", "/machine.slice/systemd-nspawn@web.service/payload", kNspawn, "web", ""},
      {"NspawnTemplateV1", "/machine.slice/systemd-nspawn@web-1.service", kNspawn, "web-1", ""},
      {"NspawnTemplateEscaped", "/machine.slice/systemd-nspawn@my\\x2dbox.service/payload/init",
       kNspawn, "my\\x2dbox", ""},
      {"NspawnScope", "/machine.slice/machine-debian.scope/payload", kNspawn, "debian", ""},
      {"NspawnScopeEscaped", "/machine.slice/machine-a\\x2db\\x2dc.scope", kNspawn, "a\\x2db\\x2dc",
       ""},
      {"LxcPayload", "/lxc.payload.web-1", kLxc, "web-1", ""},
      {"LxcPayloadProject", "/lxc.payload.project_web/system.slice/cron.service", kLxc,
       "project_web", ""},
      {"LxcPayloadDirectory", "/lxc.payload/web", kLxc, "web", ""},
      {"LxcOld", "/lxc/101", kLxc, "101", ""},
      {"LxcProxmox", "/lxc/101/ns/init.scope", kLxc, "101", ""},
      {"LxcUnprivileged", kUserManager + "/app.slice/lxc.payload.box", kLxc, "box", ""},
      {"LxcLibvirt", "/machine.slice/machine-lxc\\x2d7\\x2dbox.scope", kLxc, "7\\x2dbox", ""},
  };
}

std::vector<Row> UnknownRuntimeRows() {
  using enum Runtime;
  return {
      {"KubernetesCgroupfsBurstable", "/kubepods/burstable/pod" + kUuid + "/" + kA, kUnknown, kA,
       kUuid},
      {"KubernetesCgroupfsBestEffort", "/kubepods/besteffort/pod" + kUuid + "/" + kA, kUnknown, kA,
       kUuid},
      {"KubernetesCgroupfsGuaranteed", "/kubepods/pod" + kUuid + "/" + kA, kUnknown, kA, kUuid},
      {"KubernetesCgroupfsStaticPod", "/kubepods/burstable/pod" + kHash + "/" + kA, kUnknown, kA,
       kHash},
      {"KubernetesCgroupfsCgroupRoot", "/kubelet/kubepods/pod" + kUuid + "/" + kA, kUnknown, kA,
       kUuid},
      {"EcsTask", "/ecs/0f1e2d3c4b5a69788796a5b4c3d2e1f0/" + kA, kUnknown, kA, ""},
      {"OwnCgroupParent", "/batch/night/" + kA, kUnknown, kA, ""},
      {"ContainerAtRoot", "/" + kA, kUnknown, kA, ""},
      {"WithoutLeadingSlash", "batch/" + kA, kUnknown, kA, ""},
      {"DoubledSlashes", "//batch///" + kA + "//", kUnknown, kA, ""},
  };
}

// Not containers: the host, helpers of runtimes, machines, and what only looks like a container.
std::vector<Row> HostRows() {
  std::string upper = kA;
  upper[10] = 'A';
  const std::vector<std::pair<const char*, std::string>> paths = {
      {"Empty", ""},
      {"Root", "/"},
      {"InitScope", "/init.scope"},
      {"SystemService", "/system.slice/ssh.service"},
      {"DockerDaemon", "/system.slice/docker.service"},
      {"DockerParent", "/docker"},
      {"UserSession", "/user.slice/user-1000.slice/session-3.scope"},
      {"CrioConmonScope", "/system.slice/crio-conmon-" + kA + ".scope"},
      {"CrioConmonCgroupfs", "/crio-conmon-" + kA},
      {"PodmanConmonScope", "/machine.slice/libpod-conmon-" + kA + ".scope"},
      {"PodmanConmonCgroupfs", "/libpod_parent/conmon"},
      {"PodmanPodItself", "/libpod_parent/" + kB},
      {"PodmanPodConmon", "/libpod_parent/" + kB + "/conmon"},
      {"PodmanPodSlice", "/machine.slice/machine-libpod_pod_" + kB + ".slice"},
      {"LxcMonitor", "/lxc.monitor.web"},
      {"LxcMonitorDirectory", "/lxc.monitor/web"},
      {"LxcPayloadWithoutName", "/lxc.payload."},
      {"VirtualMachine", "/machine.slice/machine-qemu\\x2d1\\x2dwin.scope/libvirt/emulator"},
      {"MachineSlice", "/machine.slice"},
      {"MachineWithOtherEscape", "/machine.slice/machine-a\\x2fb.scope"},
      {"MachineWithoutName", "/machine.slice/machine-.scope"},
      {"MachineNameTooLong", "/machine.slice/machine-" + std::string(65, 'a') + ".scope"},
      {"DockerIdOf63", "/docker/" + kA.substr(1)},
      {"DockerIdOf65", "/docker/" + kA + "0"},
      {"DockerShortId", "/system.slice/docker-" + kA.substr(0, 12) + ".scope"},
      {"DockerIdUpperCase", "/system.slice/docker-" + upper + ".scope"},
      {"DockerIdNotHex", "/docker/" + kA.substr(1) + "g"},
      {"DockerService", "/system.slice/docker-" + kA + ".service"},
      {"DockerScopeSuffixed", "/system.slice/docker-" + kA + ".scope.d"},
      {"DockerScopePrefixed", "/system.slice/xdocker-" + kA + ".scope"},
      {"DockerScopeWithoutId", "/system.slice/docker-.scope"},
      {"DockerColonsWithoutSlice", "/system:docker:" + kA},
      {"OtherEngineColons", "/system.slice:other:" + kA},
      {"BuildStepElsewhere", "/builds/" + kBuildStep},
      {"BuildStepOf26", "/docker/" + kBuildStep + "0"},
      {"PodDirectoryElsewhere", "/pods/burstable/pod" + kUuid},
      {"PodQosElsewhere", "/other/burstable/pod" + kUuid},
      {"PodSliceForeign", "/xkubepods.slice/xkubepods-pod" + kUuidInSlice + ".slice"},
      {"PodSliceUidWithDashes", "/kubepods.slice/kubepods-pod" + kUuid + ".slice"},
      {"PodSliceUidUpperCase",
       "/kubepods.slice/kubepods-pod1B2C3D4E_5f60_4718_8293_a4b5c6d7e8f9.slice"},
      {"PodSliceQosUnknown", "/kubepods.slice/kubepods-silver-pod" + kUuidInSlice + ".slice"},
      {"PodDirectoryUidWithUnderscores", "/kubepods/pod" + kUuidInSlice},
  };
  std::vector<Row> rows;
  for (const auto& [name, path] : paths) {
    rows.push_back({name, path, Runtime::kNone, "", ""});
  }
  return rows;
}

std::vector<Row> PodWithoutContainerRows() {
  return {
      {"PodSliceItself", Burstable(kUuidInSlice), Runtime::kNone, "", kUuid},
      {"PodDirectoryItself", "/kubepods/besteffort/pod" + kUuid, Runtime::kNone, "", kUuid},
      {"PodConmon", Burstable(kUuidInSlice) + "/crio-conmon-" + kA + ".scope", Runtime::kNone, "",
       kUuid},
  };
}

std::string RowName(const testing::TestParamInfo<Row>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Docker, CgroupPathTest, testing::ValuesIn(DockerRows()), RowName);
INSTANTIATE_TEST_SUITE_P(Containerd, CgroupPathTest, testing::ValuesIn(ContainerdRows()), RowName);
INSTANTIATE_TEST_SUITE_P(CrioAndPodman, CgroupPathTest, testing::ValuesIn(CrioAndPodmanRows()),
                         RowName);
INSTANTIATE_TEST_SUITE_P(Machine, CgroupPathTest, testing::ValuesIn(MachineRows()), RowName);
INSTANTIATE_TEST_SUITE_P(UnknownRuntime, CgroupPathTest, testing::ValuesIn(UnknownRuntimeRows()),
                         RowName);
INSTANTIATE_TEST_SUITE_P(Host, CgroupPathTest, testing::ValuesIn(HostRows()), RowName);
INSTANTIATE_TEST_SUITE_P(PodWithoutContainer, CgroupPathTest,
                         testing::ValuesIn(PodWithoutContainerRows()), RowName);

TEST(CgroupPathNestingTest, InnermostContainerWinsAndOutermostIsKept) {
  const std::string path = "/docker/" + kA + "/system.slice/docker-" + kB + ".scope";
  const ContainerRef ref = ParseCgroupPath(path);
  EXPECT_EQ(ref.depth, 2);
  EXPECT_EQ(ref.id, kB);
  EXPECT_EQ(ref.outer_id, kA);
}

TEST(CgroupPathNestingTest, KindPodIsTheInnersNotTheNodes) {
  const std::string path =
      "/docker/" + kA + "/kubelet/kubepods/burstable/pod" + kUuid + "/" + kB + "/init.scope";
  const ContainerRef ref = ParseCgroupPath(path);
  EXPECT_EQ(ref.runtime, Runtime::kUnknown);
  EXPECT_EQ(ref.id, kB);
  EXPECT_EQ(ref.pod_uid.view(), kUuid);
  EXPECT_EQ(ref.outer_runtime, Runtime::kDocker);
  EXPECT_EQ(ref.outer_id, kA);
  EXPECT_TRUE(ref.outer_pod_uid.empty());
}

TEST(CgroupPathNestingTest, ContainerStartedInAPodStaysInThatPod) {
  const std::string path =
      Burstable(kUuidInSlice) + "/cri-containerd-" + kA + ".scope/docker/" + kB;
  const ContainerRef ref = ParseCgroupPath(path);
  EXPECT_EQ(ref.runtime, Runtime::kDocker);
  EXPECT_EQ(ref.id, kB);
  EXPECT_EQ(ref.pod_uid.view(), kUuid);
  EXPECT_EQ(ref.outer_pod_uid.view(), kUuid);
}

TEST(CgroupPathNestingTest, ContainerCannotForgeTheOutermostIdentity) {
  const std::string own = Burstable(kUuidInSlice) + "/cri-containerd-" + kA + ".scope";
  const std::string path = own + "/kubepods/pod" + kUuid2 + "/crio-" + kB + "/libpod_parent/" + kB;
  const ContainerRef ref = ParseCgroupPath(path);
  EXPECT_EQ(ref.id, kB);
  EXPECT_EQ(ref.pod_uid.view(), kUuid2);
  EXPECT_EQ(ref.outer_runtime, Runtime::kContainerd);
  EXPECT_EQ(ref.outer_id, kA);
  EXPECT_EQ(ref.outer_pod_uid.view(), kUuid);
}

TEST(CgroupPathNestingTest, HelperOrMachineNameInsideDoesNotLeadOutOfTheContainer) {
  for (const std::string& child :
       {"crio-conmon-" + kB + ".scope", "libpod-conmon-" + kB + ".scope", "libpod_parent/" + kB,
        std::string("machine-qemu\\x2d1\\x2dx.scope"), std::string("supervisor"),
        std::string("..")}) {
    const std::string path = "/system.slice/docker-" + kA + ".scope/" + child;
    EXPECT_EQ(ParseCgroupPath(path).id, kA) << path;
  }
}

TEST(CgroupPathNestingTest, DeepestPossiblePathIsCounted) {
  std::string path;
  while (path.size() < 4096) {
    path += "/lxc/a";
  }
  const ContainerRef ref = ParseCgroupPath(path);
  EXPECT_EQ(ref.depth, path.size() / 6);
  EXPECT_EQ(ref.id.data() + 1, path.data() + path.size());
}

TEST(CgroupPathNestingTest, DepthStopsAtItsTypesLimit) {
  std::string path;
  for (int i = 0; i < 70000; ++i) {
    path += "/lxc/a";
  }
  EXPECT_EQ(ParseCgroupPath(path).depth, 65535);
}

TEST(CgroupPathHostileTest, AnyBytesAreOnlyNames) {
  std::string path = "/docker/" + kA + "/";
  for (int c = 0; c < 256; ++c) {
    path.push_back(static_cast<char>(c));
  }
  EXPECT_EQ(ParseCgroupPath(path).id, kA);
  EXPECT_EQ(ParseCgroupPath(std::string("/lxc/a\nb")).depth, 0);
  EXPECT_EQ(ParseCgroupPath(std::string("/lxc.payload.a\x1b[31m")).depth, 0);
  EXPECT_EQ(ParseCgroupPath(std::string_view("/docker/\0", 9)).depth, 0);
}

TEST(CgroupPathHostileTest, LxcNameLongerThanAnyRuntimesIsNotOne) {
  EXPECT_EQ(ParseCgroupPath("/lxc/" + std::string(128, 'a')).depth, 1);
  EXPECT_EQ(ParseCgroupPath("/lxc/" + std::string(129, 'a')).depth, 0);
}

TEST(ContainerIdTextTest, UndoesTheEscapedDashOnly) {
  EXPECT_EQ(ContainerIdText("my\\x2dbox\\x2d1"), "my-box-1");
  EXPECT_EQ(ContainerIdText(kA), kA);
  EXPECT_EQ(ContainerIdText("\\x2"), "\\x2");
  EXPECT_EQ(ContainerIdText(""), "");
}

TEST(PodUidTest, SamePodHasOneSpellingUnderBothDrivers) {
  const ContainerRef systemd = ParseCgroupPath(Burstable(kUuidInSlice));
  const ContainerRef cgroupfs = ParseCgroupPath("/kubepods/burstable/pod" + kUuid);
  EXPECT_EQ(systemd.pod_uid, cgroupfs.pod_uid);
  EXPECT_NE(systemd.pod_uid, ParseCgroupPath(Burstable(kHash)).pod_uid);
}

}  // namespace
}  // namespace kentry
