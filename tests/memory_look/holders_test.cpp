// SPDX-License-Identifier: Apache-2.0
// Who holds the memory of a program that knows it: to the byte.
#include "tests/targets/holders.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/end_to_end/harness.h"
#include "userspace/memory/reach/heap_diff.h"

namespace dwell::testing {
namespace {

struct Amount {
  long blocks = 0, bytes = 0;
};

class Holders : public ::testing::Test {
 protected:
  // Of the program as it is, one look serves all tests.
  void look_at_holders() {
    static nlohmann::json json;
    static std::map<std::string, Amount> truth;
    if (json.is_null()) {
      look_at("holders");
      json = json_, truth = truth_;
    }
    json_ = json, truth_ = truth;
  }
  void look_at(const char* program, const std::vector<std::string>& environment = {}) {
    Program target({target_binary(program)}, environment);
    ASSERT_TRUE(target.wait_for_output("ready")) << target.errors();
    std::istringstream lines(target.output());
    for (std::string word, name; lines >> word;)
      if (word == "truth") lines >> name >> truth_[name].blocks >> truth_[name].bytes;
    Finished look = run({dwell_binary(), "memory", std::to_string(target.pid()), "--holders", "--json"});
    ASSERT_EQ(look.exit, 0) << look.errors;
    json_ = nlohmann::json::parse(look.output)["holders"];
    ASSERT_TRUE(json_["failed"].is_null()) << json_["failed"];
  }
  nlohmann::json holder(const std::string& name) const {
    for (const auto& one : json_["holders"])
      if (one["name"].get<std::string>().find(name) != std::string::npos) return one;
    ADD_FAILURE() << name << " is no holder in " << json_.dump(1);
    return {{"retained_bytes", 0}, {"retained_blocks", 0}, {"groups", nlohmann::json::array()}};
  }
  void expect(const nlohmann::json& holder, const std::string& truth) const {
    EXPECT_EQ(holder["retained_blocks"], truth_.at(truth).blocks) << truth;
    EXPECT_EQ(holder["retained_bytes"], truth_.at(truth).bytes) << truth;
  }

