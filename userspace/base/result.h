// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value, or an Error that says what was being done, to what, why it failed, and what to run next.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace dwell {

// Exit codes of the dwell command, documented in docs/errors.md. Scripts depend on them.
enum class Exit : int {
  kOk = 0,
  kFailed = 1,        // the work could not be done; the message says why
  kUsage = 2,         // the command line could not be understood
  kNoTarget = 3,      // no such process, or it ended before anything was seen
  kNotPermitted = 4,  // a privilege or a kernel setting is missing
  kUnsupported = 5,   // this kernel or this target cannot be traced this way
  kBadInput = 6,      // a file is not a recording, or is damaged beyond reading
  kOutput = 7,        // the output could not be written
  kFound = 8,         // the command worked, and found what it was asked to look for (a deadlock)
};

struct Error {
  std::string what;  // "attach uprobe malloc in /usr/lib/libc.so.6: Operation not permitted"
  std::string hint;  // what to run or change; may be empty
  Exit exit = Exit::kFailed;

  // The same error seen from one level up: "read maps of PID 7: open /proc/7/maps: No such file".
  Error because_of(const std::string& doing) const& { return {doing + ": " + what, hint, exit}; }
};

// An Error for a failed system call: "<doing>: <strerror(err)>". EPERM/EACCES become Exit::kNotPermitted.
Error system_error(const std::string& doing, int err, std::string hint = {});

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& value() {
    assert(state_.index() == 0);
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    assert(state_.index() == 0);
    return *std::get_if<0>(&state_);
  }
  const Error& error() const {
    assert(state_.index() == 1);
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}
  explicit operator bool() const { return !failed_; }
  const Error& error() const {
    assert(failed_);
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace dwell
