// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/findings/library_pools.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

std::vector<GoCall> stack_of(std::initializer_list<const char*> functions) {
  std::vector<GoCall> calls;
  for (const char* function : functions) calls.push_back({function, "f.go", 7, false, false});
  return calls;
}

TEST(LibraryPools, AreRecognizedByWhatWaits) {
  const std::pair<std::vector<GoCall>, std::string> kCases[] = {
      {stack_of({"sync.(*Cond).Wait", "github.com/jackc/puddle.(*Pool).Acquire", "github.com/jackc/pgx/v4/pgxpool.(*Pool).Acquire", "main.query"}), "a connection of a pgx pool"},
      {stack_of({"golang.org/x/sync/semaphore.(*Weighted).Acquire", "github.com/jackc/puddle/v2.(*Pool[...]).acquire", "github.com/jackc/puddle/v2.(*Pool[...]).Acquire",
                 "github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire", "main.query"}), "a connection of a pgx pool"},
      {stack_of({"github.com/gomodule/redigo/redis.(*Pool).waitVacantConn", "github.com/gomodule/redigo/redis.(*Pool).GetContext", "main.query"}), "a connection of a redigo pool"},
      {stack_of({"github.com/redis/go-redis/v9/internal/pool.(*ConnPool).waitTurn", "github.com/redis/go-redis/v9.(*baseClient).getConn", "main.query"}), "a connection of a go-redis pool"},
      {stack_of({"google.golang.org/grpc/internal/transport.(*http2Client).NewStream", "google.golang.org/grpc.(*clientStream).newAttemptLocked", "main.query"}), "a free stream of a gRPC connection"},
      {stack_of({"shop/vendor/github.com/jackc/puddle.(*Pool).Acquire", "shop/vendor/github.com/jackc/pgx/v4/pgxpool.(*Pool).Acquire", "main.query"}), "a connection of a pgx pool"}};
  for (const auto& [calls, what] : kCases) {
    const LibraryPool* pool = pool_waited_for(calls);
    ASSERT_NE(pool, nullptr) << calls[0].function;
    EXPECT_EQ(pool->what, what);
    const GoCall* user = user_of_pool(calls, *pool);
    ASSERT_NE(user, nullptr);
    EXPECT_EQ(user->function, "main.query");
  }
}

TEST(LibraryPools, AreNoOtherWaits) {
  EXPECT_EQ(pool_waited_for(stack_of({"golang.org/x/sync/semaphore.(*Weighted).Acquire", "main.query"})), nullptr);
  EXPECT_EQ(pool_waited_for(stack_of({"github.com/jackc/puddle.(*Pool).Close", "main.stop"})), nullptr);
  EXPECT_EQ(pool_waited_for(stack_of({"internal/poll.(*FD).Read", "github.com/gomodule/redigo/redis.(*conn).Do", "main.query"})), nullptr);
}

}  // namespace
}  // namespace dwell