  std::map<std::string, Amount> truth_;
  nlohmann::json json_;
};

TEST_F(Holders, RetainWhatTheProgramKnowsThatTheyHold) {
  DWELL_NEEDS_BPF();
  look_at_holders();
  for (const char* global : {"registry", "recent", "tree"}) {
    expect(holder(global), global);
    EXPECT_EQ(holder(global)["kind"], "global");
  }
  EXPECT_EQ(holder("stack of thread keeper")["retained_bytes"], truth_["stack"].bytes);
}

TEST_F(Holders, OfBlocksOfAClassAreToldWhatHangsOnIt) {
  DWELL_NEEDS_BPF();
  look_at_holders();
  long objects = 0, held = 0;
  nlohmann::json registry = holder("registry");
  for (const auto& group : registry["groups"]) {
    if (group["class"] != "shop::Session") continue;
    (group["held_by_class"] ? held : objects) += group["blocks"].get<long>();
  }
  EXPECT_EQ(objects, HO_SESSIONS);
  // Its name, its numbers; a few of which old words elsewhere in the registry point to, too.
  EXPECT_LE(held, 2 * HO_SESSIONS);
  EXPECT_GE(held, 2 * HO_SESSIONS - 10);
}

TEST_F(Holders, ThatShareABlockHoldItTogether) {
  DWELL_NEEDS_BPF();
  look_at_holders();
  long shared = 0;
  for (const auto& group : json_["by_several"]["groups"])
    if (group["usable_bytes"] >= HO_SHARED_SIZE && group["usable_bytes"] < HO_SHARED_SIZE + 16) shared += group["blocks"].get<long>();
  EXPECT_EQ(shared, HO_SHARED);
  // Of the twenty largest that are told, all but a few of the C++ library's own.
  long named = 0;
  for (const auto& block : json_["shared"]) {
    auto by = block["held_by"].get<std::set<std::string>>();
    named += by == std::set<std::string>{"left", "right"} && block["places"] == 2;
  }
  EXPECT_GE(named, 15) << json_["shared"].dump(1);
}

TEST_F(Holders, AreOffsetsInTheProgramWhereItIsStripped) {
  DWELL_NEEDS_BPF();
  look_at("holders_stripped");
  std::map<long, int> by_bytes;
  for (const auto& one : json_["holders"])
    if (one["kind"] == "module_data" && one["name"].get<std::string>().starts_with("holders_stripped+0x"))
      ++by_bytes[one["retained_bytes"].get<long>()];
  EXPECT_EQ(by_bytes[truth_["tree"].bytes], 1);
  // The words of one variable are holders of their own: what both ends of the ring lead to is held by several.
  EXPECT_GE(json_["by_several"]["retained_bytes"].get<long>(), truth_["recent"].bytes + truth_["several"].bytes);
}

TEST_F(Holders, AccountForEveryLiveBlock) {
  DWELL_NEEDS_BPF();
  look_at_holders();
  long blocks = 0, bytes = 0;
  auto add = [&](const nlohmann::json& sum) {
    blocks += sum["retained_blocks"].get<long>(), bytes += sum["retained_bytes"].get<long>();
  };
  for (const auto& one : json_["holders"]) add(one);
  for (const char* rest : {"by_several", "by_others", "leaked", "moved"}) add(json_[rest]);
  EXPECT_EQ(blocks, json_["live_blocks"].get<long>());
  EXPECT_EQ(bytes, json_["live_bytes"].get<long>());
}

TEST(HeapDiff, TellsWhatWasBornAndWhatDied) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("holders")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  memory::reach::HeldBlocks before, after;
  ASSERT_TRUE(memory::reach::find_holders({target.pid(), 0, 1000}, &before));
  target.write_line("");
  ASSERT_TRUE(target.wait_for_output("changed"));
  ASSERT_TRUE(memory::reach::find_holders({target.pid(), 0, 1000}, &after));
  memory::reach::HeapDiff diff = compare(before, after);
  std::uint64_t born = 0, by_born = 0, died = 0;
  for (const memory::reach::HeapDiff::Row& row : diff.rows) {
    if (row.usable >= HO_BORN_SIZE) born += row.change.born_blocks;
    if (row.holder == "born") by_born += row.change.born_blocks;
    if (row.holder == "registry" && row.type == "N4shop7SessionE" && !row.held_by_type) died += row.change.died_blocks;
  }
  EXPECT_EQ(born, HO_BORN);
  EXPECT_GT(by_born, HO_BORN * 9 / 10);  // an old word may point into the list, and hold the rest of it too
  EXPECT_EQ(died, HO_DIED);
  EXPECT_GE(diff.all.died_blocks, 4 * HO_DIED);  // a node, an object, a name, numbers
  EXPECT_EQ(diff.all.born_blocks, HO_BORN);
}

TEST(HeapDiff, OfAProgramAtRestIsNothing) {
  DWELL_NEEDS_BPF();
  Program target({target_binary("holders")});
  ASSERT_TRUE(target.wait_for_output("ready"));
  Finished look = run({dwell_binary(), "memory", std::to_string(target.pid()), "--diff", "1ms", "--json"});
  ASSERT_EQ(look.exit, 0) << look.errors;
  nlohmann::json diff = nlohmann::json::parse(look.output)["diff"];
  EXPECT_EQ(diff["born_blocks"], 0);
  EXPECT_EQ(diff["died_blocks"], 0);
  EXPECT_GT(diff["same_blocks"], HO_LIST);
}

#ifdef DWELL_JEMALLOC
TEST_F(Holders, AreFoundInAHeapOfJemalloc) {
  DWELL_NEEDS_BPF();
  look_at("holders", {"LD_PRELOAD=" DWELL_JEMALLOC});
  for (const char* global : {"registry", "recent", "tree"}) expect(holder(global), global);
}
#endif

}  // namespace
}  // namespace dwell::testing
