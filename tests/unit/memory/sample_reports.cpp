// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/memory/sample_reports.h"

#include <fmt/core.h>

#include "userspace/memory/words.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr double kMiB = 1 << 20;

ReportFrame frame(const std::string& function, const std::string& module, const std::string& file = "",
                  std::uint32_t line = 0, bool inlined = false) {
  return {function, file, line, module, 0x1240, function.find('+') == std::string::npos, inlined};
}

MemoryFigures figures(double bytes, double blocks, double allocated, double allocations, double temporary,
                      std::optional<double> growth) {
  MemoryFigures f;
  f.retained_bytes = bytes;
  f.retained_blocks = blocks;
  f.allocated_bytes = allocated;
  f.allocations = allocations;
  f.freed_bytes = allocated - bytes;
  f.frees = allocations - blocks;
  f.temporary_blocks = temporary;
  f.temporary_bytes = temporary * 16;
  f.peak_bytes = bytes * 1.125;
  f.peak_blocks = blocks;
  f.growth_per_minute = growth;
  return f;
}

const std::string kServer = "/usr/bin/server", kCpp = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
                  kC = "/usr/lib/x86_64-linux-gnu/libc.so.6";

std::vector<ReportFrame> cache_stack() {
  return {frame("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> "
                ">::reserve(unsigned long)",
                kCpp),
          frame("Cache::insert(std::string_view, std::vector<std::byte, std::allocator<std::byte> > const&)",
                kServer, "/home/builder/src/server/include/cache/cache.h", 41, true),
          frame("Server::handle(Request const&)", kServer, "/home/builder/src/server/server.cpp", 120),
          frame("Server::run()", kServer, "/home/builder/src/server/server.cpp", 80),
          frame("main", kServer, "/home/builder/src/server/server.cpp", 12),
          frame("__libc_start_call_main", kC)};
}

std::vector<ReportFrame> log_stack() {
  return {frame("Log::append(std::string_view)", kServer, "log.cpp", 33),
          frame("Server::run()", kServer, "server.cpp", 81), frame("main", kServer, "server.cpp", 12)};
}

SiteReport site(std::vector<ReportFrame> stack, MemoryFigures f, std::optional<std::uint64_t> oldest,
                std::optional<std::uint64_t> median) {
  SiteReport made;
  made.stack = std::move(stack);
  made.figures = f;
  made.oldest_age_ns = oldest;
  made.median_age_ns = median;
  return made;
}

void total_up(MemoryReport& report) {
  for (SiteReport& s : report.sites) {
    KindReport* total = nullptr;
    for (KindReport& known : report.totals) {
      if (known.kind == s.kind && known.process == s.process) total = &known;
    }
    if (!total) total = &report.totals.emplace_back(KindReport{s.kind, s.process, {}, 0, {}});
    std::optional<double> slope =
        total->figures.growth_per_minute.value_or(0) + s.figures.growth_per_minute.value_or(0);
    total->figures = total->figures + s.figures;
    total->figures.growth_per_minute = slope;
  }
}

