// SPDX-License-Identifier: Apache-2.0
// The HTML page without a browser: its form, its policy, and its figures.
#include "ui/html_page.h"

#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <numeric>

#include "userspace/memory/page.h"
#include "userspace/memory/page_series.h"
#include "userspace/subjects/chunks.h"

namespace dwell {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string between(const std::string& text, const std::string& before, const std::string& after) {
  std::size_t from = text.find(before);
  if (from == std::string::npos) return "";
  from += before.size();
  return text.substr(from, text.find(after, from) - from);
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// What stands in a page: the JSON, and the bytes of the columns behind it.
struct Data {
  explicit Data(const std::string& html) {
    std::string packed, bytes(std::size_t{1} << 22, '\0');
    EXPECT_TRUE(absl::Base64Unescape(between(html, "id=\"data\">", "<"), &packed));
    uLongf size = bytes.size();
    EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(bytes.data()), &size, reinterpret_cast<const Bytef*>(packed.data()), packed.size()), Z_OK);
    std::size_t length = 0;
    for (int i = 3; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    json = Json::parse(bytes.substr(4, length), nullptr, false);
    columns = bytes.substr(4 + length, size - 4 - length);
  }

  std::vector<std::int64_t> column(const std::string& name) const {
    std::vector<std::int64_t> numbers;
    std::size_t at = json["columns"][name][0];
    for (std::size_t left = json["columns"][name][1]; left > 0; --left) {
      std::uint64_t folded = 0;
      for (int shift = 0;; shift += 7) {
        auto byte = static_cast<unsigned char>(columns.at(at++));
        folded |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      numbers.push_back(static_cast<std::int64_t>(folded >> 1) ^ -static_cast<std::int64_t>(folded & 1));
    }
    return numbers;
  }

  Json json;
  std::string columns;
};

HtmlPage hostile_page() {
  HtmlPage page;
  page.title = "</title><script>alert(1)</script>";
  page.text = "first line\n<img src=x onerror=alert(1)>\x1b]0;owned\x07 & \"quotes\"";
  page.data = {{"name", "</script><script>alert(1)</script>"}};
  page.columns.add("numbers", std::vector<std::int64_t>{0, -1, 1, 63, 64, -65, INT64_MAX, INT64_MIN});
  return page;
}

TEST(HtmlPage, NumbersOfAnySizeAreReadBackAsTheyWere) {
  EXPECT_EQ(Data(html_page(hostile_page())).column("numbers"), (std::vector<std::int64_t>{0, -1, 1, 63, 64, -65, INT64_MAX, INT64_MIN}));
}

TEST(HtmlPage, HostileTextIsNeitherMarkupNorControl) {
  std::string html = html_page(hostile_page());
  EXPECT_THAT(html, HasSubstr("first line\n&lt;img src=x onerror=alert(1)&gt;\\x1b]0;owned\\x07 &amp; &quot;quotes&quot;"));
  EXPECT_THAT(html, HasSubstr("<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>"));
  EXPECT_EQ(times(html, "<script"), 2u) << "the data and the page's own";
  EXPECT_EQ(times(html, "</script>"), 2u);
  EXPECT_EQ(Data(html).json["name"], "</script><script>alert(1)</script>");
}

TEST(HtmlPage, PolicyForbidsAllButItsOwnScriptAndStyle) {
  std::string html = html_page(hostile_page());
  std::string policy = between(html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
  EXPECT_THAT(policy, testing::MatchesRegex("default-src 'none'; script-src 'sha256-[A-Za-z0-9+/]{43}='; style-src 'sha256-[A-Za-z0-9+/]{43}='; "
                                            "base-uri 'none'; form-action 'none'"));
  EXPECT_LT(html.find("Content-Security-Policy"), html.find("<style>")) << "it holds for what follows it";
  EXPECT_EQ(times(html, "http-equiv"), 1u);
}

TEST(HtmlPage, CallSitesAreThoseOfTheReport) {
  Result<Recording> recording = read_recording(GOLDEN_RECORDING);
  ASSERT_TRUE(recording);
  Result<MemoryReport> report = memory_report(*recording, {});
  ASSERT_TRUE(report);
  HtmlPage page;
  add_memory(*recording, *report, {}, page);
  Data data(html_page(page));
  auto retained = data.column("site_retained_bytes"), allocated = data.column("site_alloc_bytes"), peak = data.column("site_peak_bytes");
  ASSERT_EQ(retained.size(), report->sites.size());
  ASSERT_GT(retained.size(), 5u);
  for (std::size_t i = 0; i < retained.size(); ++i) {
    EXPECT_EQ(static_cast<double>(retained[i]), report->sites[i].figures.retained_bytes);
    EXPECT_EQ(static_cast<double>(allocated[i]), report->sites[i].figures.allocated_bytes);
    EXPECT_EQ(static_cast<double>(peak[i]), report->sites[i].figures.peak_bytes);
  }
}

TEST(HtmlPage, WhatEachSiteDidOverTimeAddsUpToItsFigures) {
  Result<Recording> recording = read_recording(GOLDEN_RECORDING);
  ASSERT_TRUE(recording);
  Result<MemoryReport> report = memory_report(*recording, {});
  ASSERT_TRUE(report);
  HtmlPage page;
  add_memory(*recording, *report, {}, page);
  Data data(html_page(page));
  auto slots = data.column("slot_site"), counts = data.column("cell_count");
  auto allocated = data.column("cell_alloc_bytes"), freed = data.column("cell_freed_bytes"), born = data.column("cell_born_bytes");
  std::size_t cell = 0;
  std::partial_sum(slots.begin(), slots.end(), slots.begin());
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    std::int64_t live = 0, survived = 0;
    for (std::int64_t i = 0; i < counts[slot]; ++i, ++cell) {
      live += allocated[cell] - freed[cell];
      survived += born[cell];
    }
    EXPECT_EQ(static_cast<double>(live), report->sites[static_cast<std::size_t>(slots[slot])].figures.retained_bytes);
    EXPECT_EQ(survived, live) << "what is live was born at some time";
  }
}

// By account: what is live at the end, over all slots.
std::map<std::size_t, std::int64_t> live_by_account(const Json& json, const NumberColumns& columns, const MemoryReport& report) {
  HtmlPage page;
  page.columns = columns;
  page.data = json;
  Data data(html_page(page));
  auto slots = data.column("slot_site"), counts = data.column("cell_count");
  auto allocated = data.column("cell_alloc_bytes"), freed = data.column("cell_freed_bytes");
  std::partial_sum(slots.begin(), slots.end(), slots.begin());
  std::map<std::size_t, std::int64_t> live;
  std::size_t cell = 0;
  for (std::size_t slot = 0; slot < counts.size(); ++slot) {
    std::size_t account = 0;
    for (; account < json["accounts"].size(); ++account) {
      const Json& one = json["accounts"][account];
      bool own = slot < slots.size() && one["kind"] == name_of(report.sites[static_cast<std::size_t>(slots[slot])].kind);
      if (own || one["other_slot"] == slot) break;
    }
    for (std::int64_t i = 0; i < counts[slot]; ++i, ++cell) live[account] += allocated[cell] - freed[cell];
  }
  return live;
}

TEST(HtmlPage, WhereThereIsNoRoomTheSmallestSitesAreOneAndSumsStay) {
  Result<Recording> recording = read_recording(GOLDEN_RECORDING);
  ASSERT_TRUE(recording);
  Result<MemoryReport> report = memory_report(*recording, {});
  ASSERT_TRUE(report);
  auto texts = std::make_shared<FrameTexts>(*recording);
  SiteTable sites(*recording, texts, GroupBy::kStack);
  std::size_t others_before = 0, buckets_before = 10;
  for (std::size_t cells : {1000, 20, 5, 0}) {
    Json json = Json::object();
    NumberColumns columns;
    PageSeries(*recording, sites, *report, {.buckets = 10, .cells = cells}).write(json, columns);
    std::size_t others = json["accounts"][0]["other_sites"], buckets = json["edges_ns"].size() - 1;
    EXPECT_GE(others, others_before);
    EXPECT_LE(buckets, buckets_before);
    others_before = others;
    buckets_before = buckets;
    EXPECT_EQ(static_cast<double>(live_by_account(json, columns, *report)[0]), report->totals[0].figures.retained_bytes);
  }
  EXPECT_EQ(others_before, report->sites.size()) << "there is room for none at last";
  EXPECT_LT(buckets_before, 10u);
}

}  // namespace
}  // namespace dwell
