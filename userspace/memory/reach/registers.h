// SPDX-License-Identifier: Apache-2.0
// The registers of a process's threads, read by a BPF iterator. None is stopped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "userspace/base/result.h"

namespace dwell::memory::reach {

struct ThreadRegisters {
  pid_t tid = 0;
  bool running = false;  // on a CPU just now: the registers are old, and so is the stack pointer
  std::uint64_t stack_pointer = 0;
  std::vector<std::uint64_t> words;  // those of its signal stack and its thread-local storage, which is the last, too
};

class RegisterReader {
 public:
  static Result<RegisterReader> open(pid_t pid);
  RegisterReader(RegisterReader&&) noexcept;
  ~RegisterReader();
  // Of all its threads, now.
  Result<std::vector<ThreadRegisters>> read();

 private:
  struct Impl;
  explicit RegisterReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell::memory::reach
