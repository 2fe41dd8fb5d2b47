// SPDX-License-Identifier: Apache-2.0
// The same for the locks of C++: stuck_cxx_locks SCENARIO.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <shared_mutex>

#include "tests/targets/scenario.h"
#include "tests/targets/stuck_locks.h"

namespace {

std::mutex orders, customers;
std::shared_mutex prices;
std::condition_variable arrived;
std::once_flag opened;
std::binary_semaphore permit{0};
pthread_barrier_t come;

NOINLINE void* orders_first(void*) {
  std::lock_guard held(orders);
  pthread_barrier_wait(&come);
  std::lock_guard wanted(customers);
  return nullptr;
}
NOINLINE void* customers_first(void*) {
  std::lock_guard held(customers);
  pthread_barrier_wait(&come);
  std::lock_guard wanted(orders);
  return nullptr;
}
void ab_ba() {
  pthread_barrier_init(&come, nullptr, 2);
  start(orders_first, nullptr, "one");
  start(customers_first, nullptr, "two");
}

// A lock of one's own, on an atomic; it does not say who holds it.
class Gate {
 public:
  NOINLINE void lock() {
    int expected = 0;
    while (!taken_.compare_exchange_strong(expected, 1)) {
      taken_.wait(1);
      expected = 0;
    }
  }
  NOINLINE void unlock() {
    taken_.store(0);
    taken_.notify_one();
  }

 private:
  std::atomic<int> taken_{0};
};

NOINLINE void* pass_gates(void* argument) {
  Gate** gates = static_cast<Gate**>(argument);
  std::lock_guard first(*gates[0]);
  pthread_barrier_wait(&come);
  std::lock_guard second(*gates[1]);
  return nullptr;
}
void atomic_ab_ba() {
  static Gate* gates[3] = {new Gate, new Gate, nullptr};
  gates[2] = gates[0];
  pthread_barrier_init(&come, nullptr, 2);
  start(pass_gates, gates, "one");
  start(pass_gates, gates + 1, "two");
}

// One that lies on the stack of the thread which made it, and that a thread took which has ended.
NOINLINE void* pass_gate(void* gate) {
  static_cast<Gate*>(gate)->lock();
  return nullptr;
}
void nothing() {}
NOINLINE void* wait_beside_own_gate(void*) {
  Gate gate;
  pthread_join(start(pass_gate, &gate, "ended"), nullptr);
  pthread_join(start(pass_gate, &gate, "waits"), nullptr);
  return nullptr;
}

// Each has the prices to read, and waits until the other has them no more.
NOINLINE void* read_then_write(void*) {
  std::shared_lock held(prices);
  pthread_barrier_wait(&come);
  std::unique_lock wanted(prices);
  return nullptr;
}
void upgrade() {
  pthread_barrier_init(&come, nullptr, 2);
  start(read_then_write, nullptr, "one");
  start(read_then_write, nullptr, "two");
}

NOINLINE void* hold_prices(void*) {
  std::unique_lock held(prices);
  pthread_barrier_wait(&come);
  pause();
  return nullptr;
}
NOINLINE void* read_prices(void*) {
  std::shared_lock held(prices);
  return nullptr;
}
NOINLINE void* wait_for_arrival(void*) {
  std::mutex own;
  std::unique_lock lock(own);
  arrived.wait(lock, [] { return false; });
  return nullptr;
}
NOINLINE void* open_once(void*) {
  std::call_once(opened, [] { pause(); });
  return nullptr;
}
NOINLINE int slow_value() {
  pause();
  return 1;
}
NOINLINE void* use_static(void*) {
  static int value = slow_value();
  return &value;
}
NOINLINE void* take_permit(void*) {
  permit.acquire();
  return nullptr;
}
void every_kind() {
  pthread_barrier_init(&come, nullptr, 2);
  start(hold_prices, nullptr, "holder");
  pthread_barrier_wait(&come);
  start(open_once, nullptr, "opening");
  start(use_static, nullptr, "initializing");
  while (!all_but_this_sleep()) usleep(1000);
  start(read_prices, nullptr, "in_shared");
  start(wait_for_arrival, nullptr, "in_cond");
  start(open_once, nullptr, "in_once");
  start(use_static, nullptr, "in_static");
  start(take_permit, nullptr, "in_atomic");
}

const scenario scenarios[] = {{"ab_ba", ab_ba, 0, nullptr}, {"atomic_ab_ba", atomic_ab_ba, 0, nullptr}, {"upgrade", upgrade, 0, nullptr}, {"every_kind", every_kind, 0, nullptr},
                              {"atomic_on_stack", nothing, 0, wait_beside_own_gate}};

}  // namespace

SCENARIO_MAIN
