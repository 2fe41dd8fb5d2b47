// SPDX-License-Identifier: Apache-2.0
#include "ui/pprof.h"

#include <zlib.h>

#include <set>
#include <string_view>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "ui/escape.h"
#include "ui/pprof_profile.pb.h"
#include "ui/wrappers.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

using pprof_wire::ProfileProto;

constexpr std::size_t kMostBytes = 0x7fffffff;  // readers take no larger message

// As pprof does before it compares: "operator new(unsigned long)" -> "operator new".
std::string without_arguments(const std::string& name) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)", kCall = "operator";
  std::size_t at = 0;
  while ((at = name.find('(', at)) != name.npos) {
    const bool anonymous = name.compare(at, kAnonymous.size(), kAnonymous) == 0,
               call = std::string_view(name).substr(0, at).ends_with(kCall);
    if (!anonymous && !call) return name.substr(0, at);
    at += anonymous ? kAnonymous.size() : 2;
  }
  return name;
}

// As a regular expression that matches nothing else.
std::string regular(const std::string& name) {
  std::string escaped;
  for (char c : name) {
    if (std::string_view("\\.+*?()|[]{}^$").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// Translates one Profile; string, function and location numbers are given in order of first use.
class PprofBuilder {
 public:
  explicit PprofBuilder(const Profile& profile) : profile_(profile) { text(""); }

  // false: more than protobuf can hold. Samples are many, so each is a message by itself: put together they are
  // the bytes of the whole, as its fields lie in the order of their numbers.
  bool write(std::string& out) {
    ProfileProto head;
    for (const ProfileValueType& type : profile_.sample_types) set(*head.add_sample_type(), type);
    for (const ProfileMapping& mapping : profile_.mappings) add(mapping);
    for (const ProfileLocation& location : profile_.locations) add(location);
    bool whole = head.AppendToString(&out);
    for (const ProfileSample& sample : profile_.samples) {
      ProfileProto one;
      add(sample, one);
      whole = whole && one.AppendToString(&out) && out.size() <= kMostBytes;
    }
    add_header();
    return whole && proto_.AppendToString(&out) && out.size() <= kMostBytes;
  }

 private:
  // Protobuf strings must be UTF-8: some readers refuse a whole profile for one bad byte in a name.
  std::int64_t text(const std::string& value) {
    auto [at, is_new] = texts_.try_emplace(value, texts_.size());
    if (is_new) proto_.add_string_table(printable(value));
    return at->second;
  }

  void set(pprof_wire::ValueTypeProto& to, const ProfileValueType& type) {
    to.set_type_text(text(type.type));
    to.set_unit_text(text(type.unit));
  }

  void add(const ProfileMapping& mapping) {
    pprof_wire::MappingProto& to = *proto_.add_mapping();
    to.set_id(static_cast<std::uint64_t>(proto_.mapping_size()));
    to.set_memory_start(mapping.start);
    to.set_memory_limit(mapping.limit);
    to.set_file_offset(mapping.file_offset);
    to.set_path_text(text(mapping.path));
    to.set_build_id_text(text(mapping.build_id));
    to.set_has_functions(mapping.has_functions);
    to.set_has_filenames(mapping.has_filenames);
    to.set_has_line_numbers(mapping.has_line_numbers);
    to.set_has_inline_frames(mapping.has_inline_frames);
  }

  void add(const ProfileLocation& location) {
    pprof_wire::LocationProto& to = *proto_.add_location();
    to.set_id(static_cast<std::uint64_t>(proto_.location_size()));
    to.set_mapping_id(static_cast<std::uint64_t>(location.mapping + 1));
    to.set_address(location.address);
    for (const ProfileLine& line : location.lines) {
      pprof_wire::LineProto& line_to = *to.add_line();
      line_to.set_function_id(function(line));
      line_to.set_line(line.line);
    }
  }

  std::uint64_t function(const ProfileLine& line) {
    std::int64_t name = text(line.function);
    std::int64_t system_name = text(line.system_name.empty() ? line.function : line.system_name);
    std::int64_t file = text(line.file);
    auto [at, is_new] = functions_.try_emplace(std::tuple(name, system_name, file), functions_.size() + 1);
    if (is_new) {
      pprof_wire::FunctionProto& to = *proto_.add_function();
      to.set_id(at->second);
      to.set_name_text(name);
      to.set_system_name_text(system_name);
      to.set_file_text(file);
    }
    return at->second;
  }

  void add(const ProfileSample& sample, ProfileProto& in) {
    pprof_wire::SampleProto& to = *in.add_sample();
    for (std::uint32_t location : sample.stack) to.add_location_id(std::uint64_t{location} + 1);
    if (sample.stack.empty()) to.add_location_id(unknown_location());
    for (std::int64_t value : sample.values) to.add_value(value);
    for (const ProfileLabel& label : sample.labels) {
      pprof_wire::LabelProto& label_to = *to.add_label();
      label_to.set_key_text(text(label.key));
      label_to.set_value_text(text(label.text));
      if (!label.text.empty()) continue;
      label_to.set_number(label.number);
      label_to.set_unit_text(text(label.unit));
    }
  }

  // pprof drops samples that have no location, and totals would no longer add up.
  std::uint64_t unknown_location() {
    if (unknown_location_ == 0) {
      ProfileLocation unknown;
      unknown.lines.push_back({"[unknown]", "", "", 0});
      add(unknown);
      unknown_location_ = static_cast<std::uint64_t>(proto_.location_size());
    }
    return unknown_location_;
  }

  // Allocators and the wrappers around them, as far as they occur. pprof matches whole names, without
  // arguments, and drops what they call as well; so no function that calls the program back may be among
  // them.
  std::string drop_frames() const {
    std::set<std::string> names;
    for (const ProfileLocation& location : profile_.locations)
      for (const ProfileLine& line : location.lines)
        if (is_allocator(line.function) || is_known_wrapper(line.function))
          names.insert(without_arguments(printable(line.function)));
    std::string pattern;
    for (const std::string& name : names) pattern += (pattern.empty() ? "" : "|") + regular(name);
    return pattern;
  }

  void add_header() {
    if (profile_.allocators_are_leaves) proto_.set_drop_frames_text(text(drop_frames()));
    if (!profile_.title.empty()) proto_.add_comment_text(text(profile_.title));
    for (const std::string& comment : profile_.comments) proto_.add_comment_text(text(comment));
    proto_.set_time_nanos(profile_.time_unix_ns);
    proto_.set_duration_nanos(profile_.duration_ns);
    if (!profile_.period_type.type.empty()) set(*proto_.mutable_period_type(), profile_.period_type);
    proto_.set_period(profile_.period);
    if (profile_.default_sample_type < profile_.sample_types.size()) {
      proto_.set_default_sample_type_text(text(profile_.sample_types[profile_.default_sample_type].type));
    }
  }

  const Profile& profile_;
  ProfileProto proto_;
  std::uint64_t unknown_location_ = 0;
  absl::flat_hash_map<std::string, std::int64_t> texts_;
  absl::flat_hash_map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::uint64_t> functions_;
};

Result<std::string> gzip(const std::string& content) {
  constexpr int kGzipWindow = 15 + 16;  // 32 KiB window, gzip framing
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return Error{"compress the profile: zlib could not be set up", {}};
  }
  std::string result(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  int status = deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) return Error{"compress the profile: zlib stopped early", {}};
  return result;
}

}  // namespace

Result<std::string> pprof(const Profile& profile) {
  std::string bytes;
  if (!PprofBuilder(profile).write(bytes)) {
    return Error{"write the profile as protobuf: it is larger than 2 GB",
                 "choose a shorter time range or fewer call sites"};
  }
  return gzip(bytes);
}

}  // namespace dwell
