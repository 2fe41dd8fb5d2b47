// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/channel.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

namespace dwell {
namespace {

struct Pair {
  Pair() {
    Result<std::pair<UniqueFd, UniqueFd>> ends = Channel::make_pair();
    a = Channel(std::move(ends->first));
    b = Channel(std::move(ends->second));
  }
  Channel a, b;
};

TEST(Channel, CarriesBytesAndDescriptors) {
  Pair pair;
  std::string much(3 << 20, 'x');
  int null = ::open("/dev/null", O_RDONLY);
  std::thread sender([&] { EXPECT_TRUE(pair.a.send(much, {&null, 1})); });
  Result<Message> got = pair.b.receive(much.size());
  sender.join();
  ::close(null);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->bytes, much);
  ASSERT_EQ(got->fds.size(), 1u);
  EXPECT_GE(::fcntl(got->fds[0].get(), F_GETFD), 0);
}

TEST(Channel, ALengthThatIsALieTakesNoMemory) {
  Pair pair;
  std::uint64_t size = std::uint64_t{1} << 60;
  ASSERT_EQ(::send(pair.a.fd(), &size, sizeof size, 0), static_cast<ssize_t>(sizeof size));
  Result<Message> got = pair.b.receive(1 << 20);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().what, ::testing::HasSubstr("of 1048576 at most"));
  std::uint64_t less = std::uint64_t{512} << 20;
  ASSERT_EQ(::send(pair.b.fd(), &less, sizeof less, 0), static_cast<ssize_t>(sizeof less));
  pair.b.close();
  EXPECT_FALSE(pair.a.receive(less)) << "it says much, sends nothing and ends";
}

TEST(Channel, SilenceEndsWhenPatienceDoes) {
  Pair pair;
  int asked = 0;
  Result<Message> got = pair.b.receive(10, [&] { return ++asked < 2 ? "" : "enough"; });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "enough");
}

TEST(Channel, WhoHasEndedIsNoSignal) {
  Pair pair;
  pair.b.close();
  EXPECT_FALSE(pair.a.send("x"));
  EXPECT_FALSE(pair.a.receive(10));
}

}  // namespace
}  // namespace dwell
