// SPDX-License-Identifier: Apache-2.0
#include "userspace/unwind/eh_frame.h"

#include <optional>
#include <unordered_map>

#include "userspace/base/cursor.h"
#include "userspace/unwind/frame_program.h"

namespace dwell {
namespace {

// Real ones have some 30 bytes. A bound keeps a section of overlapping giants from costing quadratic time.
constexpr std::size_t kMaxCieSize = 4096;

enum PointerEncoding : std::uint8_t {  // DW_EH_PE_*
  kAbsolute = 0x00,
  kUleb = 0x01,
  kUdata2 = 0x02,
  kUdata4 = 0x03,
  kUdata8 = 0x04,
  kSleb = 0x09,
  kSdata2 = 0x0a,
  kSdata4 = 0x0b,
  kSdata8 = 0x0c,
  kFormatMask = 0x0f,
  kPcRelative = 0x10,
  kApplicationMask = 0x70,
  kIndirect = 0x80,
  kOmitted = 0xff,
};

std::uint64_t read_unaligned(Cursor& in, std::uint8_t format) {
  switch (format) {
    case kAbsolute:
    case kUdata8:
    case kSdata8:
      return in.u64();
    case kUleb:
      return in.uleb();
    case kSleb:
      return static_cast<std::uint64_t>(in.sleb());
    case kUdata2:
      return in.u16();
    case kSdata2:
      return static_cast<std::uint64_t>(std::int64_t{in.fixed<std::int16_t>()});
    case kUdata4:
      return in.u32();
    case kSdata4:
      return static_cast<std::uint64_t>(std::int64_t{in.fixed<std::int32_t>()});
    default:
      in.fail();
      return 0;
  }
}

class FrameParser {
 public:
  FrameParser(std::string_view section, std::uint64_t vaddr, FrameSection kind)
      : section_(section), vaddr_(vaddr), kind_(kind) {}

  FrameRows parse() {
    std::size_t offset = 0;
    while (offset + 4 <= section_.size()) {
      std::optional<Entry> entry = entry_at(offset);
      if (!entry) break;
      offset = entry->next;
      if (entry->empty || entry->is_cie) continue;
      if (!parse_fde(*entry)) out_.bad_entries++;
    }
    return std::move(out_);
  }

 private:
  struct Entry {
    bool empty = false;
    bool is_cie = false;
    std::uint64_t cie_offset = 0;  // of an FDE: where its CIE begins
    std::size_t body = 0;          // just behind the CIE pointer
    std::size_t next = 0;
  };

  std::optional<Entry> entry_at(std::size_t offset) const {
    Cursor in(section_);
    in.seek(offset);
    std::uint64_t length = in.u32();
    bool wide = length == 0xffffffff;
    if (wide) length = in.u64();
    if (!in.ok() || length > in.remaining()) return std::nullopt;
    Entry entry;
    entry.next = in.offset() + length;
    if (length == 0) {  // the terminator of one input file; the linker can have put more behind it
      entry.empty = true;
      return entry;
    }
    std::size_t id_offset = in.offset();
    std::uint64_t id = wide && kind_ == FrameSection::kDebugFrame ? in.u64() : in.u32();
    entry.body = in.offset();
    if (!in.ok() || entry.body > entry.next) {
      entry.empty = true;
      return entry;
    }
    if (kind_ == FrameSection::kEhFrame) {
      entry.is_cie = id == 0;
      entry.cie_offset = id_offset - id;  // wraps for a lie, and is then out of bounds
    } else {
      entry.is_cie = id == (wide ? ~std::uint64_t{0} : 0xffffffff);
      entry.cie_offset = id;
    }
    return entry;
  }

  std::string_view slice(std::size_t begin, std::size_t end) const {
    return section_.substr(begin, end - begin);
  }

