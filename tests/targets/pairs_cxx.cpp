// SPDX-License-Identifier: Apache-2.0
// Pools of C++: overloads, templates, and functions that throw. "ready"; a line; what it does; "done"; a line; the end.
#include <cstdio>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/targets/pairs.h"
#include "tests/targets/scenario.h"

namespace service {

struct Connection {
  int number;
};

template <typename Thing>
class Pool {
 public:
  NOINLINE Thing* get(int number) {
    if (number < 0) throw std::runtime_error("no such connection");
    if (free_.empty()) return new Thing{number};
    Thing* thing = free_.back();
    free_.pop_back();
    return thing;
  }
  NOINLINE Thing* get(const std::string& name) {
    Thing* thing = get(static_cast<int>(name.size()));
    thing->number = static_cast<int>(name.size());
    return thing;
  }
  NOINLINE void put(Thing* thing) { free_.push_back(thing); }

 private:
  std::vector<Thing*> free_;
};

struct Other {
  int number;
};

}  // namespace service

static service::Pool<service::Connection> pool;
static service::Pool<service::Other> others;

NOINLINE static void by_number() {
  for (int i = 0; i < PAIRS_CXX_BY_NUMBER; i++) {
    service::Connection* connection = pool.get(i);
    if (i >= PAIRS_CXX_KEPT) pool.put(connection);
  }
}
NOINLINE static void by_name() {
  for (int i = 0; i < PAIRS_CXX_BY_NAME; i++) pool.put(pool.get(std::string("main")));
}
NOINLINE static int thrown() {
  int caught = 0;
  for (int i = 0; i < PAIRS_CXX_THROWN; i++) {
    try {
      pool.put(pool.get(-1));
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  return caught;
}
NOINLINE static void of_others() {
  for (int i = 0; i < PAIRS_CXX_OTHER; i++) others.get(i);
  others.put(nullptr);
}

int main() {
  say_and_wait("ready");
  by_number();
  by_name();
  std::printf("caught %d\n", thrown());
  of_others();
  say_and_wait("done");
}
