// SPDX-License-Identifier: Apache-2.0
// Threads that work as a service does: each request is parsed into strings, looked up in a map of entries that come
// and go, and handed to the next thread, which answers and frees it.
//
//   service_load WINDOWS WINDOW_MS THREADS
//
// Prints one line a window: nanoseconds of CPU time a request, over all threads.
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kEntries = 4096;

struct Request {
  std::string line;
  std::map<std::string, std::string> fields;
  std::vector<int> values;
};

class Mailbox {
 public:
  void put(std::unique_ptr<Request> request) {
    std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  std::vector<std::unique_ptr<Request>> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(requests_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Request>> requests_;
};

std::unique_ptr<Request> parse(unsigned number) {
  auto request = std::make_unique<Request>();
  request->line = "GET /items/" + std::to_string(number) + " from a client that says more than fits in place";
  request->fields["host"] = "service.example";
  request->fields["agent"] = "a client whose name is longer than a short string";
  for (unsigned i = 0; i < number % 16; ++i) request->values.push_back(static_cast<int>(i));
  return request;
}

class Worker {
 public:
  Worker(Mailbox& in, Mailbox& out, unsigned seed) : in_(in), out_(out), random_(seed) {}

  void handle_one() {
    random_ = random_ * 1664525 + 1013904223;
    unsigned number = random_ >> 8;
    std::unique_ptr<Request> request = parse(number);
    std::string key = "entry:" + std::to_string(number % (2 * kEntries));
    if (entries_.size() >= kEntries) entries_.erase(entries_.begin());
    entries_[key] = request->line;
    out_.put(std::move(request));
    if (number % 8 == 0) in_.take();
  }

 private:
  Mailbox& in_;
  Mailbox& out_;
  unsigned random_;
  std::unordered_map<std::string, std::string> entries_;
};

double process_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1e9 + now.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
  int windows = argc > 1 ? std::atoi(argv[1]) : 10;
  std::chrono::milliseconds window(argc > 2 ? std::atoi(argv[2]) : 200);
  int count = argc > 3 ? std::atoi(argv[3]) : 4;
  std::vector<Mailbox> mailboxes(count);
  std::vector<std::thread> threads;
  std::atomic<long> requests = 0;
  std::atomic<bool> stop = false;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      Worker worker(mailboxes[i], mailboxes[(i + 1) % count], i + 1);
      while (!stop) {
        for (int n = 0; n < 16; ++n) worker.handle_one();
        requests += 16;
      }
    });
  }
  for (int i = 0; i < windows; ++i) {
    double cpu_ns = process_cpu_ns();
    long before = requests;
    std::this_thread::sleep_for(window);
    std::printf("%.1f\n", (process_cpu_ns() - cpu_ns) / static_cast<double>(requests - before));
    std::fflush(stdout);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}
