// SPDX-License-Identifier: Apache-2.0
// Records of the ring buffer, of any type and length and in any order, from a kernel's side that is not ours: decoded,
// interned and put into the ledger, as a recording does.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/fuzz/input.h"
#include "tests/fuzz/memory_bound.h"
#include "userspace/memory/ledger.h"
#include "userspace/collect/decoder.h"
#include "userspace/memory/decoder.h"
#include "userspace/memory/codec.h"

namespace {

// A folder of our own for the recording, which goes with the run.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "dwell-ring-records-XXXXXX").string();
    if (!::mkdtemp(name.data())) std::abort();
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/r.dwell"; }

 private:
  std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Folder folder;
  dwell::testing::MemoryBound bound(size, 16 << 20, 1024);
  dwell::testing::Input input(data, size);
  auto writer = dwell::RecordingWriter::create(folder.file(), {});
  if (!writer) std::abort();
  dwell::StackTable stacks(*writer);
  dwell::AddressSpace code;
  code.replace({{0x400000, 0x500000, 0, writer->add_module({.path = "program", .build_id = ""})}});
  stacks.set_probe(1, {0, 0x100, false});
  dwell::MemoryLedger ledger(0, 0, {1000});
  std::uint64_t records = 0, news = 0;
  dwell::Decoder decoder(
      stacks, *writer,
      {[&](const dwell::ProcessNews& one) {
         ++news;
         if (one.process == dwell::kNoProcess) return;
         if (one.kind == dwell::ProcessNews::Kind::kForked)
           ledger.apply(dwell::Fork{one.time_ns, one.process, static_cast<dwell::ProcessSlot>(one.other_id % 300)});
         if (one.kind == dwell::ProcessNews::Kind::kExecuted) ledger.apply(dwell::Exec{one.time_ns, one.process});
         if (one.kind == dwell::ProcessNews::Kind::kExited) ledger.apply(dwell::ProcessExit{one.time_ns, one.process});
       },
       [](dwell::TargetSlot, dwell_stack_end, std::uint64_t) {},
       [&](dwell::TargetSlot) -> const dwell::AddressSpace& { return code; },
       [&](const dwell_header& header, dwell::ProcessSlot process, std::span<const std::byte> bytes) {
         return decode_memory(header, process, bytes, stacks, [&](const auto& event) { ledger.apply(event); });
       },
       [](dwell::TargetSlot slot) {
         return slot >= 250 ? dwell::kNoProcess : static_cast<dwell::ProcessSlot>(slot % 8);
       }});
  std::vector<std::uint64_t> aligned;  // as records in the ring are
  while (input.left()) {
    std::string_view bytes = input.bytes(input.byte());
    aligned.assign(bytes.size() / 8 + 1, 0);
    if (!bytes.empty()) std::memcpy(aligned.data(), bytes.data(), bytes.size());
    decoder.decode(aligned.data(), bytes.size());
    ++records;
  }
  if (decoder.events() + decoder.undecodable() > records || news > records) std::abort();
  dwell::MemoryTick tick = ledger.take_tick(1);
  if (!write_memory_tick(*writer, tick, ledger.series())) std::abort();
  return 0;
}
