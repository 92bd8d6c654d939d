// SPDX-License-Identifier: Apache-2.0
// Who gets hold of BPF maps and programs: those of the sensor, all of them, can be kept from
// everybody else.
#include <bpf/bpf.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "fmt/format.h"
#include "tests/vm/rule_sensor.h"

namespace kentry::vm {
namespace {

using enum FieldId;

constexpr char kPin[] = "/sys/fs/bpf/objects_test";

int Had(int fd) { return fd >= 0 ? 0 : errno; }

using NextId = int (*)(uint32_t, uint32_t*);
std::set<uint32_t> Ids(NextId next) {
  std::set<uint32_t> ids;
  for (uint32_t id = 0; next(id, &id) == 0;) ids.insert(id);
  return ids;
}

std::set<uint32_t> Without(std::set<uint32_t> all, const std::set<uint32_t>& some) {
  for (const uint32_t id : some) all.erase(id);
  return all;
}

int Get(uint32_t id) { return Had(bpf_map_get_fd_by_id(id)); }
int GetReadOnly(uint32_t id) {
  bpf_attr attr{};
  attr.map_id = id;
  attr.open_flags = BPF_F_RDONLY;
  return Had(static_cast<int>(syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr))));
}

class BpfObjectsTest : public RuleTest {
 protected:
  static int InChild(const std::function<int()>& act) {
    Child child(act);
    return WEXITSTATUS(child.Finish());
  }
};

TEST_F(BpfObjectsTest, NoneOfTheSensorsCanBeHadToChangeIt) {
  LiveSensor::StopShared();
  const std::set<uint32_t> maps_before = Ids(bpf_map_get_next_id);
  const std::set<uint32_t> programs_before = Ids(bpf_prog_get_next_id);
  SetUp();
  const std::string rules =
      "mode: enforce\nrules:\n"
      "  - {name: hands-off, on: process.bpf, when: 'bpf.sensor && bpf.write', then: deny, guard: "
      "off}\n"
      "  - {name: looked, on: process.bpf, when: 'bpf.sensor && !bpf.write'}\n"
      "  - {name: programs, on: process.bpf, when: 'bpf.sensor && bpf.program'}\n"
      // So that there are more objects than those of the base.
      "  - {name: opened, on: file.open, when: 'file.path == \"/nowhere\"', then: deny}\n";
  Load(rules);
  Load(rules);  // another set of maps in maps
  const std::set<uint32_t> maps = Without(Ids(bpf_map_get_next_id), maps_before);
  const std::set<uint32_t> programs = Without(Ids(bpf_prog_get_next_id), programs_before);
  EXPECT_GT(maps.size(), 20u);
  EXPECT_GT(programs.size(), 10u);
  for (const uint32_t id : maps) {
    const int got = InChild([id] { return Get(id); });
    EXPECT_TRUE(got == EPERM || got == ENOENT) << "map " << id << ": " << got;  // some are freed
  }
  for (const uint32_t id : programs) {
    const int got = InChild([id] { return Had(bpf_prog_get_fd_by_id(id)); });
    EXPECT_TRUE(got == EPERM || got == ENOENT) << "program " << id << ": " << got;
  }
  const std::vector<Seen> refused = Alerts("hands-off");
  EXPECT_GT(refused.size(), 30u);
  std::set<std::string> names;
  for (const Seen& seen : refused) {
    EXPECT_EQ(seen.Text(kAlertVerdict), "denied") << seen.Describe();
    EXPECT_TRUE(seen.Is(kBpfSensor));
    EXPECT_TRUE(seen.Is(kBpfWrite));
    EXPECT_EQ(seen.Text(kBpfObject), seen.Is(kBpfProgram) ? "program" : "map");
    EXPECT_EQ(
        (seen.Is(kBpfProgram) ? programs : maps).count(static_cast<uint32_t>(seen.Number(kBpfId))),
        1u);
    names.insert(seen.Text(kBpfName));
  }
  EXPECT_TRUE(names.contains("ke_r_control"));
  EXPECT_EQ(Alerts("programs").size(),
            static_cast<size_t>(std::count_if(refused.begin(), refused.end(), [](const Seen& seen) {
              return seen.Is(kBpfProgram);
            })));
  sensor().Clear();

  // To look is another thing; so are the sensor's own calls, and the maps of others.
  const uint32_t one = *maps.begin();
  EXPECT_EQ(InChild([one] { return GetReadOnly(one); }), 0);
  EXPECT_EQ(Alerts("looked").size(), 1u);
  EXPECT_EQ(Get(one), 0);
  EXPECT_EQ(InChild([] {
              const int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ke_rules", 4, 4, 1, nullptr);
              uint32_t id = 0;
              bpf_map_info info{};
              uint32_t size = sizeof(info);
              if (map < 0 || bpf_obj_get_info_by_fd(map, &info, &size) != 0) return errno;
              id = info.id;
              return Get(id);
            }),
            0);
  EXPECT_TRUE(Alerts("hands-off").empty());

  // A pin leads to the same map.
  ASSERT_EQ(bpf_obj_pin(bpf_map_get_fd_by_id(one), kPin), 0);
  EXPECT_EQ(InChild([] { return Had(bpf_obj_get(kPin)); }), EPERM);
  EXPECT_EQ(unlink(kPin), 0);
  EXPECT_EQ(Alerts("hands-off").size(), 1u);
}

// The kernel has nothing that a descriptor of one of our links could be used for.
TEST_F(BpfObjectsTest, LinksCanNeitherBeDetachedNorUpdated) {
  Load(
      "rules:\n"
      "  - {name: chmod, on: file.chmod, when: 'process.uid == 0'}\n"
      "  - {name: open, on: file.open, when: 'file.path == \"/nowhere\"'}\n"
      "  - {name: made, on: process.bpf, when: '!bpf.sensor && !bpf.program'}\n");
  EXPECT_EQ(InChild([] {
              for (const uint32_t id : Ids(bpf_link_get_next_id)) {
                const int link = bpf_link_get_fd_by_id(id);
                if (link < 0) return 1;
                if (bpf_link_detach(link) == 0) return 2;
              }
              return 0;
            }),
            0);
  const std::string file = NewFolder() + "/file";
  WriteFile(file, "");
  EXPECT_EQ(InChild([&] { return chmod(file.c_str(), 0600) == 0 ? 0 : errno; }), 0);
  EXPECT_EQ(Alerts("chmod").size(), 1u);
  EXPECT_EQ(InChild([] {
              return Had(bpf_map_create(BPF_MAP_TYPE_ARRAY, "somebody's", 4, 4, 1, nullptr));
            }),
            EINVAL)
      << "no name for a map";
  Child child([] { return Had(bpf_map_create(BPF_MAP_TYPE_ARRAY, "somebody", 4, 4, 1, nullptr)); });
  const auto pid = static_cast<uint64_t>(child.pid());
  EXPECT_EQ(child.Finish(), 0);
  const std::vector<Seen> made = Alerts("made");
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].pid(), pid);
  EXPECT_EQ(made[0].Text(kBpfName), "somebody");
  EXPECT_EQ(made[0].Text(kBpfObject), "map");
  EXPECT_TRUE(made[0].Is(kBpfWrite));
  EXPECT_FALSE(made[0].Is(kBpfSensor));
}

}  // namespace
}  // namespace kentry::vm
