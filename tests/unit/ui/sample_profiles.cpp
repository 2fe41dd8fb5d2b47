// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ui/sample_profiles.h"

#include <algorithm>

#include "userspace/base/text.h"

namespace dwell {
namespace {

ProfileLine parse_line(std::string_view text) {
  ProfileLine line;
  std::size_t at = text.rfind('@');
  line.function = text.substr(0, at);
  if (at == std::string_view::npos) return line;
  std::string_view where = text.substr(at + 1);
  std::size_t colon = where.rfind(':');
  line.file = where.substr(0, colon);
  line.line = static_cast<std::uint32_t>(std::stoul(std::string(where.substr(colon + 1))));
  return line;
}

}  // namespace

ProfileBuilder::ProfileBuilder(std::initializer_list<ProfileValueType> types) {
  profile.sample_types = types;
}

ProfileBuilder& ProfileBuilder::stack(std::initializer_list<std::string> root_first,
                                      std::vector<std::int64_t> values) {
  ProfileSample sample;
  for (const std::string& text : root_first) sample.stack.push_back(location(text));
  std::reverse(sample.stack.begin(), sample.stack.end());
  sample.values = std::move(values);
  profile.samples.push_back(std::move(sample));
  return *this;
}

std::uint32_t ProfileBuilder::location(const std::string& text) {
  ProfileLocation made;
  std::string_view rest = text;
  if (std::size_t bang = rest.find('!'); bang != std::string_view::npos) {
    made.mapping = mapping(std::string(rest.substr(0, bang)));
    rest.remove_prefix(bang + 1);
  }
  for (std::string_view line : split(rest, '+')) made.lines.push_back(parse_line(line));
  made.address = 0x1000 * (static_cast<std::uint64_t>(made.mapping) + 2) + 16 * profile.locations.size();
  profile.locations.push_back(std::move(made));
  return static_cast<std::uint32_t>(profile.locations.size() - 1);
}

std::int32_t ProfileBuilder::mapping(const std::string& path) {
  for (std::size_t i = 0; i < profile.mappings.size(); ++i) {
    if (profile.mappings[i].path == path) return static_cast<std::int32_t>(i);
  }
  ProfileMapping made;
  made.path = path;
  made.build_id = "0123456789abcdef" + hex(path.data() + path.size() - 2, 2);
  made.start = 0x100000 * (profile.mappings.size() + 1);
  made.limit = made.start + 0x100000;
  made.has_functions = made.has_filenames = made.has_line_numbers = made.has_inline_frames = true;
  profile.mappings.push_back(std::move(made));
  return static_cast<std::int32_t>(profile.mappings.size() - 1);
}

Profile server_profile() {
  ProfileBuilder builder{{"inuse_objects", "count"}, {"inuse_space", "bytes"}};
  const std::string exe = "/usr/bin/server!", cpp = "/usr/lib/libstdc++.so.6!", c = "/usr/lib/libc.so.6!";
  builder
      .stack({c + "__libc_start_main", exe + "main@server.cpp:12", exe + "Server::run()@server.cpp:80",
              exe + "Cache::insert@cache.h:41+Server::handle(Request const&)@server.cpp:120",
              cpp + "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> "
                    ">::reserve(unsigned long)",
              cpp + "operator new(unsigned long)@new_op.cc:50"},
             {640, 41943040})
      .stack({c + "__libc_start_main", exe + "main@server.cpp:12", exe + "Server::run()@server.cpp:81",
              exe + "Log::append(std::string_view)@log.cpp:33"},
             {1200, 6291456})
      .stack({c + "__libc_start_main", exe + "main@server.cpp:10", exe + "Config::load()@config.cpp:7",
              c + "strdup"},
             {90, 4096})
      .stack(
          {c + "start_thread", "/usr/lib/libssl.so.3!SSL_CTX_new", "/usr/lib/libssl.so.3!libssl.so.3+0x1f20"},
          {3, 300000})
      .stack({c + "start_thread", "[unknown]"}, {7, 1536})
      .stack({}, {1, 64});
  // '+' separates inlined calls in this notation, so the nameless frame gets its name afterwards.
  for (ProfileLocation& location : builder.profile.locations) {
    if (location.lines[0].function == "libssl.so.3") location.lines = {{"libssl.so.3+0x1f20", "", "", 0}};
  }
  Profile& profile = builder.profile;
  profile.title = "retained memory of server (4242)";
  profile.default_sample_type = 1;
  profile.comments = {"dwell record -p 4242", "no losses"};
  profile.time_unix_ns = 1'700'000'000'000'000'000;
  profile.duration_ns = 60'000'000'000;
  profile.period_type = {"space", "bytes"};
  profile.period = 524288;
  profile.samples[0].labels = {{"thread", "worker", 0, ""}, {"bytes", "", 65536, "bytes"}};
  return profile;
}

Profile difference_profile() {
  ProfileBuilder builder{{"inuse_space", "bytes"}};
  builder.stack({"app!main@a.c:3", "app!fill_cache@a.c:9"}, {7'340'032})
      .stack({"app!main@a.c:4", "app!drop_cache@a.c:19"}, {-3'145'728})
      .stack({"app!main@a.c:5", "app!steady@a.c:29", "app!grow"}, {1'048'576})
      .stack({"app!main@a.c:5", "app!steady@a.c:29", "app!shrink"}, {-1'048'576})
      .stack({"app!main@a.c:6", "app!moved@a.c:31"}, {500})
      .stack({"app!main@a.c:6", "app!moved@a.c:31"}, {-500});
  builder.profile.title = "what grew: before.dwell to after.dwell";
  return builder.profile;
}

Profile hostile_profile() {
  ProfileBuilder builder{{"inuse_space", "bytes"}};
  builder
      .stack({"</script><script>document.title='owned'</script>", "\"><img src=x onerror=alert(1)>"}, {100})
      .stack({"]]>&lt;b", "a;b c 7\nd", "\x1b[2J\x1b]0;owned\x07"}, {50})
      .stack({"\xff\xfe broken", "\u202Egnp.exe", "日本語の関数"}, {25});
  builder.profile.title = "</title><script>document.title='owned'</script>";
  builder.profile.comments = {"\" onload='alert(1)"};
  return builder.profile;
}

}  // namespace dwell
