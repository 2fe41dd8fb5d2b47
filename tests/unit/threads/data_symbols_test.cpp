// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/data_symbols.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace dwell {
namespace {

TEST(DataSymbols, UnknownMemoryMayBeShared) {
  Mapping private_memory;
  private_memory.start = 0x1000;
  private_memory.end = 0x2000;
  Mapping shared_memory = private_memory;
  shared_memory.start = 0x2000;
  shared_memory.end = 0x3000;
  shared_memory.shared = true;
  DataSymbols symbols(::getpid(), {private_memory, shared_memory});
  EXPECT_FALSE(symbols.is_shared(0x1800));
  EXPECT_TRUE(symbols.is_shared(0x2800));
  EXPECT_TRUE(symbols.is_shared(0x9000)) << "mapped since";
}

}  // namespace
}  // namespace dwell
