// SPDX-License-Identifier: Apache-2.0
#include "userspace/top/terminal.h"

#include <fmt/core.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <string>

#define NCURSES_NOMACROS
#include <curses.h>

namespace dwell::top {
namespace {

enum Pair : short { kPairGrew = 1, kPairShrank, kPairWarning };

// Everything that dwell writes is UTF-8.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

bool wants_colour() {
  const char* refused = std::getenv("NO_COLOR");
  return !(refused && *refused) && ::has_colors();
}

attr_t attributes_of(Paint paint) { return paint == Paint::kStrong ? A_BOLD : paint == Paint::kDim ? A_DIM : A_NORMAL; }

short pair_of(Paint paint) {
  if (paint == Paint::kGrew) return kPairGrew;
  if (paint == Paint::kShrank) return kPairShrank;
  return paint == Paint::kWarning ? kPairWarning : 0;
}

constexpr struct { int code; Key key; } kKeys[] = {
    {KEY_ENTER, Key::kEnter}, {KEY_BACKSPACE, Key::kBackspace}, {KEY_UP, Key::kUp},       {KEY_DOWN, Key::kDown},
    {KEY_PPAGE, Key::kPageUp}, {KEY_NPAGE, Key::kPageDown},     {KEY_HOME, Key::kHome},   {KEY_END, Key::kEnd},
    {KEY_LEFT, Key::kLeft},   {KEY_RIGHT, Key::kRight},         {KEY_BTAB, Key::kBackTab},
};

KeyPress text_key(wint_t code) {
  if (code == L'\n' || code == L'\r') return {Key::kEnter};
  if (code == L'\t') return {Key::kTab};
  if (code == 27) return {Key::kEscape};
  if (code == 127 || code == 8) return {Key::kBackspace};
  char bytes[MB_LEN_MAX + 1] = {};
  std::mbstate_t state{};
  std::size_t size = std::wcrtomb(bytes, static_cast<wchar_t>(code), &state);
  bool is_text = code >= 32 && size != static_cast<std::size_t>(-1);
  return {Key::kText, is_text ? std::string(bytes, size) : std::string()};
}

}  // namespace

Result<std::unique_ptr<Terminal>> Terminal::open() {
  use_utf8();
  SCREEN* screen = ::newterm(nullptr, stdout, stdin);
  if (screen) return std::unique_ptr<Terminal>(new Terminal(screen));
  const char* term = std::getenv("TERM");
  return Error{fmt::format("draw on this terminal: nothing is known of TERM={}", term ? term : ""),
               "set TERM to what the terminal is, xterm say; or read plain lines: dwell top PID | cat", Exit::kUsage};
}

Terminal::Terminal(void* screen) : screen_(screen) {
  ::cbreak();
  ::noecho();
  ::nonl();
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  constexpr int kEscapeMs = 25;  // Escape alone, not the beginning of an arrow key
  ::set_escdelay(kEscapeMs);
  ::curs_set(0);
  colour_ = wants_colour();
  if (!colour_) return;
  ::start_color();
  ::use_default_colors();
  ::init_pair(kPairGrew, COLOR_RED, -1);
  ::init_pair(kPairShrank, COLOR_CYAN, -1);
  ::init_pair(kPairWarning, COLOR_YELLOW, -1);
}

Terminal::~Terminal() {
  ::endwin();
  ::delscreen(static_cast<SCREEN*>(screen_));
}

std::size_t Terminal::columns() const { return static_cast<std::size_t>(std::max(getmaxx(stdscr), 1)); }
std::size_t Terminal::rows() const { return static_cast<std::size_t>(std::max(getmaxy(stdscr), 1)); }

void Terminal::resized() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0) ::resizeterm(window.ws_row, window.ws_col);
}

void Terminal::draw(const Screen& screen) {
  ::werase(stdscr);
  int row = 0;
  for (const Line& line : screen.lines) {
    if (row >= getmaxy(stdscr)) break;
    ::wmove(stdscr, row++, 0);
    for (const Span& span : line.spans) {
      attr_t attributes = attributes_of(span.paint) | (span.reversed || line.reversed ? A_REVERSE : A_NORMAL);
      // A dim bar can't be read.
      if (line.reversed) attributes &= ~static_cast<attr_t>(A_DIM);
      ::wattr_set(stdscr, attributes, colour_ ? pair_of(span.paint) : static_cast<short>(0), nullptr);
      ::waddstr(stdscr, span.text.c_str());
    }
    if (line.reversed) {
      ::wattr_set(stdscr, A_REVERSE, 0, nullptr);
      for (int column = getcurx(stdscr); column < getmaxx(stdscr) && getcury(stdscr) == row - 1; ++column) ::waddch(stdscr, ' ');
    }
    ::wattr_set(stdscr, A_NORMAL, 0, nullptr);
  }
  ::wrefresh(stdscr);
}

std::optional<KeyPress> Terminal::key() {
  wint_t code = 0;
  int kind = ::wget_wch(stdscr, &code);
  if (kind == ERR) return std::nullopt;
  if (kind == OK) return text_key(code);
  for (const auto& [known, key] : kKeys)
    if (static_cast<int>(code) == known) return KeyPress{key};
  return KeyPress{Key::kText, ""};
}

}  // namespace dwell::top
