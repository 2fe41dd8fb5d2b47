// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/findings/library_pools.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "ui/words.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/parts.h"

namespace dwell {
namespace {

constexpr std::string_view kPgxTakes[] = {"github.com/jackc/pgx/v4/pgxpool.(*Pool).Acquire", "github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire",
                                          "github.com/jackc/pgx/v4/pgxpool.(*Pool).BeginTx", "github.com/jackc/pgx/v5/pgxpool.(*Pool).BeginTx"};
constexpr std::string_view kPgxGives[] = {"github.com/jackc/pgx/v4/pgxpool.(*Conn).Release", "github.com/jackc/pgx/v5/pgxpool.(*Conn).Release"};
constexpr std::string_view kRedigoTakes[] = {"github.com/gomodule/redigo/redis.(*Pool).Get", "github.com/gomodule/redigo/redis.(*Pool).GetContext"};

constexpr LibraryPool kLibraryPools[] = {
    {"a connection of a pgx pool", "jackc/puddle", ").Acquire", "github.com/jackc/", kPgxTakes, kPgxGives, "Conn.Release"},
    {"a connection of a pgx pool", "jackc/puddle", ").acquire", "github.com/jackc/", kPgxTakes, kPgxGives, "Conn.Release"},
    {"a connection of a redigo pool", "gomodule/redigo/redis", ").waitVacantConn", "github.com/gomodule/redigo/", kRedigoTakes, {}, ""},
    {"a connection of a go-redis pool", "/internal/pool", "(*ConnPool).waitTurn", "redis/", {}, {}, ""},
    {"a free stream of a gRPC connection", "google.golang.org/grpc/internal/transport", "(*http2Client).NewStream", "google.golang.org/grpc", {}, {}, ""},
};
constexpr std::uint64_t kManyUsers = 4;  // a pool is there to be waited for now and then

}  // namespace

std::span<const LibraryPool> library_pools() { return kLibraryPools; }

const LibraryPool* pool_waited_for(std::span<const GoCall> calls) {
  for (const GoCall& call : calls)
    for (const LibraryPool& pool : kLibraryPools)
      if (call.function.find(pool.package) != std::string::npos && call.function.ends_with(pool.method)) return &pool;
  return nullptr;
}

const GoCall* user_of_pool(std::span<const GoCall> calls, const LibraryPool& pool) {
  bool inside = true;  // of what the library's wait calls
  for (const GoCall& call : calls) {
    inside = inside && !(call.function.find(pool.package) != std::string::npos && call.function.ends_with(pool.method));
    if (inside) continue;
    bool of_library = call.function.find(pool.libraries) != std::string::npos || call.function.find(pool.package) != std::string::npos;
    if (!call.hidden && !of_library && !of_standard_library(call.function)) return &call;
  }
  return nullptr;
}

std::span<const std::string_view> pool_functions() {
  static const std::vector<std::string_view> kAll = [] {
    std::vector<std::string_view> all;
    for (const LibraryPool& pool : kLibraryPools) {
      all.insert(all.end(), pool.takes.begin(), pool.takes.end());
      all.insert(all.end(), pool.gives.begin(), pool.gives.end());
    }
    return all;
  }();
  return kAll;
}

void add_library_pools(CodeOnDemand& code, GoroutineReport& report) {
  for (const LibraryPool& pool : kLibraryPools) {
    std::uint64_t waiting = 0, most = 0;
    const GoCall* user = nullptr;
    for (const GoroutineGroup& group : report.groups) {
      if (!group.waits || pool_waited_for(group.calls) != &pool) continue;
      waiting += group.count;
      const GoCall* own = user_of_pool(group.calls, pool);
      if (own && group.count > most) user = own;
      most = std::max(most, group.count);
    }
    if (waiting < kManyUsers) continue;
    Finding& finding = report.findings.emplace_back();
    finding.weight = FindingWeight::kPileUp;
    finding.headline = fmt::format("{} wait for {}{}", counted(waiting, "goroutine"), pool.what, user ? ", most at " + place_text(*user) : "");
    GoCallSites sites = GoCallSites::find(code.runtime(), pool_functions());
    GoMakers takers = makers_who_keep(sites, pool.takes, pool.gives, pool.give_words);
    if (!takers.never_calls.empty()) finding.evidence.push_back(fmt::format("they are taken {}, which never calls {}", places_text(takers), takers.never_calls));
    finding.command = fmt::format("dwell go {}", report.pid);
  }
}

}  // namespace dwell
