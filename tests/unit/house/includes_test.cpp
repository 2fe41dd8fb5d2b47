// SPDX-License-Identifier: Apache-2.0
// Who may include whom. docs/architecture.md says why.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "userspace/base/files.h"

namespace dwell {
namespace {

using Folders = std::vector<std::string>;

// From the ground up: a folder may include those that stand before it, and itself.
const Folders kOrder = {
    "userspace/base",      "symbolizer",      "userspace/process", "userspace/kernel",   "userspace/recording",
    "userspace/unwind",    "userspace/worker", "userspace/probes",  "userspace/collect",  "userspace/views",
    "ui",                  "userspace/record", "SUBJECTS",          "userspace/subjects", "userspace/doctor",
    "userspace/top",        "userspace/commands",  "userspace"};
// They stand side by side: none includes another.
const Folders kSubjects = {"userspace/memory", "userspace/threads", "userspace/clocks", "userspace/files", "userspace/pairs", "userspace/go"};

// Every folder of the order or subject that `path` lies in; the longest counts.
std::string folder_of(const std::string& path) {
  std::string found;
  auto try_folder = [&](const std::string& folder) {
    if (path.starts_with(folder + "/") && folder.size() > found.size()) found = folder;
  };
  for (const std::string& folder : kOrder) try_folder(folder);
  for (const std::string& folder : kSubjects) try_folder(folder);
  return found;
}

std::size_t rank_of(const std::string& folder) {
  bool subject = std::ranges::count(kSubjects, folder) != 0;
  return static_cast<std::size_t>(std::ranges::find(kOrder, subject ? "SUBJECTS" : folder) - kOrder.begin());
}

bool allowed(const std::string& from, const std::string& to) {
  if (from == to) return true;
  bool both_subjects = std::ranges::count(kSubjects, from) && std::ranges::count(kSubjects, to);
  return !both_subjects && rank_of(to) < rank_of(from);
}

std::vector<std::string> sources() {
  std::vector<std::string> paths;
  for (const char* top : {"userspace", "ui", "symbolizer"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(SOURCE_FOLDER) / top)) {
      std::string ending = entry.path().extension();
      if (ending == ".h" || ending == ".cpp") paths.push_back(std::filesystem::relative(entry.path(), SOURCE_FOLDER));
    }
  }
  std::ranges::sort(paths);
  return paths;
}

TEST(House, NoFolderIncludesOneThatStandsAboveItAndNoSubjectIncludesAnother) {
  const std::regex include("#include \"((?:userspace|ui|symbolizer)/[^\"]+)\"");
  std::size_t arrows = 0;
  for (const std::string& path : sources()) {
    std::string from = folder_of(path);
    ASSERT_LT(rank_of(from), kOrder.size()) << path << " lies in a folder that has no place in the order";
    Result<std::string> text = read_file(std::string(SOURCE_FOLDER) + "/" + path);
    ASSERT_TRUE(text) << path;
    for (std::sregex_iterator at(text->begin(), text->end(), include), end; at != end; ++at) {
      std::string to = folder_of((*at)[1]);
      EXPECT_TRUE(allowed(from, to)) << path << " includes " << (*at)[1];
      ++arrows;
    }
  }
  EXPECT_GT(arrows, 1000u) << "the sources were not found";
}

// Two types of one name in one namespace are one to the linker: it takes the destructor of either for both.
TEST(House, NoTwoHeadersDefineATypeOfTheSameName) {
  const std::regex line("(?:^|\n)(?:namespace ([\\w:]+) \\{|(?:struct|class|enum class|enum) (\\w+)(?: final)?(?: :[^;{\n]*)? \\{)");
  std::map<std::string, std::string> where;
  for (const std::string& path : sources()) {
    if (!path.ends_with(".h")) continue;
    Result<std::string> text = read_file(std::string(SOURCE_FOLDER) + "/" + path);
    ASSERT_TRUE(text) << path;
    std::string space;
    for (std::sregex_iterator at(text->begin(), text->end(), line), end; at != end; ++at) {
      if ((*at)[1].matched) {
        space = (*at)[1];
        continue;
      }
      auto [known, fresh] = where.try_emplace(space + "::" + (*at)[2].str(), path);
      EXPECT_TRUE(fresh) << known->first << " is defined in " << known->second << " and in " << path;
    }
  }
  EXPECT_GT(where.size(), 500u) << "the types were not found";
}

TEST(House, TheRuleItselfTellsRightFromWrong) {
  EXPECT_TRUE(allowed("userspace/memory", "userspace/recording"));
  EXPECT_TRUE(allowed("userspace/memory", "ui"));
  EXPECT_TRUE(allowed("userspace/commands", "userspace/go"));
  EXPECT_FALSE(allowed("userspace/memory", "userspace/threads"));
  EXPECT_FALSE(allowed("userspace/recording", "userspace/memory"));
  EXPECT_FALSE(allowed("userspace/views", "ui"));
}

}  // namespace
}  // namespace dwell
