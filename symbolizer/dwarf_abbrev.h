// SPDX-License-Identifier: Apache-2.0
// Abbreviation tables: what the entries of a DWARF unit look like, prepared so that uninteresting entries are
// stepped over with one addition.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "symbolizer/byte_reader.h"

namespace dwell::dwarf {

// How wide the forms of a unit are that have no width of their own.
struct Encoding {
  std::uint8_t offset_size = 4;  // 4, or 8 in 64-bit DWARF
  std::uint16_t version = 4;
};

struct AttributeSpec {
  std::uint16_t attribute = 0, form = 0;
  std::int8_t size = -1;      // fixed_form_size()
  std::int64_t implicit = 0;  // the value of DW_FORM_implicit_const
};

// Bytes to skip, and then one value of a form whose length must be read. The last step has form 0.
struct SkipStep {
  std::uint32_t bytes;
  std::uint16_t form;
};

struct Abbrev {
  std::uint64_t code = 0;
  std::uint16_t tag = 0;
  bool has_children = false;
  std::uint32_t first_spec = 0, spec_count = 0;
  std::uint32_t first_step = 0, step_count = 0;
};

class AbbrevTable {
 public:
  // Reads up to the end of the table. ok() tells whether it ended as it should.
  static AbbrevTable parse(std::string_view bytes, Encoding encoding);

  bool ok() const { return ok_; }
  std::size_t parsed_bytes() const { return parsed_bytes_; }
  const Abbrev* find(std::uint64_t code) const {
    if (code - 1 < abbrevs_.size() && abbrevs_[code - 1].code == code) return &abbrevs_[code - 1];
    return sparse_.empty() ? nullptr : find_sparse(code);
  }
  const AttributeSpec* specs(const Abbrev& abbrev) const { return specs_.data() + abbrev.first_spec; }
  // Moves over the attributes of an entry.
  void skip(const Abbrev& abbrev, ByteReader& reader, Encoding encoding) const;

 private:
  const Abbrev* find_sparse(std::uint64_t code) const;
  void add_steps(Abbrev& abbrev);

  std::vector<Abbrev> abbrevs_;  // position code - 1 in what compilers write
  std::unordered_map<std::uint64_t, std::size_t> sparse_;  // for all others
  std::vector<AttributeSpec> specs_;
  std::vector<SkipStep> steps_;
  std::size_t parsed_bytes_ = 0;
  bool ok_ = false;
};

// Bytes that a value of this form takes, or -1 if that stands in the data.
int fixed_form_size(std::uint16_t form, Encoding encoding);
// Moves over one value; an unknown form fails the reader, because nothing behind it can be read.
void skip_form(std::uint16_t form, ByteReader& reader, Encoding encoding);
inline void skip_value(const AttributeSpec& spec, ByteReader& reader, Encoding encoding) {
  if (spec.size >= 0) return reader.skip(spec.size);
  skip_form(spec.form, reader, encoding);
}

}  // namespace dwell::dwarf