  std::optional<Cie> parse_cie(std::size_t offset) const {
    std::optional<Entry> entry = entry_at(offset);
    if (!entry || entry->empty || !entry->is_cie) return std::nullopt;
    if (entry->next - entry->body > kMaxCieSize) return std::nullopt;
    Cie cie;
    Cursor in(slice(entry->body, entry->next));
    std::uint8_t version = in.u8();
    if (version != 1 && version != 3 && version != 4) return std::nullopt;
    std::string_view augmentation = in.c_string();
    if (version == 4 && (in.u8() != 8 || in.u8() != 0)) return std::nullopt;  // address and segment size
    if (augmentation == "eh") in.u64();
    cie.code_alignment = in.uleb();
    cie.data_alignment = in.sleb();
    std::uint64_t return_register = version == 1 ? in.u8() : in.uleb();
    if (!in.ok() || return_register != kReturnAddress) return std::nullopt;
    if (!augmentation.empty() && augmentation[0] == 'z' && !parse_augmentation(augmentation, in, cie))
      return std::nullopt;
    std::optional<FrameState> initial = state_after(cie, in.text(in.remaining()));
    if (!in.ok() || !initial) return std::nullopt;
    cie.initial = *initial;
    return cie;
  }

  static bool parse_augmentation(std::string_view letters, Cursor& in, Cie& cie) {
    cie.has_augmentation_data = true;
    std::uint64_t size = in.uleb();
    Cursor data(in.text(size));
    for (char letter : letters.substr(1)) {
      switch (letter) {
        case 'L':
          data.u8();
          break;
        case 'P': {
          std::uint8_t encoding = data.u8();
          if (encoding != kOmitted) read_unaligned(data, encoding & kFormatMask);
          break;
        }
        case 'R':
          cie.pointer_encoding = data.u8();
          break;
        case 'S':
          cie.signal_frame = true;
          break;
        default:
          return false;
      }
    }
    return in.ok() && data.ok();
  }

  const Cie* cie_at(std::uint64_t offset) {
    auto [found, added] = cies_.try_emplace(offset);
    if (added && offset < section_.size()) found->second = parse_cie(offset);
    return found->second ? &*found->second : nullptr;
  }

  std::uint64_t read_address(Cursor& in, std::uint8_t encoding, std::size_t base) {
    if (encoding & kIndirect) in.fail();
    std::uint64_t field = vaddr_ + base + in.offset();
    std::uint64_t value = read_unaligned(in, encoding & kFormatMask);
    switch (encoding & kApplicationMask) {
      case kAbsolute:
        return value;
      case kPcRelative:
        return value + field;
      default:
        in.fail();
        return 0;
    }
  }

  bool parse_fde(const Entry& entry) {
    const Cie* cie = cie_at(entry.cie_offset);
    if (!cie) return false;
    Cursor in(slice(entry.body, entry.next));
    std::uint64_t begin = read_address(in, cie->pointer_encoding, entry.body);
    std::uint64_t size = read_unaligned(in, cie->pointer_encoding & kFormatMask);
    if (cie->has_augmentation_data) in.skip(in.uleb());
    if (!in.ok() || begin + size < begin) return false;
    // Functions that the linker dropped stay behind as entries of address zero or no size.
    if (begin == 0 || size == 0) return true;

    std::size_t first_row = out_.rows.size();
    if (!run_frame_program(*cie, begin, begin + size, in.text(in.remaining()), out_.rows)) {
      out_.rows.resize(first_row);
      return false;
    }
    out_.ranges.push_back({begin, begin + size, static_cast<std::uint32_t>(first_row),
                           static_cast<std::uint32_t>(out_.rows.size() - first_row)});
    return true;
  }

  std::string_view section_;
  std::uint64_t vaddr_;
  FrameSection kind_;
  std::unordered_map<std::uint64_t, std::optional<Cie>> cies_;
  FrameRows out_;
};

}  // namespace

FrameRows parse_frames(std::string_view section, std::uint64_t vaddr, FrameSection kind) {
  return FrameParser(section, vaddr, kind).parse();
}

}  // namespace dwell
