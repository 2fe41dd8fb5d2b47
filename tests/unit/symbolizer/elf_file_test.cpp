// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/elf_file.h"

#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "userspace/base/files.h"

namespace dwell {
namespace {

std::string path_of_libc() {
  Dl_info info{};
  ::dladdr(reinterpret_cast<void*>(&::getenv), &info);
  return info.dli_fname;
}

const std::string kSelf = "/proc/self/exe";

extern "C" __attribute__((noinline, used)) int dwell_elf_test_marker(int value) { return value * 3 + 1; }

TEST(ElfFile, FindsOurOwnFunctionsWhereTheyAre) {
  Result<ElfFile> elf = ElfFile::open(kSelf);
  ASSERT_TRUE(elf) << elf.error().what;
  const ElfSymbol* found = nullptr;
  for (const ElfSymbol& symbol : elf->symbols()) {
    if (symbol.name == "dwell_elf_test_marker" && !symbol.dynamic) found = &symbol;
  }
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->type, STT_FUNC);
  std::optional<std::uint64_t> offset = elf->offset_of_vaddr(found->vaddr);
  ASSERT_TRUE(offset);
  EXPECT_EQ(elf->vaddr_of_offset(*offset), found->vaddr);
  Result<std::string> code = elf->bytes_at(found->vaddr, 8);
  ASSERT_TRUE(code);
  EXPECT_EQ(std::memcmp(code->data(), reinterpret_cast<const void*>(&dwell_elf_test_marker), 8), 0);
}

// As lld packs segments: code follows read-only data on the same page of the file, a page further on in memory.
TEST(ElfFile, AMappingOfAPageThatTwoSegmentsShareIsTheOneThatBeginsThere) {
  struct {
    Elf64_Ehdr header{};
    Elf64_Phdr segments[3]{};
  } file;
  std::memcpy(file.header.e_ident, ELFMAG, SELFMAG);
  file.header.e_ident[EI_CLASS] = ELFCLASS64;
  file.header.e_ident[EI_DATA] = ELFDATA2LSB;
  file.header.e_ident[EI_VERSION] = EV_CURRENT;
  file.header.e_type = ET_DYN;
  file.header.e_machine = EM_X86_64;
  file.header.e_version = EV_CURRENT;
  file.header.e_ehsize = sizeof file.header;
  file.header.e_phoff = offsetof(decltype(file), segments);
  file.header.e_phentsize = sizeof file.segments[0];
  file.header.e_phnum = 3;
  file.segments[0] = {PT_LOAD, PF_R, 0, 0, 0, 0x15800, 0x15800, 0x1000};
  file.segments[1] = {PT_LOAD, PF_R | PF_X, 0x15800, 0x16800, 0x16800, 0x419a0, 0x419a0, 0x1000};
  file.segments[2] = {PT_LOAD, PF_R | PF_W, 0x571a0, 0x591a0, 0x591a0, 0x2c10, 0x2e60, 0x1000};
  std::string bytes(reinterpret_cast<const char*>(&file), sizeof file);
  bytes.resize(0x59db0);
  Result<ElfFile> elf = ElfFile::from_bytes(bytes, "packed");
  ASSERT_TRUE(elf) << elf.error().what;
  EXPECT_EQ(elf->vaddr_of_mapping(0, false), 0u);
  EXPECT_EQ(elf->vaddr_of_mapping(0x15000, true), 0x16000u);
  EXPECT_EQ(elf->vaddr_of_mapping(0x57000, false), 0x59000u);
  EXPECT_EQ(elf->vaddr_of_mapping(0x58000, false), 0x5a000u) << "a part of a segment that was made read-only";
  EXPECT_EQ(elf->vaddr_of_mapping(0x20000, true), 0x21000u);
  EXPECT_FALSE(elf->vaddr_of_mapping(0x60000, true));
}

TEST(ElfFile, KnowsWhatTheLibraryNeedsAndHowItIsVersioned) {
  Result<ElfFile> elf = ElfFile::open(path_of_libc());
  ASSERT_TRUE(elf) << elf.error().what;
  EXPECT_EQ(elf->type(), ET_DYN);
  EXPECT_EQ(elf->machine(), EM_X86_64);
  EXPECT_EQ(elf->build_id().size(), 40u);
  std::vector<std::string> needed = elf->needed();
  ASSERT_EQ(needed.size(), 1u);
  EXPECT_EQ(needed[0].substr(0, 9), "ld-linux-");
  bool malloc_found = false;
  for (const ElfSymbol& symbol : elf->symbols()) {
    EXPECT_EQ(symbol.name.find('@', 1), std::string_view::npos);
    malloc_found |= symbol.name == "malloc" && symbol.defined && symbol.dynamic;
  }
  EXPECT_TRUE(malloc_found);
}

TEST(ElfFile, FromBytesSeesTheSameFile) {
  Result<std::string> bytes = read_file(path_of_libc());
  ASSERT_TRUE(bytes);
  Result<ElfFile> from_file = ElfFile::open(path_of_libc());
  Result<ElfFile> from_memory = ElfFile::from_bytes(*bytes, "copy");
  ASSERT_TRUE(from_file && from_memory);
  EXPECT_EQ(from_file->build_id(), from_memory->build_id());
  EXPECT_EQ(from_file->symbols().size(), from_memory->symbols().size());
  EXPECT_EQ(from_file->sections().size(), from_memory->sections().size());
}

// Without section headers, what the dynamic linker uses is still there.
TEST(ElfFile, ReadsDynamicSymbolsWithoutSections) {
  Result<std::string> bytes = read_file(path_of_libc());
  ASSERT_TRUE(bytes);
  Elf64_Ehdr header;
  std::memcpy(&header, bytes->data(), sizeof header);
  header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
  std::memcpy(bytes->data(), &header, sizeof header);
  Result<ElfFile> elf = ElfFile::from_bytes(*bytes, "no sections");
  ASSERT_TRUE(elf);
  bool found = false;
  for (const ElfSymbol& symbol : elf->symbols()) found |= symbol.name == "malloc" && symbol.defined;
  EXPECT_TRUE(found);
  EXPECT_EQ(elf->build_id().size(), 40u);
}

TEST(ElfFile, ZeroesWhatIsOnlyInMemory) {
  Result<ElfFile> elf = ElfFile::open(path_of_libc());
  ASSERT_TRUE(elf);
  for (const ElfSegment& segment : elf->segments()) {
    if (segment.memory_size <= segment.file_size) continue;
    Result<std::string> tail = elf->bytes_at(segment.vaddr + segment.memory_size - 8, 8);
    ASSERT_TRUE(tail) << tail.error().what;
    EXPECT_EQ(*tail, std::string(8, '\0'));
    EXPECT_FALSE(elf->bytes_at(segment.vaddr + segment.memory_size - 8, 9));
    return;
  }
  FAIL() << "libc has no .bss";
}

TEST(ElfFile, ErrorsSayWhat) {
  Result<ElfFile> missing = ElfFile::open("/nonexistent/file");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what.find("/nonexistent/file"), std::string::npos);
  Result<ElfFile> text = ElfFile::from_bytes("#!/bin/sh\nexec true, and some more\n", "script");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().exit, Exit::kBadInput);
  EXPECT_FALSE(ElfFile::open("/dev/zero"));
  EXPECT_FALSE(ElfFile::open("/tmp"));
}

