// SPDX-License-Identifier: Apache-2.0
// Threads that end by forced unwinding: what their frames were to clean up is cleaned up.
#include <pthread.h>

#include <atomic>
#include <new>
#include <string>

#include "cases.h"

namespace {

std::atomic<int> cleaned;
std::atomic<bool> begun;

struct Cleanup {
  std::string text = std::string(100, 'x');
  ~Cleanup() { cleaned += static_cast<int>(text.size()); }
};

const char* run(void* (*body)(void*), bool cancels, int expected) {
  cleaned = 0;
  begun = false;
  pthread_t thread;
  if (pthread_create(&thread, nullptr, body, nullptr) != 0) return "no thread";
  while (cancels && !begun) usleep(100);
  if (cancels) pthread_cancel(thread);
  void* result = nullptr;
  pthread_join(thread, &result);
  if (cancels && result != PTHREAD_CANCELED) return "not cancelled";
  return cleaned == expected ? "cleaned up" : "not cleaned up";
}

void count_cleanup(void*) { cleaned += 1; }

void wait_to_be_cancelled(int depth) {
  Cleanup cleanup;
  if (depth > 0) return wait_to_be_cancelled(depth - 1);
  begun = true;
  for (;;) {
    keep(cleanup.text.data());
    delete new int(depth);
    usleep(1000);
  }
}
const char* deferred() {
  return run([](void*) -> void* { return wait_to_be_cancelled(9), nullptr; }, true, 1000);
}

const char* handlers() {
  return run(
      [](void*) -> void* {
        pthread_cleanup_push(count_cleanup, nullptr);
        pthread_cleanup_push(count_cleanup, nullptr);
        wait_to_be_cancelled(2);
        pthread_cleanup_pop(0);
        pthread_cleanup_pop(0);
        return nullptr;
      },
      true, 302);
}

void leave(int depth) {
  Cleanup cleanup;
  if (depth == 0) pthread_exit(nullptr);
  leave(depth - 1);
  keep(cleanup.text.data());
}
const char* thread_exit() {
  return run([](void*) -> void* { return leave(9), nullptr; }, false, 1000);
}

// The way out leads through operator new.
volatile std::size_t too_much = std::size_t{1} << 47;
void exit_thread() { pthread_exit(nullptr); }
void leave_from_the_handler(int depth) {
  Cleanup cleanup;
  if (depth > 0) return leave_from_the_handler(depth - 1);
  std::set_new_handler(exit_thread);
  keep(::operator new(too_much, std::align_val_t(64)));
  keep(cleanup.text.data());
}
const char* thread_exit_in_operator_new() {
  const char* result = run([](void*) -> void* { return leave_from_the_handler(9), nullptr; }, false, 1000);
  std::set_new_handler(nullptr);
  return result;
}
void sleep_for_ever() {
  begun = true;
  for (;;) usleep(1000);
}
void cancelled_in_the_handler(int depth) {
  Cleanup cleanup;
  if (depth > 0) return cancelled_in_the_handler(depth - 1);
  std::set_new_handler(sleep_for_ever);
  keep(::operator new(too_much));
  keep(cleanup.text.data());
}
const char* cancelled_in_operator_new() {
  const char* result = run([](void*) -> void* { return cancelled_in_the_handler(9), nullptr; }, true, 1000);
  std::set_new_handler(nullptr);
  return result;
}

struct AtThreadEnd {
  void* block = std::malloc(10);
  ~AtThreadEnd() {
    std::free(block);
    delete[] new char[100];
    cleaned += 1;
  }
};
thread_local AtThreadEnd at_thread_end;
pthread_key_t key;
const char* thread_local_destructors() {
  static int once = pthread_key_create(&key, [](void* block) { std::free(block), cleaned += 1; });
  if (once != 0) return "no key";
  return run(
      [](void*) -> void* {
        keep(at_thread_end.block);
        pthread_setspecific(key, std::malloc(30));
        pthread_exit(nullptr);
      },
      false, 2);
}

const char* main_thread_exits() {
  static pthread_t last;
  pthread_create(
      &last, nullptr,
      [](void*) -> void* {
        usleep(20000);
        std::puts("the last thread");
        return nullptr;
      },
      nullptr);
  Cleanup cleanup;
  pthread_exit(nullptr);
}

const safety_case kCases[] = {
    {"deferred", deferred},
    {"handlers", handlers},
    {"thread-exit", thread_exit},
    {"thread-exit-in-operator-new", thread_exit_in_operator_new},
    {"cancelled-in-operator-new", cancelled_in_operator_new},
    {"thread-local-destructors", thread_local_destructors},
    {"main-thread-exits", main_thread_exits},
};

}  // namespace

int main(int argc, char** argv) { return RUN_CASES(argc, argv, kCases); }
