// SPDX-License-Identifier: Apache-2.0
// The flame graph in a real browser: a script put into the file uses it as a person would, and writes what
// it saw into the title.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ui/run_tool.h"
#include "tests/unit/ui/sample_profiles.h"
#include "ui/flame_graph.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kHelpers[] = R"js(
  const frames = () => Array.from(document.querySelectorAll("#frames .f"));
  const label = f => f.querySelector("text") ? f.querySelector("text").textContent : "";
  const frame = start => frames().find(f => label(f).startsWith(start));
  const click = what => what.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const press = key => window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const type = text => { const box = document.getElementById("search"); box.value = text; box.dispatchEvent(new Event("input")); };
  const hover = f => f.querySelector("rect").dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX: 300, clientY: 200 }));
  const width = f => Math.round(f.querySelector("rect").getAttribute("width"));
  const text = selector => document.querySelector(selector).textContent;
  const seen = [];
  const see = (name, value) => seen.push(name + "=" + value);
)js";

class FlameGraphBrowserTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"chromium", "google-chrome", "chrome"}) {
      if (browser_.empty() && is_installed(name)) browser_ = name;
    }
    if (browser_.empty()) GTEST_SKIP() << "chromium is not installed";
  }

  std::string result_of(const Profile& profile, const FlameGraphOptions& options, const std::string& script) {
    std::string svg = flame_graph(profile, options);
    std::string test_script = fmt::format(
        "<script><![CDATA[\n{}\ntry {{ {} }} catch (error) {{ see('error', error); }}\n"
        "document.documentElement.setAttribute('data-seen', seen.join(' | '));\n]]></script>\n",
        kHelpers, script);
    svg.insert(svg.rfind("</svg>"), test_script);
    std::string file = folder_.write("graph.svg", svg);
    // --no-sandbox: as root, the browser starts only so. It reads nothing but the file written above.
    ToolOutput output = run_tool(fmt::format(
        "timeout 100 {} --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update --window-size=1220,800 "
        "--user-data-dir={}/browser --dump-dom file://{} 2>/dev/null",
        browser_, folder_.path(), file));
    std::size_t from = output.text.find("data-seen=\"");
    EXPECT_NE(from, std::string::npos) << output.text.substr(0, 2000);
    if (from == std::string::npos) return {};
    from += std::string_view("data-seen=\"").size();
    return output.text.substr(from, output.text.find('"', from) - from);
  }

 private:
  std::string browser_;
  ScratchFolder folder_;
};

TEST_F(FlameGraphBrowserTest, ZoomsAndComesBack) {
  std::string seen = result_of(server_profile(), {.sample_type = 1}, R"js(
    const before = frames().length;
    see("log", width(frame("Log::append")) < 250);
    click(frame("Log::append"));
    see("zoomed", width(frame("Log::append")) === width(frame("all")));
    see("hidden", frame("Server::handle") === undefined);
    see("path", text("#path"));
    press("Backspace");
    see("parent", width(frame("Server::run()")) === width(frame("all")));
    click(document.getElementById("reset"));
    see("back", frames().length === before);
  )js");
  EXPECT_EQ(seen,
            "log=true | zoomed=true | hidden=true | "
            "path=all›__libc_start_main›main›Server::run()›Log::append(std::string_view) 6.0 MB (6,291,456), "
            "13.0 % | "
            "parent=true | back=true");
}

TEST_F(FlameGraphBrowserTest, SearchMarksAndSumsWithoutCountingTwice) {
  std::string seen = result_of(server_profile(), {.sample_type = 1}, R"js(
    type("^server::");
    see("share", text("#matched"));
    see("found", document.querySelectorAll(".f.found").length);
    type("nothing here");
    see("none", text("#matched"));
    type("(");
    see("bad", text("#matched"));
    press("Escape");
    see("cleared", document.querySelectorAll(".f.faded").length);
  )js");
  EXPECT_EQ(seen,
            "share=99.4 % matched: 46.0 MB (48,234,496) in 2 frames | found=2 | none=no match | "
            "bad=not a regular expression | cleared=0");
}

TEST_F(FlameGraphBrowserTest, HoverTellsWhatTheFrameIs) {
  std::string seen = result_of(server_profile(), {.sample_type = 1}, R"js(
    hover(frame("Cache::insert"));
    see("tip", text(".tip").replace(/\n/g, " / "));
  )js");
  EXPECT_EQ(
      seen,
      "tip=Cache::insertcache.h:41 / server / inlined into its caller / 40.0 MB (41,943,040) inuse_space / "
      "86.4 % of all, 100.0 % of its parent");
}

TEST_F(FlameGraphBrowserTest, CallersStandBelowWhoAsked) {
  std::string seen = result_of(server_profile(), {.sample_type = 1}, R"js(
    press("c");
    see("top", label(frames().find(f => f.node.depth === 1)));
    see("total", frames()[0].node.value === frames()[0].node.children.reduce((sum, child) => sum + child.value, 0));
    see("caller", frame("Server::run()") !== undefined);
    press("c");
    see("back", label(frames().find(f => f.node.depth === 1)));
  )js");
  EXPECT_EQ(seen, "top=operator new(unsigned long) | total=true | caller=true | back=__libc_start_main");
}

TEST_F(FlameGraphBrowserTest, TurnsUpsideDown) {
  std::string seen = result_of(server_profile(), {.sample_type = 1}, R"js(
    const y = start => Number(frame(start).querySelector("rect").getAttribute("y"));
    see("icicle", y("all") < y("main"));
    press("i");
    see("flame", y("all") > y("main"));
  )js");
  EXPECT_EQ(seen, "icicle=true | flame=true");
}

TEST_F(FlameGraphBrowserTest, GrowthIsRedAndShrinkingIsBlue) {
  std::string seen = result_of(difference_profile(), {}, R"js(
    const colour = start => getComputedStyle(frame(start).querySelector("rect")).fill;
    const red = c => { const [r, g, b] = c.match(/\d+/g).map(Number); return r > b + 40; };
    const blue = c => { const [r, g, b] = c.match(/\d+/g).map(Number); return b > r + 40; };
    see("grew", red(colour("fill_cache")));
    see("shrank", blue(colour("drop_cache")));
    see("both", !red(colour("steady")) && !blue(colour("steady")));
    hover(frame("drop_cache"));
    see("tip", text(".tip div").replace(/\n/g, " / "));
  )js");
  EXPECT_EQ(seen,
            "grew=true | shrank=true | both=true | "
            "tip=a.c:19 / app / -3.0 MB (-3,145,728) inuse_space / 25.0 % of all, 25.0 % of its parent");
}

TEST_F(FlameGraphBrowserTest, HostileNamesRunNothing) {
  std::string seen = result_of(hostile_profile(), {}, R"js(
    for (const f of frames()) hover(f);
    click(frames()[1]);
    type("script");
    see("title", document.title === "owned");
    see("images", document.getElementsByTagName("img").length);
    see("scripts", document.getElementsByTagName("script").length);
  )js");
  EXPECT_EQ(seen, "title=false | images=0 | scripts=3");
}

}  // namespace
}  // namespace dwell
