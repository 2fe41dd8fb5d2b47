// SPDX-License-Identifier: Apache-2.0
// Pools of connections: database/sql, by the layout of its DB.
#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "ui/words.h"
#include "userspace/go/code/places.h"
#include "userspace/go/findings/parts.h"
#include "userspace/go/goroutines/reader.h"
#include "userspace/go/runtime/types.h"

namespace dwell {
namespace {

// sql.DB. What waits for a connection takes three words since 1.23, not two.
constexpr std::uint64_t kConnector = 8, kSizeOfDb = 144;
constexpr int kFirstWithRequestSet = 23;

struct PoolFigures {
  std::uint64_t open = 0, limit = 0;
};

class PoolReader {
 public:
  explicit PoolReader(const GoRuntime& runtime) : runtime_(runtime) {
    for (const GoItab& itab : go_itabs(runtime))
      if (go_type_name(runtime, itab.interface) == "driver.Connector") connectors_.push_back(itab.address);
  }

  // Of the pool that the goroutine with this stack waits for.
  std::optional<PoolFigures> find(const std::vector<std::uint64_t>& pcs) const {
    std::optional<PoolFigures> found;
    Result<LookFigures> read = read_goroutines(runtime_, [&](const Goroutine& goroutine) {
      if (!found && goroutine.pcs == pcs) found = on_stack_of(goroutine);
    });
    return read ? found : std::nullopt;
  }

 private:
  std::optional<PoolFigures> on_stack_of(const Goroutine& goroutine) const {
    constexpr std::uint64_t kMostStack = 16384;
    std::string stack(std::min(goroutine.stack_high - goroutine.sp, kMostStack), '\0');
    stack.resize(runtime_.memory().read_some(goroutine.sp, stack.data(), stack.size()));
    for (std::size_t at = 0; at + 8 <= stack.size(); at += 8)
      if (std::optional<PoolFigures> pool = pool_at(field_of<std::uint64_t>(stack, at))) return pool;
    return std::nullopt;
  }

  std::optional<PoolFigures> pool_at(std::uint64_t address) const {
    char bytes[kSizeOfDb] = {};
    if (address < 4096 || !runtime_.memory().read(address, bytes, sizeof bytes)) return std::nullopt;
    std::string_view db(bytes, sizeof bytes);
    if (std::ranges::find(connectors_, field_of<std::uint64_t>(db, kConnector)) == connectors_.end()) return std::nullopt;
    std::size_t more = static_cast<int>(runtime_.layout().minor) >= kFirstWithRequestSet ? 8 : 0;
    return PoolFigures{field_of<std::uint64_t>(db, 80 + more), field_of<std::uint64_t>(db, 128 + more)};
  }

  const GoRuntime& runtime_;
  std::vector<std::uint64_t> connectors_;
};

}  // namespace

void add_pools(CodeOnDemand& code, GoroutineReport& report) {
  auto waits_for_connection = [](const GoroutineGroup& group) {
    return group.waits && std::ranges::any_of(group.calls, [](const GoCall& call) { return call.function == "database/sql.(*DB).conn"; });
  };
  std::uint64_t waiting = 0;
  const GoroutineGroup* most = nullptr;
  for (const GoroutineGroup& group : report.groups) {
    if (!waits_for_connection(group)) continue;
    waiting += group.count;
    if (!most || group.count > most->count) most = &group;
  }
  if (!most) return;
  std::optional<PoolFigures> pool = PoolReader(code.runtime()).find(most->pcs);
  bool used_up = pool && pool->limit && pool->open >= pool->limit;
  Finding finding;
  finding.weight = used_up ? FindingWeight::kLimit : FindingWeight::kPileUp;
  finding.headline = fmt::format("{} {} for a connection of a database/sql pool, most at {}", counted(waiting, "goroutine"),
                                 waiting == 1 ? "waits" : "wait", own_place_text(most->calls));
  if (used_up) finding.evidence.push_back(fmt::format("all {} connections that it may open are in use", count_text(pool->limit)));
  GoMakers makers = makers_of_rows(code.sites());
  if (!makers.never_calls.empty())
    finding.evidence.push_back(fmt::format("rows are taken {}, which never calls {}", places_text(makers), makers.never_calls));
  finding.command = fmt::format("dwell go {}", report.pid);
  report.findings.push_back(std::move(finding));
}

}  // namespace dwell
