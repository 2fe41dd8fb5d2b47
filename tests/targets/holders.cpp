// SPDX-License-Identifier: Apache-2.0
// Knows who holds its memory: globals, a thread's own variable, a stack; maps, rings, trees whose nodes know their parents, and
// blocks that two hold at the same time.
#include "tests/targets/holders.h"

#include <malloc.h>
#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/targets/truth.h"

namespace {

struct Sum {
  const char* name;
  long blocks, bytes;
};
Sum sums[] = {{"registry", 0, 0}, {"recent", 0, 0}, {"tree", 0, 0}, {"several", 0, 0}, {"local", 0, 0}, {"stack", 0, 0}, {"none", 0, 0}};
enum Name { kRegistry, kRecent, kTree, kSeveral, kLocal, kStack, kNone };
thread_local Name counted_for = kNone;

void count(void* block, int sign) {
  sums[counted_for].blocks += sign;
  sums[counted_for].bytes += sign * static_cast<long>(malloc_usable_size(block));
}

}  // namespace

void* operator new(std::size_t size) {
  void* made = opaque(std::malloc(size));
  check(made != nullptr, "an allocation failed");
  count(made, 1);
  return made;
}
void operator delete(void* block) noexcept {
  if (block) count(block, -1);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace shop {

struct Session {
  virtual ~Session() = default;
  std::string name;
  std::vector<long> numbers;
};

}  // namespace shop

struct Node {
  Node *next, *previous;
  void* payload;
  void* text;  // one for all
};
struct Ring {
  Node *first, *last;
};

std::unordered_map<int, std::unique_ptr<shop::Session>> registry;
Ring recent;
void* volatile tree;
void* volatile born;
void* volatile left[HO_SHARED];
void* volatile right[HO_SHARED];

namespace {

thread_local void* volatile local;
std::atomic<int> ready;

SCENARIO void fill_registry() {
  counted_for = kRegistry;
  for (int i = 0; i < HO_SESSIONS; ++i) {
    auto session = std::make_unique<shop::Session>();
    session->name.assign(100 + i % 50, 'x');
    session->numbers.assign(40, 7);
    registry[i] = std::move(session);
  }
}

SCENARIO void fill_ring() {
  counted_for = kRecent;
  void* text = operator new(4000);
  std::memset(text, 1, 4000);
  for (int i = 0; i < HO_LIST; ++i) {
    Node* node = new Node{nullptr, recent.last, std::memset(operator new(100), 2, 100), text};
    (recent.last ? recent.last->next : recent.first) = node;
    recent.last = node;
  }
}

// A heap in an array: node i has the children 2i and 2i + 1, each of which knows it.
SCENARIO void fill_tree() {
  counted_for = kTree;
  static Node* nodes[HO_TREE + 1];
  for (int i = 1; i <= HO_TREE; ++i) {
    Node* parent = nodes[i / 2];
    nodes[i] = new Node{nullptr, nullptr, parent, nullptr};
    if (parent) (i % 2 ? parent->next : parent->previous) = nodes[i];
  }
  tree = nodes[1];
  std::memset(nodes, 0, sizeof nodes);
}

SCENARIO void share() {
  counted_for = kSeveral;
  for (int i = 0; i < HO_SHARED; ++i) {
    void* block = std::memset(operator new(HO_SHARED_SIZE), 3, HO_SHARED_SIZE);
    left[i] = block;
    right[i] = block;
  }
}

SCENARIO void wipe() {
  char dead[16384];
  std::memset(dead, 0, sizeof dead);
  opaque(dead);
}

// Sessions die, and a list is born.
SCENARIO void change() {
  for (int i = 0; i < HO_DIED; ++i) {
    shop::Session* gone = registry[i].release();
    registry.erase(i);
    delete gone;
  }
  for (int i = 0; i < HO_BORN; ++i) {
    void** one = static_cast<void**>(operator new(HO_BORN_SIZE));
    std::memset(one, 0, HO_BORN_SIZE);
    one[0] = born;
    born = one;
  }
}

void* thread(void*) {
  counted_for = kLocal;
  local = std::memset(operator new(5000), 4, 5000);
  counted_for = kStack;
  void* volatile kept = std::memset(operator new(6000), 5, 6000);
  wipe();
  ++ready;
  for (;;) pause();
  return kept;
}

}  // namespace

int main() {
  fill_registry();
  fill_ring();
  fill_tree();
  share();
  counted_for = kNone;
  pthread_t started;
  check(pthread_create(&started, nullptr, thread, nullptr) == 0, "no thread");
  pthread_setname_np(started, "keeper");
  while (ready == 0) usleep(1000);
  wipe();
  for (const Sum& sum : sums) {
    char line[100];
    std::snprintf(line, sizeof line, "truth %s %ld %ld\n", sum.name, sum.blocks, sum.bytes);
    say(line);
  }
  say("ready\n");
  wait_for_line();
  change();
  say("changed\n");
  wait_for_line();
}
