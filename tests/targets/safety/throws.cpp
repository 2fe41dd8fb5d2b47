// SPDX-License-Identifier: Apache-2.0
// Exceptions from operator new in every form, and from everywhere else that a frame of an allocator may stand
// above. Run under several allocators.
#include <dlfcn.h>
#include <sys/resource.h>

#include <exception>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cases.h"

namespace {

const std::size_t kTooMuch = std::size_t{1} << 47;  // more than there is address space
volatile std::size_t too_much = kTooMuch, zero_alignment = 3;

template <typename Allocate>
const char* attempt(Allocate allocate) {
  try {
    keep(allocate());
    return "gave a block";
  } catch (const std::bad_alloc&) {
    return "threw";
  }
}

const char* plain() {
  return attempt([] { return ::operator new(too_much); });
}
const char* array() {
  return attempt([] { return ::operator new[](too_much); });
}
const char* aligned() {
  return attempt([] { return ::operator new(too_much, std::align_val_t(64)); });
}
const char* aligned_array() {
  return attempt([] { return ::operator new[](too_much, std::align_val_t(4096)); });
}
const char* wrong_alignment() {  // libstdc++ throws, other allocators give a block or not
  attempt([] { return ::operator new(100, std::align_val_t(zero_alignment)); });
  return "went on";
}
const char* nothrow() {
  return ::operator new(too_much, std::nothrow) ? "gave a block" : "null";
}
const char* aligned_nothrow() {
  return ::operator new(too_much, std::align_val_t(64), std::nothrow) ? "gave a block" : "null";
}

struct NoMemory : std::bad_alloc {
  const char* what() const noexcept override { return "handler"; }
};
const char* handler_throws() {
  std::set_new_handler([] { throw NoMemory(); });
  const char* result = "gave a block";
  try {
    keep(::operator new(too_much));
  } catch (const std::bad_alloc&) {
    result = "threw";
  }
  try {
    keep(::operator new(too_much, std::align_val_t(64)));
    result = "aligned gave a block";
  } catch (const std::bad_alloc&) {
  }
  std::set_new_handler(nullptr);
  return result;
}

int handler_calls;
const char* handler_allocates() {
  handler_calls = 0;
  std::set_new_handler([] {
    delete new int(handler_calls);
    if (++handler_calls == 3) std::set_new_handler(nullptr);
  });
  const char* plain_result = attempt([] { return ::operator new(too_much); });
  std::set_new_handler(nullptr);
  return handler_calls == 3 ? plain_result : "wrong number of calls";
}

// A limit that is set after the tracer has attached, and taken away again.
const char* late_limit() {
  rlimit before{}, small{};
  getrlimit(RLIMIT_AS, &before);
  small = {rlim_t{3} << 30, before.rlim_max};
  setrlimit(RLIMIT_AS, &small);
  const std::size_t kSize = std::size_t{2900} << 20;
  const char* one = attempt([] { return static_cast<void*>(new (std::align_val_t(64)) char[kSize + (std::size_t{1} << 30)]); });
  const char* two = attempt([] { return static_cast<void*>(new char[kSize + (std::size_t{1} << 30)]); });
  setrlimit(RLIMIT_AS, &before);
  return one == two ? one : "differ";
}

const char* bad_array_length() {
  volatile long count = -1;
  try {
    keep(new long[static_cast<std::size_t>(count)]);
    return "gave a block";
  } catch (const std::bad_array_new_length&) {
    return "threw";
  }
}

struct Member {
  char* block = new char[40];
  ~Member() { delete[] block; }
};
struct Throwing : Member {
  explicit Throwing(int depth) {
    std::vector<int> work(static_cast<std::size_t>(depth), depth);
    if (work.back()) throw std::runtime_error("constructor");
  }
};
const char* constructor() {
  try {
    delete new Throwing(5);
  } catch (const std::runtime_error& error) {
    return strcmp(error.what(), "constructor") == 0 ? "threw" : "wrong";
  }
  return "did not throw";
}

const char* rethrown_across_threads() {
  std::exception_ptr carried;
  std::thread([&] {
    try {
      keep(::operator new(too_much, std::align_val_t(128)));
    } catch (...) {
      carried = std::current_exception();
    }
  }).join();
  try {
    std::rethrow_exception(carried);
  } catch (const std::bad_alloc&) {
    return "rethrown";
  } catch (...) {
    return "something else";
  }
}

extern "C" int compare_and_throw(const void*, const void*) {
  delete new int(1);
  throw std::logic_error("from a callback");
}
const char* through_c_frames() {
  int numbers[64] = {3, 2, 1};
  try {
    std::qsort(numbers, 64, sizeof(int), compare_and_throw);
  } catch (const std::logic_error&) {
    return "threw";
  }
  return "did not throw";
}

const char* deep() {
  struct Recursion {
    static void down(int depth) {
      std::vector<char> work(static_cast<std::size_t>(100 + depth));
      if (depth == 0) keep(::operator new(too_much, std::align_val_t(64)));
      down(depth - 1);
      keep(work.data());
    }
  };
  try {
    Recursion::down(200);
  } catch (const std::bad_alloc&) {
    return "threw";
  }
  return "did not throw";
}

const char* terminate_handler() {
  std::set_terminate([] {
    std::puts("terminate handler");
    std::fflush(stdout);
    std::_Exit(7);
  });
  struct Strict {
    static void call() noexcept { keep(::operator new(too_much)); }
  };
  Strict::call();
  return "went on";
}

// The plugin's constructors throw while dlopen calls them, and are caught in there.
const char* plugin() {
  const char* path = std::getenv("DWELL_CASE_PLUGIN");
  void* handle = path ? dlopen(path, RTLD_NOW) : nullptr;
  if (!handle) return "no plugin";
  auto* result = reinterpret_cast<const char* (*)()>(dlsym(handle, "plugin_result"));
  const char* text = result ? (strcmp(result(), "caught") == 0 ? "caught" : "wrong") : "no symbol";
  dlclose(handle);
  return text;
}

// Where a frame that was left by an exception still lies on the stack, calls below it must not be taken for its own.
__attribute__((noinline)) int below_a_dead_frame() {
  volatile char space[2048];
  space[0] = 0;
  char* block = static_cast<char*>(std::malloc(77));
  keep(block);
  std::free(block);
  return space[0];
}
const char* after_a_throw() {
  const char* result = deep();
  below_a_dead_frame();
  return result;
}

const safety_case kCases[] = {
    {"plain", plain},
    {"array", array},
    {"aligned", aligned},
    {"aligned-array", aligned_array},
    {"wrong-alignment", wrong_alignment},
    {"nothrow", nothrow},
    {"aligned-nothrow", aligned_nothrow},
    {"handler-throws", handler_throws},
    {"handler-allocates", handler_allocates},
    {"late-limit", late_limit},
    {"bad-array-length", bad_array_length},
    {"constructor", constructor},
    {"rethrown-across-threads", rethrown_across_threads},
    {"through-c-frames", through_c_frames},
    {"deep", deep},
    {"terminate-handler", terminate_handler},
    {"plugin", plugin},
    {"after-a-throw", after_a_throw},
};

}  // namespace

int main(int argc, char** argv) { return RUN_CASES(argc, argv, kCases); }