// RSS that rises on a line, in seconds; what it consists of at both ends.
ProcessBalance server_balance() {
  ProcessBalance balance;
  balance.before = static_cast<std::uint64_t>(80 * kMiB);
  balance.after = static_cast<std::uint64_t>(192 * kMiB);
  balance.duration_ns = 60 * kSecond;
  balance.has_parts = true;
  balance.parts = {{memory::Part::kAnonymous, static_cast<std::int64_t>(64 * kMiB)}, {memory::Part::kLive, static_cast<std::int64_t>(46.5 * kMiB)},
                   {memory::Part::kFree, static_cast<std::int64_t>(1.25 * kMiB)}, {memory::Part::kMetadata, static_cast<std::int64_t>(0.25 * kMiB)}};
  balance.live_change = static_cast<std::int64_t>(46.5 * kMiB);
  for (int i = 0; i <= 60; i += 6) {
    balance.times_ns.push_back(static_cast<std::uint64_t>(i) * kSecond);
    balance.resident.push_back((80 + 112.0 * i / 60) * kMiB);
  }
  balance.growth = {GrowthShape::kSteady};
  balance.trend = SteadyTrend{1.87 * kMiB, 1.7 * kMiB, 2 * kMiB, 0};
  ProcessLimit limit{LimitKind::kGroup, "/system.slice/server.service", static_cast<std::uint64_t>(512 * kMiB), static_cast<std::uint64_t>(200 * kMiB), 0, 0, 0};
  balance.limits = {limit};
  balance.time_left = TimeToLimit{limit, 167, 156, 184};
  balance.account.emplace();
  balance.account->known = balance.account->walked = true;
  balance.account->allocators = "glibc 2.36";
  balance.account->resident = balance.after;
  balance.account->trimmable = static_cast<std::uint64_t>(12 * kMiB);
  return balance;
}

}  // namespace

