// SPDX-License-Identifier: Apache-2.0
// A small service with the usual kinds of memory: sessions that are never ended (the leak), a cache that
// fills up and stays, buffers that come and go, and threads that do it all at once. Answers "requests" that
// it makes up itself; needs no network. Runs until it is told to end, or for the seconds given.
//
//   leaking_service [SECONDS]
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

static std::atomic<bool> stop{false};

struct Session {
  std::string user;
  std::vector<char> cookie;
};

// Sessions begin and nobody ends them.
class SessionStore {
 public:
  void begin(int id) {
    auto session = std::make_unique<Session>();
    session->user = "user number " + std::to_string(id) + " with a rather long name";
    session->cookie.resize(1024);
    std::lock_guard lock(mutex_);
    sessions_[id] = std::move(session);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<int, std::unique_ptr<Session>> sessions_;
};

// As large as it may get after a second, and then it stays so.
class PageCache {
 public:
  void look_up(int page) {
    std::lock_guard lock(mutex_);
    std::vector<char>& content = pages_[page % 256];
    if (content.empty()) content.resize(16 * 1024);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<int, std::vector<char>> pages_;
};

static SessionStore sessions;
static PageCache cache;

static std::string render(int id) {
  std::string page;
  for (int line = 0; line < 20; ++line) page += "<p>line " + std::to_string(line * id) + "</p>";
  return page;
}

static void handle_request(int id) {
  if (id % 4 == 0) sessions.begin(id);
  cache.look_up(id);
  if (render(id).empty()) std::abort();
}

static void serve(int worker) {
  for (int id = worker; !stop; id += 2) {
    handle_request(id);
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

int main(int argc, char** argv) {
  for (int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { stop = true; });
  std::thread first(serve, 0), second(serve, 1);
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 1 << 30);
  while (!stop && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  stop = true;
  first.join();
  second.join();
}
