// SPDX-License-Identifier: Apache-2.0
// What the documents refer to exists: files, headings, options, tests. Options are looked up in the manual page, which
// tests/manual compares with the program.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "userspace/base/files.h"

namespace dwell {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = SOURCE_FOLDER;

std::string text_of(const fs::path& path) {
  Result<std::string> text = read_file((kRoot / path).string());
  return text ? *text : "";
}

std::vector<fs::path> files_below(const fs::path& folder, const std::string& ending) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder))
    if (entry.is_regular_file() && entry.path().extension() == ending) found.push_back(fs::relative(entry.path(), kRoot));
  std::ranges::sort(found);
  return found;
}

std::vector<fs::path> documents() {
  std::vector<fs::path> found = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"};
  for (const char* folder : {"docs", "tests", "ui", "symbolizer", "userspace"})
    for (const fs::path& path : files_below(folder, ".md")) found.push_back(path);
  return found;
}

// Every match of the expression's first group.
std::vector<std::string> all_of(const std::string& text, const std::regex& expression) {
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) found.push_back((*at)[1]);
  return found;
}

// As repository hosts make it of a heading: "## Who holds what, and when" -> "who-holds-what-and-when".
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (char letter : heading) {
    auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte) || letter == '-' || letter == '_') anchor += static_cast<char>(std::tolower(byte));
    if (letter == ' ') anchor += '-';
  }
  return anchor;
}

std::set<std::string> anchors_of(const std::string& text) {
  std::set<std::string> anchors;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("#")) anchors.insert(anchor_of(line.substr(line.find_first_not_of("# "))));
  return anchors;
}

// Links of a page that lead nowhere.
std::vector<std::string> broken_links(const fs::path& page, const std::string& text) {
  static const std::regex link(R"(\]\(([^)\s]+)\))");
  std::vector<std::string> broken;
  for (const std::string& target : all_of(text, link)) {
    if (target.find("://") != std::string::npos) continue;
    std::size_t hash = target.find('#');
    std::string file = target.substr(0, hash);
    fs::path path = file.empty() ? page : (page.parent_path() / file).lexically_normal();
    bool whole = fs::exists(kRoot / path);
    if (whole && hash != std::string::npos)
      whole = anchors_of(file.empty() ? text : text_of(path)).contains(target.substr(hash + 1));
    if (!whole) broken.push_back(target);
  }
  return broken;
}

// Paths in code style that do not exist. A name in capitals stands for any, and so does what follows a `*`.
std::vector<std::string> missing_files(const std::string& text) {
  static const std::regex path("`((?:bpf|docs|scripts|tests|ui|userspace|symbolizer)/[A-Za-z0-9_./-]*)[` ]");
  static const std::regex placeholder("[A-Z]{4}");
  std::vector<std::string> missing;
  for (const std::string& name : all_of(text, path)) {
    bool any = std::regex_search(name, placeholder) && !name.ends_with(".md");
    bool there = std::ranges::any_of(std::vector<std::string>{"", ".h", ".cpp", ".c", ".go"},
                                     [&](const std::string& ending) { return fs::exists(kRoot / (name + ending)); });
    if (!any && !there) missing.push_back(name);
  }
  return missing;
}

// The options of each `dwell ...` command in a text, up to a pipe, a comment or the command that it starts.
std::set<std::string> options_used(const std::string& text) {
  static const std::regex command(R"((?:^|\n|`|sudo |    )dwell ([^`\n]*))");
  static const std::regex end(R"(( -- |\||#|   ).*)");
  static const std::regex option(R"((?:^|[ \[])(--[a-z][a-z-]+))");
  std::set<std::string> used;
  for (const std::string& line : all_of(text, command))
    for (const std::string& name : all_of(std::regex_replace(line, end, ""), option)) used.insert(name);
  return used;
}

// Tests that a page names, as their sources begin: `Suite.Name...` -> "(Suite, Name", `Suite.*` -> "(Suite, ".
std::set<std::string> tests_named(const std::string& text) {
  static const std::regex test(R"([`/( ]([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*)\.(?:\*|([A-Z][A-Za-z0-9]*)))");
  static const std::regex code("`([^`\n]+)`");
  std::set<std::string> named;
  for (const std::string& words : all_of(text, code)) {
    const std::string quoted = "`" + words;
    for (std::sregex_iterator at(quoted.begin(), quoted.end(), test), end; at != end; ++at)
      named.insert("(" + (*at)[1].str() + ", " + (*at)[2].str());
  }
  return named;
}

