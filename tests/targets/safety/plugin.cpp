// SPDX-License-Identifier: Apache-2.0
// A library whose constructors throw when it is loaded: see throws.cpp.
#include <new>
#include <stdexcept>
#include <string>

namespace {

struct alignas(64) Line {
  char bytes[64];
};

bool throws_and_catches() {
  int caught = 0;
  volatile std::size_t lines = std::size_t{1} << 41;  // more than there is address space
  try {
    Line* volatile all = new Line[lines];
    delete[] all;
  } catch (const std::bad_alloc&) {
    ++caught;
  }
  try {
    throw std::runtime_error(std::string(100, 'x'));
  } catch (const std::runtime_error&) {
    ++caught;
  }
  return caught == 2;
}

const bool kCaught = throws_and_catches();

}  // namespace

extern "C" const char* plugin_result() { return kCaught ? "caught" : "not caught"; }
