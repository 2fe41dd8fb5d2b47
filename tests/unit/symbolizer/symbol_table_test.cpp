// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbol_table.h"

#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

namespace dwell {
namespace {

// A file that is nothing but symbols and one executable section, [0x1000, 0x2000).
class Image {
 public:
  Image& add(const char* name, std::uint64_t start, std::uint64_t size, int type = STT_FUNC, int binding = STB_GLOBAL,
             bool dynamic = false) {
    Table& table = dynamic ? dynamic_ : plain_;
    Elf64_Sym symbol{};
    symbol.st_name = static_cast<Elf64_Word>(table.names.size());
    symbol.st_info = static_cast<unsigned char>(ELF64_ST_INFO(binding, type));
    symbol.st_shndx = 1;
    symbol.st_value = start;
    symbol.st_size = size;
    table.names.append(name).push_back('\0');
    table.entries.append(reinterpret_cast<const char*>(&symbol), sizeof symbol);
    return *this;
  }

  SymbolTable table() const {
    std::string bytes(sizeof(Elf64_Ehdr), '\0');
    std::vector<Elf64_Shdr> sections(2);
    sections[1].sh_type = SHT_PROGBITS;
    sections[1].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    sections[1].sh_addr = 0x1000;
    sections[1].sh_size = 0x1000;
    sections[1].sh_type = SHT_NOBITS;
    for (const Table* each : {&plain_, &dynamic_}) {
      Elf64_Shdr entries{}, names{};
      entries.sh_type = each == &plain_ ? SHT_SYMTAB : SHT_DYNSYM;
      entries.sh_entsize = sizeof(Elf64_Sym);
      entries.sh_link = static_cast<Elf64_Word>(sections.size() + 1);
      entries.sh_offset = bytes.size();
      entries.sh_size = each->entries.size();
      bytes += each->entries;
      names.sh_type = SHT_STRTAB;
      names.sh_offset = bytes.size();
      names.sh_size = each->names.size();
      bytes += each->names;
      sections.push_back(entries);
      sections.push_back(names);
    }
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = EM_X86_64;
    header.e_shoff = bytes.size();
    header.e_shnum = static_cast<Elf64_Half>(sections.size());
    header.e_shentsize = sizeof(Elf64_Shdr);
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes.append(reinterpret_cast<const char*>(sections.data()), sections.size() * sizeof(Elf64_Shdr));
    Result<ElfFile> elf = ElfFile::from_bytes(bytes, "image");
    EXPECT_TRUE(elf) << elf.error().what;
    auto shared = std::make_shared<const ElfFile>(std::move(*elf));
    return SymbolTable::build({shared}, code_ranges(*shared));
  }

 private:
  struct Table {
    std::string entries = std::string(sizeof(Elf64_Sym), '\0');
    std::string names = std::string(1, '\0');
  };
  Table plain_, dynamic_;
};

std::string_view name_at(const SymbolTable& table, std::uint64_t address) {
  const FunctionSymbol* symbol = table.find(address);
  return symbol ? symbol->name : "";
}

TEST(SymbolTable, AFunctionEndsWhereItSays) {
  SymbolTable table = Image().add("f", 0x1100, 0x10).add("g", 0x1200, 0x10).table();
  EXPECT_EQ(name_at(table, 0x10ff), "");
  EXPECT_EQ(name_at(table, 0x1100), "f");
  EXPECT_EQ(name_at(table, 0x110f), "f");
  EXPECT_EQ(name_at(table, 0x1110), "");
  EXPECT_EQ(name_at(table, 0x1205), "g");
}

TEST(SymbolTable, WithoutASizeItReachesToTheNextOrTheEndOfTheSection) {
  SymbolTable table = Image().add("f", 0x1100, 0).add("g", 0x1200, 0).table();
  EXPECT_EQ(name_at(table, 0x11ff), "f");
  EXPECT_EQ(name_at(table, 0x1fff), "g");
  EXPECT_EQ(name_at(table, 0x2000), "");
}

TEST(SymbolTable, TheExportedNameWins) {
  SymbolTable table = Image()
                          .add("__libc_malloc", 0x1100, 0x10, STT_FUNC, STB_GLOBAL, true)
                          .add("malloc", 0x1100, 0x10, STT_FUNC, STB_GLOBAL, true)
                          .add("m", 0x1100, 0x10, STT_FUNC, STB_LOCAL)
                          .add("local", 0x1200, 0x10, STT_FUNC, STB_LOCAL)
                          .add("global_name", 0x1200, 0x10, STT_FUNC, STB_GLOBAL)
                          .table();
  EXPECT_EQ(name_at(table, 0x1105), "malloc");
  EXPECT_TRUE(table.find(0x1105)->exported);
  EXPECT_EQ(name_at(table, 0x1205), "global_name");
}

TEST(SymbolTable, AnImplementationIsNotCalledByTheNameOfItsResolver) {
  SymbolTable table = Image()
                          .add("memcpy", 0x1100, 0x10, STT_GNU_IFUNC, STB_GLOBAL, true)
                          .add("choose_memcpy", 0x1100, 0x10, STT_FUNC, STB_LOCAL)
                          .add("strlen", 0x1200, 0x10, STT_GNU_IFUNC, STB_GLOBAL, true)
                          .table();
  EXPECT_EQ(name_at(table, 0x1100), "choose_memcpy");
  EXPECT_TRUE(table.find(0x1200)->resolver);
}

TEST(SymbolTable, LabelsNameOnlyWhatNoFunctionCovers) {
  SymbolTable table = Image()
                          .add("f", 0x1100, 0x40)
                          .add("inside_f", 0x1120, 0, STT_NOTYPE, STB_LOCAL)
                          .add("assembly", 0x1180, 0, STT_NOTYPE, STB_GLOBAL)
                          .add("data", 0x1300, 0x10, STT_OBJECT)
                          .table();
  EXPECT_EQ(name_at(table, 0x1130), "f");
  EXPECT_EQ(name_at(table, 0x1190), "assembly");
  EXPECT_EQ(name_at(table, 0x1200), "assembly");
}

TEST(SymbolTable, AFunctionWithinAnotherWins) {
  SymbolTable table = Image().add("outer", 0x1100, 0x100).add("inner", 0x1140, 0x10).table();
  EXPECT_EQ(name_at(table, 0x1145), "inner");
  EXPECT_EQ(name_at(table, 0x1150), "outer");
}

TEST(SymbolTable, SymbolsOutsideOfCodeAreIgnored) {
  SymbolTable table = Image().add("f", 0x100, 0x10).add("g", 0x1ff0, ~std::uint64_t{0}).table();
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(name_at(table, 0x1fff), "g");
}

TEST(SymbolTable, VersionsAreCutOff) {
  SymbolTable table = Image().add("realpath@@GLIBC_2.3", 0x1100, 0x10).table();
  EXPECT_EQ(name_at(table, 0x1100), "realpath");
}

TEST(PltStubs, AreNamedByWhatTheyCall) {
  Result<ElfFile> elf = ElfFile::open("/proc/self/exe");
  ASSERT_TRUE(elf);
  std::vector<PltStub> stubs = plt_stubs(std::make_shared<const ElfFile>(std::move(*elf)));
  if (stubs.empty()) GTEST_SKIP() << "this program was linked without stubs";
  bool found = false;
  for (const PltStub& stub : stubs) {
    EXPECT_FALSE(stub.target.empty());
    found |= stub.target == "memcpy" || stub.target == "strlen" || stub.target == "memset";
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace dwell
