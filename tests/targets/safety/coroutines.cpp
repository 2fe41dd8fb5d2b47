// SPDX-License-Identifier: Apache-2.0
// C++ coroutines: frames from operator new, exceptions across suspensions.
#include <coroutine>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "cases.h"

namespace {

class Generator {
 public:
  struct promise_type {
    int value = 0;
    std::exception_ptr error;
    Generator get_return_object() { return Generator(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(int next) {
      value = next;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { error = std::current_exception(); }
  };

  explicit Generator(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Generator(Generator&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ~Generator() {
    if (handle_) handle_.destroy();
  }
  std::optional<int> next() {
    handle_.resume();
    if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
    if (handle_.done()) return std::nullopt;
    return handle_.promise().value;
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

Generator count_to(int end) {
  std::vector<int> numbers;
  for (int i = 1; i <= end; ++i) {
    numbers.push_back(i);
    co_yield numbers.back();
  }
}
Generator throw_at(int end) {
  for (int i = 1; i < end; ++i) co_yield i;
  throw std::runtime_error("at the end");
}

const char* generators() {
  int sum = 0;
  for (int i = 0; i < 20; ++i) {
    Generator numbers = count_to(i);
    while (std::optional<int> number = numbers.next()) sum += *number;
  }
  return sum == 1330 ? "1330" : "wrong sum";
}

const char* exceptions() {
  int sum = 0;
  Generator numbers = throw_at(10);
  try {
    while (std::optional<int> number = numbers.next()) sum += *number;
  } catch (const std::runtime_error&) {
    return sum == 45 ? "threw at 45" : "threw too early";
  }
  return "did not throw";
}

const safety_case kCases[] = {{"generators", generators}, {"exceptions", exceptions}};

}  // namespace

int main(int argc, char** argv) { return RUN_CASES(argc, argv, kCases); }
