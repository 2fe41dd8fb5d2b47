// SPDX-License-Identifier: Apache-2.0
// Where debug information is found when it is not in the program: each place, and the wrong file in it.
#include "symbolizer/debug_files.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <elf.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "symbolizer/symbolizer.h"
#include "userspace/base/files.h"

namespace dwell {
namespace {

namespace fs = std::filesystem;

// A small library with debug information, its stripped twin, and the debug information alone.
class DebugFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("dwell-debug-{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::copy_file(fs::path(DWELL_TEST_CORPUS) / "gcc5", folder_ / "whole.so");
    run("objcopy --only-keep-debug whole.so whole.debug");
    run("objcopy --strip-all whole.so app.so");
    Result<ElfFile> elf = ElfFile::open(path("whole.so"));
    ASSERT_TRUE(elf) << elf.error().what;
    build_id_ = elf->build_id();
    ASSERT_EQ(build_id_.size(), 40u);
    segments_.assign(elf->segments().begin(), elf->segments().end());
    for (const ElfSymbol& symbol : elf->symbols()) {
      // The instantiation that is only a local symbol, so that .dynsym does not name it.
      if (symbol.name.find("apply") == std::string_view::npos) continue;
      offset_ = *elf->offset_of_vaddr(symbol.vaddr);
    }
    ASSERT_NE(offset_, 0u);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void run(const std::string& command) const {
    ASSERT_EQ(std::system(fmt::format("cd {} && {}", folder_.string(), command).c_str()), 0) << command;
  }
  // Puts a file where build ids are looked for, below `root`.
  void put_by_build_id(const std::string& root, const std::string& file) const {
    std::string below = fmt::format("{}/.build-id/{}", root, build_id_.substr(0, 2));
    run(fmt::format("mkdir -p {0} && cp {1} {0}/{2}.debug", below, file, build_id_.substr(2)));
  }
  ModuleRef module(const std::string& name) const {
    ModuleRef ref;
    ref.path = ref.open_path = path(name);
    return ref;
  }
  static SymbolizerOptions with_debug_dir(const std::string& dir) {
    SymbolizerOptions options;
    options.demangle = DemangleWidth::kShort;
    options.debug_dirs = {dir};
    return options;
  }
  SymbolizedModule name(const ModuleRef& ref, const SymbolizerOptions& options) {
    symbolizers_.push_back(std::make_unique<Symbolizer>(options));
    AddressQuery query{offset_, false};
    return symbolizers_.back()->symbolize(ref, {&query, 1});
  }
  static void expect_named(const SymbolizedModule& result) {
    const ResolvedFrame& frame = result.chain(0).back();
    EXPECT_NE(frame.function.find("apply"), std::string_view::npos) << frame.function << "; " << result.report.problem;
    EXPECT_TRUE(frame.file.ends_with("tiny.cpp")) << frame.file;
    EXPECT_NE(frame.line, 0u);
  }

  fs::path folder_;
  std::string build_id_;
  std::vector<ElfSegment> segments_;
  std::uint64_t offset_ = 0;
  std::vector<std::unique_ptr<Symbolizer>> symbolizers_;
};

TEST_F(DebugFiles, AStrippedProgramAloneSaysWhatIsMissing) {
  SymbolizedModule result = name(module("app.so"), with_debug_dir("/nonexistent"));
  EXPECT_EQ(result.report.debug_from, "");
  EXPECT_NE(result.report.problem.find(build_id_), std::string::npos) << result.report.problem;
  EXPECT_NE(result.report.hint.find("--debug-dir"), std::string::npos);
}

TEST_F(DebugFiles, ByBuildId) {
  put_by_build_id("store", "whole.debug");
  SymbolizedModule result = name(module("app.so"), with_debug_dir(path("store")));
  expect_named(result);
  EXPECT_NE(result.report.debug_from.find("/store/.build-id/"), std::string::npos);
  EXPECT_NE(result.report.symbols_from.find(".symtab of "), std::string::npos);
}

TEST_F(DebugFiles, AFileUnderTheWrongBuildIdIsRefused) {
  fs::copy_file(fs::path(DWELL_TEST_CORPUS) / "gcc4", folder_ / "other.so");
  put_by_build_id("store", "other.so");
  SymbolizedModule result = name(module("app.so"), with_debug_dir(path("store")));
  EXPECT_EQ(result.report.debug_from, "");
}

TEST_F(DebugFiles, ByDebugLinkBesideTheProgramAndInDotDebug) {
  run("objcopy --add-gnu-debuglink=whole.debug app.so");
  expect_named(name(module("app.so"), {}));
  run("mkdir .debug && mv whole.debug .debug/");
  SymbolizedModule result = name(module("app.so"), {});
  expect_named(result);
  EXPECT_NE(result.report.debug_from.find("/.debug/whole.debug"), std::string::npos);
}

TEST_F(DebugFiles, ADebugLinkWithoutBuildIdsIsHeldToItsChecksum) {
  run("objcopy --remove-section .note.gnu.build-id whole.so && objcopy --only-keep-debug whole.so whole.debug");
  run("objcopy --strip-all whole.so app.so && objcopy --add-gnu-debuglink=whole.debug app.so");
  expect_named(name(module("app.so"), {}));
  run("printf x >> whole.debug");
  SymbolizedModule result = name(module("app.so"), {});
  EXPECT_EQ(result.report.debug_from, "");
  EXPECT_NE(result.report.problem.find("another build"), std::string::npos) << result.report.problem;
}

TEST_F(DebugFiles, ADebugLinkCannotLeadElsewhere) {
  run("mkdir deep && cp app.so deep/app.so");
  // The section's layout: name, padding to four bytes, checksum.
  run("printf '../whole.debug\\0\\0\\1\\2\\3\\4' > link && objcopy --add-section .gnu_debuglink=link deep/app.so");
  SymbolizedModule result = name(module("deep/app.so"), {});
  EXPECT_EQ(result.report.debug_from, "");
}

TEST_F(DebugFiles, TheDebugFileAloneNamesRecordedOffsets) {
  put_by_build_id("store", "whole.debug");
  ModuleRef ref;
  ref.path = "/gone/app.so";
  ref.build_id = build_id_;
  ref.segments = segments_;
  SymbolizedModule result = name(ref, with_debug_dir(path("store")));
  expect_named(result);
  EXPECT_EQ(result.report.problem, "");
}

TEST_F(DebugFiles, UnderASysroot) {
  run("mkdir -p root/opt/app root/usr/lib/debug && cp app.so root/opt/app/app.so");
  put_by_build_id("root/usr/lib/debug", "whole.debug");
  ModuleRef ref;
  ref.path = "/opt/app/app.so";
  ref.build_id = build_id_;
  SymbolizerOptions options;
  options.sysroot = path("root");
  SymbolizedModule result = name(ref, options);
  expect_named(result);
  EXPECT_EQ(result.report.file, path("root") + "/opt/app/app.so");
}

TEST_F(DebugFiles, SymbolsThatArePackedIntoTheProgram) {
  if (std::system("command -v xz >/dev/null") != 0) GTEST_SKIP() << "xz is not installed";
  run("objcopy --strip-debug whole.so mini && xz mini && objcopy --add-section .gnu_debugdata=mini.xz app.so");
  SymbolizedModule result = name(module("app.so"), with_debug_dir("/nonexistent"));
  EXPECT_EQ(result.report.symbols_from, ".gnu_debugdata");
  EXPECT_NE(result.chain(0)[0].function.find("apply"), std::string_view::npos);
}

TEST_F(DebugFiles, DamagedPackedSymbolsAreAnErrorOfThatFileOnly) {
  run("head -c 3000 /dev/zero > garbage && objcopy --add-section .gnu_debugdata=garbage app.so");
  SymbolizedModule result = name(module("app.so"), with_debug_dir("/nonexistent"));
  EXPECT_NE(result.report.problem.find("xz"), std::string::npos) << result.report.problem;
  ASSERT_EQ(result.chain(0).size(), 1u);
}

// A process whose root is a folder with a program, its debug file and a perf map of its own.
TEST_F(DebugFiles, InTheFileSystemOfAContainer) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to change a process's root";
  run("mkdir -p box/app box/tmp box/usr/lib/debug && cp app.so box/app/app.so");
  put_by_build_id("box/usr/lib/debug", "whole.debug");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t child = ::fork();
  if (child == 0) {
    if (::chroot(path("box").c_str()) != 0 || ::chdir("/") != 0) ::_exit(1);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_TRUE(write_file_atomically(path(fmt::format("box/tmp/perf-{}.map", child)), "9000 10 jitted\n"));

  ModuleRef ref;
  ref.path = "/app/app.so";
  ref.build_id = build_id_;
  ref.pid = child;
  SymbolizedModule result = name(ref, {});
  ModuleRef jit;
  jit.kind = CodeKind::kJit;
  jit.pid = child;
  AddressQuery query{0x9001, false};
  SymbolizedModule jitted = symbolizers_.back()->symbolize(jit, {&query, 1});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);

