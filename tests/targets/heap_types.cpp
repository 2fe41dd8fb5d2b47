// SPDX-License-Identifier: Apache-2.0
// Keeps blocks of known kinds: objects with virtual functions, shared ones, arrays of them, texts, zeros, pointers.
#include "tests/targets/heap_types.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

namespace shop {

struct Session {
  virtual ~Session() = default;
  long numbers[9] = {1, 2, 3};
};

struct Timer final : Session {
  long due = 7;
};

struct Plain {
  long values[5] = {1, 2, 3, 4, 5};
};

}  // namespace shop

namespace {

void* static_blocks[2048];

void scenario() {
  for (int i = 0; i < HT_SESSIONS; ++i) keep(new shop::Session);
  for (int i = 0; i < HT_TIMERS; ++i) keep(new shop::Timer);
  static std::vector<std::shared_ptr<shop::Plain>> shared;
  shared.reserve(HT_SHARED);
  for (int i = 0; i < HT_SHARED; ++i) shared.push_back(std::make_shared<shop::Plain>());
  for (int i = 0; i < HT_ARRAYS; ++i) keep(new shop::Session[3]);
  for (int i = 0; i < HT_TEXTS; ++i) keep(std::strcpy(static_cast<char*>(std::malloc(100)), "GET /index.html HTTP/1.1"));
  for (int i = 0; i < HT_ZEROS; ++i) keep(std::calloc(1, 2000));
  for (int i = 0; i < HT_NODES; ++i) {
    void** node = static_cast<void**>(keep(std::malloc(48)));
    for (int word = 0; word < 6; ++word) node[word] = &static_blocks[i];
  }
}

}  // namespace

int main() {
  say("ready\n");
  wait_for_line();
  scenario();
  say("done\n");
  wait_for_line();
}