TEST(Documents, EveryLinkLeadsSomewhere) {
  for (const fs::path& page : documents())
    for (const std::string& link : broken_links(page, text_of(page))) ADD_FAILURE() << page << " links to " << link;
}

TEST(Documents, EveryFileThatIsNamedExists) {
  for (const fs::path& page : documents())
    for (const std::string& name : missing_files(text_of(page))) ADD_FAILURE() << page << " names " << name;
}

TEST(Documents, EveryOptionThatIsUsedIsInTheManual) {
  std::string manual = std::regex_replace(text_of("docs/man/dwell.1"), std::regex(R"(\\-)"), "-");
  manual += "--help --version";
  std::size_t options = 0;
  for (const fs::path& page : documents()) {
    for (const std::string& option : options_used(text_of(page))) {
      EXPECT_TRUE(std::regex_search(manual, std::regex(option + "([^a-z-]|$)"))) << page << " uses " << option;
      ++options;
    }
  }
  EXPECT_GT(options, 30u) << "no commands were found";
}

TEST(Documents, EveryTestThatIsNamedExists) {
  std::string sources;
  for (const fs::path& path : files_below("tests", ".cpp")) sources += text_of(path);
  static const std::regex script(R"(add_test\(NAME ([A-Za-z0-9]+)\.([A-Za-z0-9]+))");  // tests that are no GoogleTest
  for (const fs::path& path : files_below("tests", ".txt")) {
    const std::string list = text_of(path);
    for (std::sregex_iterator at(list.begin(), list.end(), script), end; at != end; ++at)
      sources += "(" + (*at)[1].str() + ", " + (*at)[2].str();
  }
  std::size_t tests = 0;
  for (const fs::path& page : documents()) {
    for (const std::string& test : tests_named(text_of(page))) {
      EXPECT_NE(sources.find(test), std::string::npos) << page << " names the test " << test;
      ++tests;
    }
  }
  EXPECT_GT(tests, 60u) << "no tests were found";
}

TEST(Documents, EveryPageIsReachableFromTheReadme) {
  std::set<fs::path> reached;
  std::vector<fs::path> next = {"README.md"};
  static const std::regex link(R"(\]\(([^)#\s]+\.md))");
  while (!next.empty()) {
    fs::path page = next.back();
    next.pop_back();
    if (!reached.insert(page).second) continue;
    for (const std::string& target : all_of(text_of(page), link))
      next.push_back((page.parent_path() / target).lexically_normal());
  }
  for (const fs::path& page : files_below("docs", ".md")) EXPECT_TRUE(reached.contains(page)) << page << " is linked nowhere";
}

TEST(Documents, TheRulesThemselvesTellRightFromWrong) {
  EXPECT_EQ(broken_links("docs/go.md", "[a](none.md) [b](clocks.md) [c](#here) [d](https://x.org/y)\n# Here\n"),
            std::vector<std::string>{"none.md"});
  EXPECT_EQ(broken_links("docs/go.md", "[a](#gone)\n# Here\n"), std::vector<std::string>{"#gone"});
  EXPECT_EQ(missing_files("`ui/none.cpp` `bpf/NAME.bpf.c` `ui/escape.h` `userspace/base/`"), std::vector<std::string>{"ui/none.cpp"});
  EXPECT_EQ(options_used("`dwell record -d 5 --one -- ls --two` and `cmake --three`\n    dwell threads 7 --four | jq --five"),
            (std::set<std::string>{"--one", "--four"}));
  EXPECT_EQ(tests_named("`ctest -R Survival.Attaches`, `Errors.*`, Linux.Is, `NAME.PID.dwell`"),
            (std::set<std::string>{"(Errors, ", "(Survival, Attaches"}));
  EXPECT_EQ(anchor_of("Who holds what, and when"), "who-holds-what-and-when");
}

}  // namespace
}  // namespace dwell
