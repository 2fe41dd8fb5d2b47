// SPDX-License-Identifier: Apache-2.0
#include "userspace/threads/own_ids.h"

#include <gmock/gmock.h>
#include <unistd.h>

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NamespaceIds, AreThoseOfEachNamespaceFromOursDown) {
  EXPECT_THAT(namespace_ids("Name:\tx\nNSpid:\t812\nThreads:\t1\n"), ElementsAre(812));
  EXPECT_THAT(namespace_ids("NSpid:\t812\t31\t7\n"), ElementsAre(812, 31, 7));
}

TEST(NamespaceIds, OfATextThatHasNoneAreNone) {
  EXPECT_THAT(namespace_ids(""), IsEmpty());
  EXPECT_THAT(namespace_ids("NStgid:\t812\n"), IsEmpty());
  EXPECT_THAT(namespace_ids("NSpid:\tx\t99999999999999\n"), IsEmpty());
}

TEST(OwnIds, OfAThreadThatIsThere) {
  EXPECT_EQ(thread_that_calls_itself(::getpid(), static_cast<Tid>(::getpid())), static_cast<Tid>(::getpid()));
  EXPECT_EQ(thread_that_calls_itself(::getpid(), 0), std::nullopt);
  EXPECT_EQ(thread_that_calls_itself(0, 1), std::nullopt) << "there is no such process";
}

}  // namespace
}  // namespace dwell