  expect_named(result);
  EXPECT_EQ(result.report.debug_from.find(fmt::format("/proc/{}/root/usr/lib/debug", child)), 0u);
  EXPECT_EQ(jitted.chain(0)[0].function, "jitted");
}

// What a container lays out leads to nothing of the host's: not by a link, not by a name of its choice.
TEST_F(DebugFiles, TheNamesOfAContainerStayInIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to change a process's root";
  run("mkdir -p box/app box/usr/lib/debug/.build-id/" + build_id_.substr(0, 2));
  run("cp app.so box/app/app.so");
  fs::create_symlink(path("whole.debug"),
                     path("box/usr/lib/debug/.build-id/" + build_id_.substr(0, 2) + "/" + build_id_.substr(2) + ".debug"));
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t child = ::fork();
  if (child == 0) {
    if (::chroot(path("box").c_str()) != 0 || ::chdir("/") != 0) ::_exit(1);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ModuleRef linked;
  linked.path = "/app/app.so";
  linked.build_id = build_id_;
  linked.pid = child;
  linked.foreign_root = true;
  ModuleRef named = linked;
  named.path = path("whole.debug");  // which lies there on the host, and not in the box
  SymbolizedModule by_link = name(linked, {}), by_name = name(named, {});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_EQ(by_link.report.debug_from, "");
  EXPECT_EQ(by_name.report.debug_from, "");
  EXPECT_EQ(by_name.report.file, "");
}

// As much of a debuginfod server as its client needs, on loopback: one file under one build id.
class Server {
 public:
  Server(std::string build_id, std::string content) : build_id_(std::move(build_id)), content_(std::move(content)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  int requests() const { return requests_; }

 private:
  void serve() {
    for (;;) {
      int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      std::string request;
      char buffer[4096];
      ssize_t n;
      while (request.find("\r\n\r\n") == std::string::npos && (n = ::read(client, buffer, sizeof buffer)) > 0)
        request.append(buffer, n);
      bool known = request.find("GET /buildid/" + build_id_ + "/debuginfo ") == 0;
      ++requests_;
      std::string body = known ? content_ : "";
      std::string reply = fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                                      known ? "200 OK" : "404 Not Found", body.size());
      reply += body;
      for (std::size_t at = 0; at < reply.size() && (n = ::send(client, reply.data() + at, reply.size() - at, MSG_NOSIGNAL)) > 0;)
        at += n;
      ::close(client);
    }
  }

  std::string build_id_, content_;
  int socket_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_ = 0;
  std::thread thread_;  // last: it uses all of the above
};

TEST_F(DebugFiles, FromAServerOnlyIfTheUserAsksForIt) {
  if (!::dlopen("libdebuginfod.so.1", RTLD_NOW)) GTEST_SKIP() << "the debuginfod client library is not installed";
  Result<std::string> content = read_file(path("whole.debug"));
  ASSERT_TRUE(content);
  Server server(build_id_, *content);
  ::setenv("DEBUGINFOD_URLS", server.url().c_str(), 1);
  ::setenv("DEBUGINFOD_CACHE_PATH", path("cache").c_str(), 1);
  SymbolizedModule without = name(module("app.so"), {});
  EXPECT_EQ(without.report.debug_from, "");
  EXPECT_EQ(server.requests(), 0);
  SymbolizerOptions options;
  options.debuginfod = true;
  SymbolizedModule with = name(module("app.so"), options);
  ::unsetenv("DEBUGINFOD_URLS");
  ::unsetenv("DEBUGINFOD_CACHE_PATH");
  expect_named(with);
  EXPECT_EQ(server.requests(), 1);
  EXPECT_EQ(with.report.debug_from.find(path("cache")), 0u) << with.report.debug_from;
}

}  // namespace
}  // namespace dwell
