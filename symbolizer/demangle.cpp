// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/demangle.h"

#include <pthread.h>

#include <csetjmp>
#include <cstring>

// Else the header declares basename() in its own way, against the C library's.
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

namespace dwell {

namespace {

constexpr std::size_t kMaxName = std::size_t{32} << 10;       // longer ones stay mangled
constexpr std::size_t kMaxOutput = std::size_t{64} << 10;     // substitutions can double it with each letter
constexpr std::size_t kDeepName = 1000;                       // libiberty's own limit for recursion is near
constexpr std::size_t kDeepStack = std::size_t{64} << 20;

// libiberty writes in pieces and takes no "stop": the way out of a name that grows without end is longjmp, which
// is sound here because it allocates nothing on the way.
struct Sink {
  char text[kMaxOutput];
  std::size_t size = 0;
  std::jmp_buf too_long;
};

void write_piece(const char* piece, std::size_t length, void* opaque) noexcept {
  Sink* sink = static_cast<Sink*>(opaque);
  if (length == 0) return;
  if (length > kMaxOutput - sink->size) std::longjmp(sink->too_long, 1);
  std::memcpy(sink->text + sink->size, piece, length);
  sink->size += length;
}

bool run_demangler(const char* name, bool rust, int options, Sink* sink) {
  if (setjmp(sink->too_long) != 0) return false;
  sink->size = 0;
  return (rust ? rust_demangle_callback(name, options, &write_piece, sink)
               : cplus_demangle_v3_callback(name, options, &write_piece, sink)) != 0;
}

struct DeepCall {
  const char* name;
  int options;
  Sink* sink;
  bool done;
};

void* run_deep(void* opaque) noexcept {
  DeepCall* call = static_cast<DeepCall*>(opaque);
  call->done = run_demangler(call->name, false, call->options | DMGL_NO_RECURSE_LIMIT, call->sink);
  return nullptr;
}

// A long name may nest as deep as it is long; it gets a stack on which even that ends.
bool run_on_deep_stack(const char* name, int options, Sink* sink) {
  DeepCall call{name, options, sink, false};
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return false;
  ::pthread_attr_setstacksize(&attributes, kDeepStack);
  pthread_t thread;
  bool started = ::pthread_create(&thread, &attributes, &run_deep, &call) == 0;
  ::pthread_attr_destroy(&attributes);
  if (started) ::pthread_join(thread, nullptr);
  return call.done;
}

bool is_legacy_rust(std::string_view name) {
  // ...17h<16 hex digits>E
  if (name.size() < 23 || !name.ends_with('E') || name.substr(name.size() - 20, 3) != "17h") return false;
  return name.substr(name.size() - 17, 16).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::size_t clone_suffix_at(std::string_view name) {
  static constexpr std::string_view kSuffixes[] = {".cold", ".part.", ".constprop.", ".isra.", ".lto_priv.",
                                                   ".llvm.", ".localalias", ".clone.", ".specialized.",
                                                   ".resolver", ".ifunc"};
  std::size_t first = std::string_view::npos;
  for (std::string_view suffix : kSuffixes) {
    std::size_t at = name.find(suffix);
    if (at == std::string_view::npos || at == 0) continue;
    std::size_t after = at + suffix.size();
    bool whole = suffix.back() == '.' || after == name.size() || name[after] == '.';
    if (whole) first = std::min(first, at);
  }
  return first;
}

std::string demangle_base(std::string_view name, DemangleWidth width) {
  if (!is_mangled(name) || name.size() > kMaxName) return std::string(name);
  std::string terminated(name);
  bool rust = name.starts_with("_R") || is_legacy_rust(name);
  int options = DMGL_ANSI | (width == DemangleWidth::kFull ? DMGL_PARAMS : 0);
  static thread_local Sink sink;
  bool done = !rust && name.size() > kDeepName ? run_on_deep_stack(terminated.c_str(), options, &sink)
                                               : run_demangler(terminated.c_str(), rust, options, &sink);
  if (!done || sink.size == 0) return terminated;
  std::string_view text(sink.text, sink.size);
  return width == DemangleWidth::kShort ? without_template_arguments(text) : std::string(text);
}

// The end of the group that opens at `open`, behind its closing bracket; npos if it never closes.
std::size_t skip_arguments(std::string_view name, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < name.size(); ++at) {
    char c = name[at];
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if (c == '>' && at > 0 && (name[at - 1] == '-' || name[at - 1] == '=')) continue;  // "->", "=>"
    if ((c == '>' || c == ')' || c == ']' || c == '}') && --depth == 0) return at + 1;
  }
  return std::string_view::npos;
}

bool starts_word(std::string_view name, std::size_t at) {
  if (at == 0) return true;
  char before = name[at - 1];
  return before == ' ' || before == ':' || before == '(' || before == '<' || before == '&' || before == '*';
}

}  // namespace

bool is_mangled(std::string_view name) {
  return name.starts_with("_Z") || name.starts_with("_R") || name.starts_with("__Z");
}

std::string_view without_clone_suffix(std::string_view name) { return name.substr(0, clone_suffix_at(name)); }

std::string without_template_arguments(std::string_view name) {
  static constexpr std::string_view kOperator = "operator";
  std::string result;
  for (std::size_t at = 0; at < name.size();) {
    if (name.substr(at).starts_with(kOperator) && starts_word(name, at)) {
      std::size_t end = at + kOperator.size();
      while (end < name.size() && std::strchr("<>=-", name[end])) ++end;
      // "operator<<int>": the last '<' opens the arguments, unless it is all there is to the operator.
      std::string_view symbol = name.substr(at + kOperator.size(), end - at - kOperator.size());
      if (symbol == "<<<" || (symbol == "<<" && end < name.size() && name[end] != '(' && name[end] != ' ')) --end;
      result += name.substr(at, end - at);
      // "operator<< <int>": the demangler keeps the two apart.
      std::size_t arguments = name.substr(end).starts_with(" <") ? skip_arguments(name, end + 1) : end;
      at = arguments == std::string_view::npos ? end : arguments;
      continue;
    }
    bool trait = name[at] == '<' && starts_word(name, at) && (at == 0 || name[at - 1] != ':');
    if (name[at] == '<' && !trait) {
      std::size_t end = skip_arguments(name, at);
      if (end == std::string_view::npos) return std::string(name);
      // "f::<T>" of Rust loses its second "::" too.
      if (result.ends_with("::")) result.resize(result.size() - 2);
      at = end;
      continue;
    }
    result += name[at++];
  }
  return result;
}

std::string demangle(std::string_view name, DemangleWidth width, bool dots_are_clones) {
  if (width == DemangleWidth::kNone) return std::string(name);
  std::size_t suffix = dots_are_clones ? clone_suffix_at(name) : std::string_view::npos;
  if (suffix == std::string_view::npos) return demangle_base(name, width);
  std::string result = demangle_base(name.substr(0, suffix), width);
  result += " [clone ";
  result += name.substr(suffix);
  return result + "]";
}

}  // namespace dwell
