// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/remote_unwinder.h"

#include <execinfo.h>
#include <gtest/gtest.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

namespace dwell {
namespace {

struct Taken {
  RemoteStack stack;
  std::vector<void*> expected;  // by the C library's own unwinder
};

bool read_own_memory(std::uint64_t address, void* to, std::size_t size) {
  iovec local = {to, size}, remote = {reinterpret_cast<void*>(address), size};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

// Both walk while these frames are still there, each from a call of its own in here.
[[gnu::noinline]] Taken at_depth(const RemoteUnwinder& unwinder, int depth) {
  if (depth > 0) {
    Taken taken = at_depth(unwinder, depth - 1);
    __asm__ volatile("" ::: "memory");  // no tail call
    return taken;
  }
  Taken taken;
  void* pcs[128];
  int count = ::backtrace(pcs, 128);
  taken.expected.assign(pcs, pcs + count);
  ucontext_t context;
  ::getcontext(&context);
  const auto& registers = context.uc_mcontext.gregs;
  ThreadRegisters start;
  start.pc = static_cast<std::uint64_t>(registers[REG_RIP]);
  start.sp = static_cast<std::uint64_t>(registers[REG_RSP]);
  start.bp = static_cast<std::uint64_t>(registers[REG_RBP]);
  taken.stack = unwinder.unwind(start, read_own_memory);
  return taken;
}

TEST(RemoteUnwinder, FindsTheFramesThatTheCLibraryFinds) {
  RemoteUnwinder unwinder = RemoteUnwinder::create(::getpid(), *read_maps(::getpid()));
  EXPECT_TRUE(unwinder.problems().empty());
  Taken taken = at_depth(unwinder, 20);
  EXPECT_EQ(taken.stack.end, DWELL_STACK_COMPLETE);
  ASSERT_GT(taken.stack.frames.size(), 22u);
  EXPECT_TRUE(taken.stack.frames[0].exact);
  std::vector<std::uint64_t> found, expected;
  for (const RemoteFrame& frame : taken.stack.frames) found.push_back(frame.pc);
  for (void* pc : taken.expected) expected.push_back(reinterpret_cast<std::uint64_t>(pc));
  // The innermost differs: two places in the same function.
  found.erase(found.begin());
  expected.erase(expected.begin());
  // A sanitizer's own backtrace() stands between.
  if (expected.size() == found.size() + 1) expected.erase(expected.begin());
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace dwell
