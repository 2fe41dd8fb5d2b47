// SPDX-License-Identifier: Apache-2.0
// Terminal: the screen and the keys, by ncurses. Thin: what it shows and what keys mean is decided elsewhere.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "userspace/base/result.h"
#include "userspace/top/screen.h"
#include "userspace/top/state.h"

namespace dwell::top {

class Terminal {
 public:
  // Takes over the terminal of standard input and output. Exit::kUsage where TERM names none that could be used.
  static Result<std::unique_ptr<Terminal>> open();
  ~Terminal();  // gives it back as it was

  std::size_t columns() const;
  std::size_t rows() const;
  void resized();  // after SIGWINCH
  void draw(const Screen& screen);
  std::optional<KeyPress> key();  // that was pressed; none: no more. Does not block.

 private:
  explicit Terminal(void* screen);
  void* screen_;
  bool colour_ = false;
};

}  // namespace dwell::top