TEST(ElfFile, RefusesOtherClassesAsUnsupported) {
  Result<std::string> bytes = read_file(path_of_libc());
  ASSERT_TRUE(bytes);
  (*bytes)[EI_CLASS] = ELFCLASS32;
  Result<ElfFile> elf = ElfFile::from_bytes(*bytes, "i386");
  ASSERT_FALSE(elf);
  EXPECT_EQ(elf.error().exit, Exit::kUnsupported);
}

TEST(ElfFile, AFifoDoesNotHoldUsUp) {
  std::string path = std::filesystem::temp_directory_path() / ("dwell-fifo-" + std::to_string(::getpid()));
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(ElfFile::open(path));
  std::filesystem::remove(path);
}

// Everything that can be asked of a file is asked; what counts is that it returns.
void ask_everything(const ElfFile& elf) {
  for (const ElfSymbol& symbol : elf.symbols()) elf.offset_of_vaddr(symbol.vaddr);
  for (const ElfSection& section : elf.sections()) (void)elf.section_bytes(section.name, 1 << 20);
  for (const ElfSegment& segment : elf.segments()) {
    (void)elf.bytes_at(segment.vaddr, 64);
    elf.vaddr_of_offset(segment.file_offset);
    elf.vaddr_of_mapping(segment.file_offset, segment.executable);
  }
  elf.needed();
  elf.has_interpreter();
}

// The smallest real file at hand, so that truncating it everywhere stays quick.
std::string small_file() {
  Result<std::string> bytes = read_file("/lib64/ld-linux-x86-64.so.2");
  return bytes ? *bytes : std::string();
}

TEST(ElfFileHostile, EveryTruncationReturns) {
  std::string bytes = small_file();
  ASSERT_GT(bytes.size(), 4096u);
  std::size_t step = 1;
  for (std::size_t length = 0; length < bytes.size(); length += step) {
    Result<ElfFile> elf = ElfFile::from_bytes(bytes.substr(0, length), "cut");
    if (elf) ask_everything(*elf);
    if (length >= 256) step = bytes.size() / 150;
  }
}

TEST(ElfFileHostile, DamagedHeadersReturn) {
  std::string bytes = small_file();
  ASSERT_GT(bytes.size(), 4096u);
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::mt19937 random(20240501);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = bytes;
    for (int i = 0; i < 4; ++i) {
      std::size_t area = random() % 3;
      std::size_t at = area == 0   ? random() % sizeof header
                       : area == 1 ? header.e_phoff + random() % (header.e_phnum * sizeof(Elf64_Phdr))
                                   : header.e_shoff + random() % (header.e_shnum * sizeof(Elf64_Shdr));
      damaged[at] = static_cast<char>(random());
    }
    Result<ElfFile> elf = ElfFile::from_bytes(std::move(damaged), "damaged");
    if (elf) ask_everything(*elf);
  }
}

TEST(ElfFileHostile, HugeNumbersAreRefusedWithoutBeingAllocated) {
  std::string bytes = small_file();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (std::uint64_t huge : {std::uint64_t{1} << 40, ~std::uint64_t{0}, ~std::uint64_t{0} - 4096}) {
    std::string damaged = bytes;
    for (unsigned i = 0; i < header.e_shnum; ++i) {
      std::memcpy(damaged.data() + header.e_shoff + i * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size), &huge, 8);
    }
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      std::memcpy(damaged.data() + header.e_phoff + i * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_filesz), &huge, 8);
      std::memcpy(damaged.data() + header.e_phoff + i * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_memsz), &huge, 8);
    }
    Result<ElfFile> elf = ElfFile::from_bytes(std::move(damaged), "huge");
    if (elf) {
      ask_everything(*elf);
      EXPECT_FALSE(elf->bytes_at(0, std::size_t{1} << 40));
    }
  }
}

}  // namespace
}  // namespace dwell
