// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/top/sample_models.h"

#include <fmt/core.h>

namespace dwell::top {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr double kMiB = 1 << 20;

SiteRow site(std::uint64_t key, const std::string& name, double live, std::optional<double> rate, double blocks, const std::vector<double>& curve) {
  SiteRow row;
  row.key = key;
  row.name = name;
  row.live = live;
  row.live_text = fmt::format("{:.1f} MB", live / kMiB);
  row.rate = rate;
  row.blocks = blocks;
  row.curve = curve;
  row.stack = {"malloc  libc.so.6", name.substr(0, name.find(' ')) + "  server.cpp:41", "main  server.cpp:12"};
  return row;
}

}  // namespace

Model server_model() {
  Model model;
  model.process = "server (4242)";
  model.elapsed_ns = 95 * kSecond;
  model.resident = 322.1 * kMiB;
  model.resident_rate = 41.9 * kMiB;
  for (std::uint64_t i = 0; i < 95; ++i) {
    model.resident_curve.times_ns.push_back(i * kSecond);
    model.resident_curve.values.push_back((256 + 0.7 * static_cast<double>(i)) * kMiB);
  }
  model.live = 66.5 * kMiB;
  model.live_rate = 41.5 * kMiB;
  model.limit = "63 % of the 512.0 MB of its control group";
  model.time_left = "reached in 4 min 32 s (4 min 10 s to 4 min 58 s)";
  model.overhead = 1.3;
  model.moments_ns = {20 * kSecond, 40 * kSecond, 60 * kSecond, 80 * kSecond, 95 * kSecond};
  model.to_ns = 95 * kSecond;
  model.rows = {
      site(1, "Cache::insert (cache.h:41) ← Server::handle ← Server::run ← main", 60 * kMiB, 41.9 * kMiB, 7152, {12 * kMiB, 24 * kMiB, 36 * kMiB, 48 * kMiB, 60 * kMiB}),
      site(2, "Log::append (log.cpp:33) ← Server::run ← main", 6 * kMiB, -0.5 * kMiB, 426, {6.4 * kMiB, 6.3 * kMiB, 6.2 * kMiB, 6.1 * kMiB, 6 * kMiB}),
      site(3, "arena_grow (arena.c:90) ← arena_alloc ← parse", 0.5 * kMiB, 0.0, 2, {0.5 * kMiB, 0.5 * kMiB, 0.5 * kMiB, 0.5 * kMiB, 0.5 * kMiB}),
  };
  model.rows[2].kind = "mapped";
  model.rest_sites = 12;
  model.rest_live = 0.1 * kMiB;
  return model;
}

Model quiet_model() {
  Model model;
  model.process = "idle (7)";
  model.elapsed_ns = 30 * kSecond;
  model.resident = 4 * kMiB;
  model.resident_rate = 0;
  model.resident_curve = {{0, 10 * kSecond, 30 * kSecond}, {4 * kMiB, 4 * kMiB, 4 * kMiB}};
  model.live = model.live_rate = 0;
  return model;
}

Model troubled_model() {
  Model model = server_model();
  model.state = "ended: the target ended";
  model.lost = "1,234 events lost: figures are not complete";
  model.estimated = true;
  model.overhead = 2.6;
  model.budget = 2;
  model.near_limit = true;
  model.has_go = true;
  model.marks_ns = {30 * kSecond, 60 * kSecond};
  for (SiteRow& row : model.rows) {
    row.live_text += " ± 0.3 MB";
    row.since_mark = row.live / 3;
    row.rate.reset();
  }
  model.rows[2].blocks.reset();
  return model;
}

}  // namespace dwell::top
