// SPDX-License-Identifier: Apache-2.0
// The same in C++: what containers and constructors leave behind.
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/targets/leaks.h"
#include "tests/targets/truth.h"

DEFINE_TRUTH();

extern "C" {  // names that need no demangling

SCENARIO void leak_in_constructor() { opaque(new char[2000]); }

SCENARIO void leak_new() {
  struct Record {
    char content[64];
  };
  for (int i = 0; i < 10; ++i) opaque(new Record);
}
SCENARIO void leak_array() {
  for (int i = 0; i < 4; ++i) opaque(new double[60]);
}
SCENARIO void leak_vector() {
  alignas(std::vector<int>) static char place[sizeof(std::vector<int>)];  // never destroyed
  auto* numbers = new (place) std::vector<int>();
  numbers->resize(1000);
  opaque(numbers->data());
}
SCENARIO void leak_string() {
  alignas(std::string) static char places[3][sizeof(std::string)];
  for (auto& place : places) opaque(new (place) std::string(300, 'x'));
}
SCENARIO void leak_map() {
  using Map = std::map<long, long>;  // nodes of 32 bytes and two longs
  alignas(Map) static char place[sizeof(Map)];
  auto* map = new (place) Map();
  for (long i = 0; i < 100; ++i) (*map)[i] = i;
  opaque(map);
}
SCENARIO void leak_in_thread() {
  for (int i = 0; i < 20; ++i) opaque(::operator new(90));
}
SCENARIO void leak_nothing() {
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) lines.push_back(std::string(100, 'y'));
  opaque(lines.data());
}

}  // extern "C"

namespace {
struct BeforeMain {
  BeforeMain() { leak_in_constructor(); }
} before_main;
}  // namespace

int main() {
  leak_new();
  leak_array();
  leak_vector();
  leak_string();
  leak_map();
  leak_nothing();
  std::thread(leak_in_thread).join();
}
