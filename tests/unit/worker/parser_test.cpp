// SPDX-License-Identifier: Apache-2.0
// The parser at work, and what is left when it dies. One for the whole program: it is found by its name, among our
// descendants, and ended or slowed down from here as a file of a target's would do it.
#include "userspace/worker/parser.h"

#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "symbolizer/symbolizer.h"
#include "userspace/base/clock.h"
#include "userspace/base/files.h"
#include "userspace/process/process.h"
#include "userspace/unwind/module_source.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;

std::string field(pid_t pid, const std::string& name) {
  Result<std::string> status = read_file("/proc/" + std::to_string(pid) + "/status");
  std::size_t at = status ? status->find("\n" + name + ":") : std::string::npos;
  if (status && status->starts_with(name + ":")) at = 0;
  if (at == std::string::npos) return "";
  std::size_t from = status->find_first_not_of(":\t ", status->find(':', at)), to = status->find('\n', from);
  return status->substr(from, to - from);
}

// Of the processes that work for us.
pid_t worker(const std::string& name) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0 || field(pid, "Name") != name) continue;
    for (pid_t at = pid; at > 1; at = std::atoi(field(at, "PPid").c_str()))
      if (at == ::getpid()) return pid;
  }
  return -1;
}

ModuleRef ourselves() {
  ModuleRef ref;
  ref.path = std::filesystem::read_symlink("/proc/self/exe").string();
  ref.open_path = ref.path;
  return ref;
}

std::uint64_t offset_of_main() {
  Result<ElfFile> elf = ElfFile::open("/proc/self/exe");
  for (const ElfSymbol& symbol : elf->symbols())
    if (symbol.name == "main") return *elf->offset_of_vaddr(symbol.vaddr);
  return 0;
}

SymbolizedModule name_main() {
  static Symbolizer symbolizer;
  AddressQuery query{offset_of_main(), false};
  return symbolizer.symbolize(ourselves(), {&query, 1});
}

// An ELF file that claims a symbol table of 960 MiB, and as a sparse file has it.
void write_greedy_file(const std::string& path) {
  constexpr std::uint64_t kTable = std::uint64_t{960} << 20;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_shoff = 0x1000;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 4;
  header.e_shstrndx = 3;
  constexpr char kNames[] = "\0.symtab\0.strtab\0.shstrtab";
  Elf64_Shdr sections[4]{};
  sections[1] = {1, SHT_SYMTAB, 0, 0, 0x4000, kTable, 2, 0, 8, sizeof(Elf64_Sym)};
  sections[2] = {9, SHT_STRTAB, 0, 0, 0x2000, 0x100, 0, 0, 1, 0};
  sections[3] = {17, SHT_STRTAB, 0, 0, 0x3000, sizeof kNames, 0, 0, 1, 0};
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::pwrite(fd, &header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
  EXPECT_EQ(::pwrite(fd, sections, sizeof sections, 0x1000), static_cast<ssize_t>(sizeof sections));
  EXPECT_EQ(::pwrite(fd, kNames, sizeof kNames, 0x3000), static_cast<ssize_t>(sizeof kNames));
  EXPECT_EQ(::ftruncate(fd, 0x4000 + kTable), 0);
  ::close(fd);
}

class ParserTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    Result<void> started = start_parser({.memory_bytes = std::uint64_t{768} << 20});
    ASSERT_TRUE(started) << started.error().what;
  }
  void SetUp() override { (void)take_parser_problems(); }
};

TEST_F(ParserTest, ReadsWhatThisProcessWouldRead) {
  ModuleSource source{ourselves().path, {}};
  EXPECT_FALSE(describe_module({"/etc/passwd", {}})) << "it is handed nothing but ELF files";
  Result<ModuleFacts> facts = describe_module(source), here = describe_module_here(source);
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->build_id, here->build_id);
  EXPECT_EQ(facts->segments.size(), here->segments.size());
  for (TableRows rows : {TableRows::kCalls, TableRows::kFull}) {
    Result<UnwindTable> table = build_module_table(source, rows), expected = build_module_table_here(source, rows);
    ASSERT_TRUE(table) << table.error().what;
    EXPECT_EQ(table->calls.rows.size(), expected->calls.rows.size());
    EXPECT_EQ(table->full.rows.size(), expected->full.rows.size());
  }
  EXPECT_THAT(std::string(name_main().chain(0).back().function), HasSubstr("main"));
  EXPECT_GT(own_cpu_ns(), clock_ns(CLOCK_PROCESS_CPUTIME_ID)) << "its CPU time is ours";
}