MemoryReport server_report() {
  MemoryReport report;
  report.info.dwell_version = "0.1.0";
  report.info.kernel = "6.18.0";
  report.info.host = "prod7";
  report.info.arch = "x86_64";
  report.info.command_line = "dwell record -p 4242";
  report.info.start_unix_ns = 1'700'000'000 * kSecond;
  report.processes = {{4242, -1, "server", "/usr/bin/server --port 8080 --workers 16", 0, 0}};
  report.to_ns = report.duration_ns = 60 * kSecond;
  report.end_reason = "interrupted";
  report.events = 123456;
  report.sites = {
      site(cache_stack(), figures(40 * kMiB, 640, 48 * kMiB, 1280, 320, 39.5 * kMiB), 58 * kSecond,
           31 * kSecond),
      site(log_stack(), figures(6 * kMiB, 1200, 6 * kMiB, 1200, 0, 5.9 * kMiB), 57 * kSecond, 28 * kSecond),
      site(
          {frame("libssl.so.3+0x1f20", "/usr/lib/libssl.so.3"), frame("SSL_CTX_new", "/usr/lib/libssl.so.3")},
          figures(300'000, 3, 300'000, 3, 0, 0), 59 * kSecond, 59 * kSecond),
      site({}, figures(1536, 7, 1536, 7, 0, std::nullopt), kSecond / 4, std::nullopt)};
  report.sites[0].holding = SiteHolding{0, {{"Cache::instance", 0.97}, {"stack of thread server (4242)", 0.01}}};
  report.sites[1].holding = SiteHolding{1, {}};
  report.sites[2].incomplete = "no unwind table for the code there";
  for (int i = 0; i < 4; ++i) {
    report.sites.push_back(site({frame(fmt::format("small_{}", i), kServer, "small.c", 7)},
                                figures(512 - i, 1, 512 - i, 1, 0, 0), 3 * kSecond, 3 * kSecond));
  }
  SiteReport mapped =
      site({frame("arena_grow", kServer, "arena.c", 210), frame("main", kServer, "server.cpp", 9)},
           figures(64 * kMiB, 1, 64 * kMiB, 1, 0, 0), 59 * kSecond, 59 * kSecond);
  mapped.kind = MemoryKind::kMapping;
  report.sites.push_back(mapped);
  total_up(report);
  report.totals[0].growth = {GrowthShape::kSteady};
  report.totals[0].leaked_bytes = 6 * kMiB;
  report.totals[1].growth = {GrowthShape::kLevelled, 59 * kSecond};
  report.cost = CostReport{1.2, 246912, 120'000'000, 12'500'000'000, 90'000'000, 30'000'000};
  report.stacks = {0.9971, {{"no unwind table for the code there", 3}}, 0.004, 1034};
  report.surprises.unknown_frees = 37;
  report.balances = {server_balance()};
  for (int i = 1; i <= 12; ++i) report.moments_ns.push_back(static_cast<std::uint64_t>(5 * i) * kSecond);
  for (SiteReport& one : report.sites)
    for (int i = 1; i <= 12; ++i) one.live_at.push_back(one.kind == MemoryKind::kMapping ? one.figures.retained_bytes : one.figures.retained_bytes * i / 12);
  return report;
}

MemoryReport troubled_report() {
  MemoryReport report;
  report.info = server_report().info;
  report.info.sample_period_bytes = 524288;
  report.info.container = "7d1f3a";
  report.processes = {{4242, -1, "ser\x1b[31mver", "sh -c 'echo \x1b]0;owned\x07'", 0, 0},
                      {4243, 0, "worker", "", 5 * kSecond, 0}};
  report.from_ns = 10 * kSecond;
  report.to_ns = 40 * kSecond;
  report.duration_ns = 60 * kSecond;
  report.ended = false;
  report.notes = {"the ring buffer was full for 0.9 s", "\x1b[2Jhostile note"};
  SiteReport hostile = site({frame("\x1b[31mred\n\u202Egnp", "/tmp/\x07lib.so"),
                             frame("日本語の関数::名前(int)", "/tmp/x", "源.cpp", 5)},
                            figures(3 * kMiB, 12, 9 * kMiB, 40, 4, -2.5 * kMiB), std::nullopt, std::nullopt);
  hostile.figures.retained_error = 0.4 * kMiB;
  hostile.stacks = 3;
  SiteReport child =
      site(log_stack(), figures(1 * kMiB, 2, 2 * kMiB, 4, 1, 1 * kMiB), 9 * kSecond, 8 * kSecond);
  child.process = 1;
  child.figures.inherited_bytes = 0.5 * kMiB;
  child.figures.inherited_blocks = 1;
  report.sites = {hostile, child};
  total_up(report);
  KindReport left_out{MemoryKind::kHeap, 0, figures(2048, 2, 4096, 4, 0, std::nullopt), 0, {}};
  report.left_out = {left_out};
  report.totals[1].growth = {GrowthShape::kUneven};
  report.sites_left_out = 2;
  report.totals[0].figures = report.totals[0].figures + left_out.figures;
  report.losses = {{"frees lost", 12, 3 * kSecond, 4 * kSecond,
                    "at most 12 blocks (about 3.1 KB) look retained and are not"}};
  report.surprises = {37, 2, 1, 0};
  report.stacks = {0.99996, {}, 0, 50000};
  report.unseen = {{0, "memory", "calloc in /usr/lib/\x1b[1mlibc.so.6", "refused"}};
  return report;
}

MemoryDiff server_diff() {
  MemoryDiff diff;
  diff.before = diff.after = server_report().info;
  diff.after.start_unix_ns += 86400 * kSecond;
  diff.before_process = diff.after_process = "server (4242)";
  diff.before_duration_ns = diff.after_duration_ns = 60 * kSecond;
  diff.notes = {"the recordings are of different builds of /usr/bin/server"};
  auto change = [](std::vector<ReportFrame> stack, double before, double before_blocks, double after,
                   double after_blocks) {
    DiffSite made;
    made.stack = std::move(stack);
    made.before = figures(before, before_blocks, before, before_blocks, 0, std::nullopt);
    made.after = figures(after, after_blocks, after, after_blocks, 0, std::nullopt);
    made.in_before = before_blocks > 0;
    made.in_after = after_blocks > 0;
    return made;
  };
  diff.sites = {change(cache_stack(), 10 * kMiB, 160, 40 * kMiB, 640),
                change(log_stack(), 0, 0, 6 * kMiB, 1200),
                change({frame("Pool::refill", kServer, "pool.cpp", 5)}, 1 * kMiB, 4, 0, 0),
                change({frame("Table::shrink", kServer, "table.cpp", 77), frame("main", kServer)}, 9 * kMiB,
                       3, 2 * kMiB, 1)};
  diff.totals = {change({}, 21 * kMiB, 170, 49 * kMiB, 1844)};
  return diff;
}

}  // namespace dwell
