// SPDX-License-Identifier: Apache-2.0
// Every form of operator new and delete, and exceptions that leave them without a return.
#include "tests/targets/cxx_operators.h"

#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

namespace {
bool may_throw = true;
}

extern "C" {  // names that need no demangling

constexpr std::align_val_t kAlignment{kCxxAlignment};

// Three blocks stay, and one more is made and given back in the way that belongs to it.
#define THREE_OF(make, give_back)             \
  for (int i = 0; i < 3; ++i) keep(make);     \
  void* more = opaque(make);                  \
  give_back

SCENARIO void keep_new() { THREE_OF(::operator new(100), ::operator delete(more)); }
SCENARIO void keep_new_array() { THREE_OF(::operator new[](110), ::operator delete[](more)); }
SCENARIO void keep_new_nothrow() {
  THREE_OF(::operator new(120, std::nothrow), ::operator delete(more, std::nothrow));
}
SCENARIO void keep_new_array_nothrow() {
  THREE_OF(::operator new[](130, std::nothrow), ::operator delete[](more, std::nothrow));
}
SCENARIO void keep_new_aligned() { THREE_OF(::operator new(140, kAlignment), ::operator delete(more, kAlignment)); }
SCENARIO void keep_new_array_aligned() {
  THREE_OF(::operator new[](150, kAlignment), ::operator delete[](more, kAlignment));
}
SCENARIO void keep_new_aligned_nothrow() {
  THREE_OF(::operator new(160, kAlignment, std::nothrow), ::operator delete(more, kAlignment, std::nothrow));
}
SCENARIO void keep_new_array_aligned_nothrow() {
  THREE_OF(::operator new[](170, kAlignment, std::nothrow), ::operator delete[](more, kAlignment, std::nothrow));
}

SCENARIO void deleted_by_every_form() {
  for (int i = 0; i < 5; ++i) {
    ::operator delete(opaque(::operator new(48)));
    ::operator delete(opaque(::operator new(48)), std::size_t{48});
    ::operator delete[](opaque(::operator new[](48)));
    ::operator delete[](opaque(::operator new[](48)), std::size_t{48});
    ::operator delete(opaque(::operator new(48, kAlignment)), kAlignment);
    ::operator delete(opaque(::operator new(48, kAlignment)), 48, kAlignment);
    ::operator delete[](opaque(::operator new[](48, kAlignment)), kAlignment);
    ::operator delete[](opaque(::operator new[](48, kAlignment)), 48, kAlignment);
    ::operator delete(opaque(::operator new(48)), std::nothrow);
    ::operator delete[](opaque(::operator new[](48)), std::nothrow);
    ::operator delete(static_cast<void*>(nullptr));
  }
}

#define TOO_MUCH (PTRDIFF_MAX - 4096)

SCENARIO void new_throws() {
  if (!may_throw) return;
  bool thrown = false;
  try {
    opaque(::operator new(opaque_size(TOO_MUCH)));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  check(thrown, "operator new of nearly everything must throw");
}

// Fails under a limit of the program's memory only.
SCENARIO void large_new_may_throw() {
  if (!may_throw) return;
  try {
    ::operator delete(opaque(::operator new(opaque_size(1 << 30))));
  } catch (const std::bad_alloc&) {
  }
}

SCENARIO void new_aligned_throws() {
  if (!may_throw) return;
  bool thrown = false;
  try {
    opaque(::operator new(opaque_size(TOO_MUCH), kAlignment));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  check(thrown, "an aligned operator new of nearly everything must throw");
}

SCENARIO void new_nothrow_fails() {
  check(!::operator new(opaque_size(TOO_MUCH), std::nothrow), "operator new of nearly everything must fail");
}

// The thrown call never returned. What the thread asks for from deeper down is no part of it, though its
// stack pointer looks so; nor is what it asks for from further up.
SCENARIO void keep_deep_after_the_throw(int depth = 8) {
  volatile char frame[512];
  frame[0] = 1;
  if (depth > 0) {
    keep_deep_after_the_throw(depth - 1);
  } else {
    keep(malloc(90));
    keep(::operator new(91));
  }
  frame[1] = frame[0];
}

SCENARIO void keep_shallow_after_the_throw() {
  keep(malloc(92));
  keep(::operator new(93));
}

struct Throwing {
  char content[200];
  explicit Throwing(int value) {
    content[0] = 0;
    if (value > 0) throw value;
  }
};

SCENARIO void constructor_throws() {
  for (int i = 1; i <= 5; ++i) {
    int thrown = 0;
    try {
      opaque(new Throwing(i));
    } catch (int value) {
      thrown = value;
    }
    check(thrown == i, "the constructor must throw");
  }
}

SCENARIO void keep_string() {
  alignas(std::string) static char place[sizeof(std::string)];  // never destroyed
  opaque(new (place) std::string(1000, 'x'));
}

SCENARIO void keep_vector() {
  static std::vector<int> numbers;
  numbers.reserve(1000);
  opaque(numbers.data());
}

#define CALL(function, blocks, bytes) function();
SCENARIO void run_scenario() {
  CXX_OPERATORS(CALL)
  say("");
}

}  // extern "C"

// Given any argument: without what makes operator new throw, for allocators that abort instead.
int main(int argc, char**) {
  may_throw = argc == 1;
  // The unwinder of a static program keeps a table that it makes at the first throw.
  try {
    throw 1;
  } catch (int) {
  }
  say("ready\n");
  wait_for_line();
  run_scenario();
  say("done\n");
  wait_for_line();
  _exit(0);
}