TEST_F(ParserTest, HasNothing) {
  (void)name_main();
  pid_t parser = worker("dwell-parser"), opener = worker("dwell-opener");
  ASSERT_GT(parser, 0);
  ASSERT_GT(opener, 0);
  EXPECT_EQ(field(parser, "CapEff"), "0000000000000000");
  EXPECT_EQ(field(parser, "CapPrm"), "0000000000000000");
  if (::geteuid() == 0) EXPECT_THAT(field(parser, "Uid"), HasSubstr("65534\t65534\t65534"));
  for (pid_t each : {parser, opener}) {
    EXPECT_EQ(field(each, "NoNewPrivs"), "1");
    EXPECT_EQ(field(each, "Seccomp"), "2");
  }
  std::size_t open = 0;
  std::error_code ignored;
  for ([[maybe_unused]] const auto& fd :
       std::filesystem::directory_iterator("/proc/" + std::to_string(parser) + "/fd", ignored))
    ++open;
  EXPECT_LE(open, 16u) << "three standard ones, two sockets, files that it reads";
}

TEST_F(ParserTest, ItsDeathCostsNamesAndTheNextOneKnowsThemAgain) {
  (void)name_main();
  std::uint64_t lost = parsers_lost();
  pid_t parser = worker("dwell-parser");
  ASSERT_GT(parser, 0);
  ASSERT_EQ(::kill(parser, SIGKILL), 0);
  SymbolizedModule nameless = name_main();
  EXPECT_FALSE(nameless.chain(0)[0].named);
  EXPECT_THAT(std::string(nameless.chain(0)[0].function), HasSubstr("worker_test+0x"));
  EXPECT_EQ(parsers_lost(), lost + 1);
  EXPECT_THAT(take_parser_problems(), ::testing::ElementsAre(HasSubstr("was ended by signal 9")));
  EXPECT_TRUE(name_main().chain(0)[0].named);
  EXPECT_THAT(take_parser_problems(), ::testing::IsEmpty());
}

TEST_F(ParserTest, MemoryBeyondItsLimitIsSaid) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer has memory of its own";
#endif
  std::string path = ::testing::TempDir() + "/greedy." + std::to_string(::getpid());
  write_greedy_file(path);
  Symbolizer symbolizer;
  ModuleRef ref;
  ref.path = ref.open_path = path;
  AddressQuery query{0x40, false};
  SymbolizedModule nameless = symbolizer.symbolize(ref, {&query, 1});
  ::unlink(path.c_str());
  EXPECT_FALSE(nameless.chain(0)[0].named);
  EXPECT_THAT(take_parser_problems(), ::testing::ElementsAre(HasSubstr("takes more than 768 MiB of memory")));
  EXPECT_TRUE(name_main().chain(0)[0].named);
}

// What a file system does that does not answer: the reader is alive and does nothing.
TEST_F(ParserTest, OneThatDoesNotAnswerIsGivenUp) {
  (void)name_main();
  pid_t parser = worker("dwell-parser");
  ASSERT_GT(parser, 0);
  ASSERT_EQ(::kill(parser, SIGSTOP), 0);
  ModuleSource source{"/bin/true", {}};
  std::uint64_t began_ns = monotonic_ns();
  Result<ModuleFacts> facts = describe_module(source);
  double seconds = static_cast<double>(monotonic_ns() - began_ns) / 1e9;
  ASSERT_FALSE(facts);
  EXPECT_THAT(facts.error().what, HasSubstr("has not answered"));
  EXPECT_LT(seconds, 20);
  EXPECT_FALSE(ElfFile::open(source.path)) << "nor does anybody else here run into it";
  EXPECT_TRUE(name_main().chain(0)[0].named);
  EXPECT_NE(::kill(parser, 0), 0) << "it is gone";
}

}  // namespace
}  // namespace dwell
