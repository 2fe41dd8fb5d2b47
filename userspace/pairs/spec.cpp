// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/spec.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace dwell::pairs {
namespace {

constexpr int kMostArguments = 6;  // that are in registers
constexpr const char* kExamples = "for example --pair conn=pool_get:pool_put, or --pair 'obj=obj_new,obj_ref(arg1):obj_unref'; docs/pairs.md";

Error usage(const std::string& text, const std::string& why) {
  return Error{fmt::format("--pair '{}': {}", text, why), kExamples, Exit::kUsage};
}

struct PairToken {
  std::string text;
  char end;  // what follows: ':', ',', or 0
};

// At colons that are none of "::", and at commas, outside of parentheses and of template arguments.
std::vector<PairToken> tokens_of(std::string_view text) {
  std::vector<PairToken> tokens(1);
  int depth = 0, templates = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ':' && text.substr(i, 2) == "::") {
      tokens.back().text += "::";
      ++i;
      continue;
    }
    bool in_operator = tokens.back().text.ends_with("operator") || tokens.back().text.ends_with("operator<") || tokens.back().text.ends_with("operator-");
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == '<' && !in_operator) ++templates;
    if (c == '>' && !in_operator && templates > 0 && depth == 0) --templates;
    bool splits = depth <= 0 && (c == ':' || (c == ',' && templates <= 0));
    if (!splits) {
      tokens.back().text += c;
      continue;
    }
    tokens.back().end = c;
    tokens.emplace_back();
  }
  tokens.back().end = 0;
  return tokens;
}

// "example.com/pool.(*Pool).Get", of Go, where a path would begin with a slash or a dot, or have no dot in its last part.
bool is_go_path(std::string_view token) {
  if (token.starts_with('/') || token.starts_with('.')) return false;
  std::size_t slash = token.rfind('/', token.find('('));
  return slash == token.npos || token.substr(slash).find_first_of(".*?") != token.npos;
}

bool names_file(std::string_view token) {
  std::size_t at = token.rfind(".so");
  if (at != token.npos && (at + 3 == token.size() || token[at + 3] == '.')) return true;
  bool is_operator = token.find("operator/") != token.npos;
  return token.find('/') != token.npos && !is_operator && !is_go_path(token);
}

std::optional<int> argument_number(std::string_view text) {
  if (text.starts_with("arg")) text.remove_prefix(3);
  if (text.size() != 1 || text[0] < '1' || text[0] > '0' + kMostArguments) return std::nullopt;
  return text[0] - '0';
}

// "return2"
std::optional<int> result_number(std::string_view words) {
  if (!words.starts_with("return") || words.size() != 7) return std::nullopt;
  return argument_number(words.substr(6));
}

// Functions that return 0 when the caller has the lock that is their first argument: from then on it is held,
// and not while they wait.
bool takes_a_lock(std::string_view name) {
  constexpr std::array kLocks = {"pthread_mutex_lock",
                                 "pthread_mutex_trylock",
                                 "pthread_mutex_timedlock",
                                 "pthread_mutex_clocklock",
                                 "pthread_rwlock_rdlock",
                                 "pthread_rwlock_wrlock",
                                 "pthread_rwlock_tryrdlock",
                                 "pthread_rwlock_trywrlock",
                                 "pthread_rwlock_timedrdlock",
                                 "pthread_rwlock_timedwrlock",
                                 "pthread_rwlock_clockrdlock",
                                 "pthread_rwlock_clockwrlock",
                                 "pthread_spin_lock",
                                 "pthread_spin_trylock",
                                 "sem_wait",
                                 "sem_trywait",
                                 "sem_timedwait",
                                 "sem_clockwait",
                                 "mtx_lock",
                                 "mtx_trylock",
                                 "mtx_timedlock"};
  return std::ranges::find(kLocks, name) != kLocks.end();
}

// They give back the mutex that is their second argument, and have it again when they return.
bool waits_with_a_lock(std::string_view name) {
  constexpr std::array kWaits = {"pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_clockwait",
                                 "cnd_wait", "cnd_timedwait"};
  return std::ranges::find(kWaits, name) != kWaits.end();
}

constexpr std::string_view kWhenGranted = ",return=0", kWhenReturned = ",return";

// "arg1,return=0" is "arg1", and when.
ValueFrom cut_condition(std::string& words) {
  std::erase(words, ' ');
  for (auto [behind, from] :
       {std::pair(kWhenGranted, ValueFrom::kGranted), std::pair(kWhenReturned, ValueFrom::kRegained)}) {
    if (!words.starts_with("arg") || !words.ends_with(behind)) continue;
    words.resize(words.size() - behind.size());
    return from;
  }
  return ValueFrom::kArgument;
}

// "pool_get", "obj_ref(arg1)". The words in the last parentheses are those of an argument list else.
PairFunction function_of(std::string text, bool gives, bool& understood) {
  PairFunction function;
  std::string words;
  if (text.ends_with(')')) {
    std::size_t open = text.rfind('(');
    if (open != text.npos) words = text.substr(open + 1, text.size() - open - 2);
    std::string_view number = std::string_view(words).substr(words.starts_with('*'));
    bool is_value = words == "return" || result_number(words) || words == "return>=0" || (number.starts_with("arg") && number.size() > 3 && std::isdigit(static_cast<unsigned char>(number[3])));
    if (is_value)
      text.resize(open);
    else
      words.clear();
  }
  function.name = text;
  if (words.empty() && waits_with_a_lock(text)) words = gives ? "arg2" : "arg2,return";
  if (words.empty() && takes_a_lock(text) && !gives) words = "arg1,return=0";
  if (words.empty() && gives) words = "arg1";
  if (words == "return>=0") function.from = ValueFrom::kNumber;
  if (int number = result_number(words).value_or(1); number > 1) function.argument = number;
  if (words.empty() || words.starts_with("return")) {
    understood = !gives;
    return function;
  }
  bool stored = words.starts_with('*');
  ValueFrom of_argument = cut_condition(words);
  std::optional<int> argument = argument_number(std::string_view(words).substr(stored));
  understood = argument && !(gives && (stored || of_argument != ValueFrom::kArgument));
  function.from = stored ? ValueFrom::kStored : of_argument;
  function.argument = argument.value_or(1);
  return function;
}

bool is_name(std::string_view name) {
  auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
  return !name.empty() && std::ranges::all_of(name, fits);
}

}  // namespace

Result<PairSpec> parse_pair(const std::string& text) {
  PairSpec spec;
  std::size_t equals = text.find('=');
  if (equals == text.npos || !is_name(std::string_view(text).substr(0, equals)))
    return usage(text, "it begins with a name of your own, and =");
  spec.name = text.substr(0, equals);
  std::string file;
  int side = 0;  // 0: takes, 1: gives, 2: the size
  for (const PairToken& token : tokens_of(std::string_view(text).substr(equals + 1))) {
    if (token.text.empty()) return usage(text, "a function is missing");
    if (side < 2 && token.end == ':' && file.empty() && names_file(token.text)) {
      file = token.text;
      continue;
    }
    if (side == 2) {
      std::optional<int> size = argument_number(token.text);
      if (!size || token.end) return usage(text, fmt::format("'{}' is no argument for the size: arg1 to arg{}", token.text, kMostArguments));
      spec.size_argument = *size;
      continue;
    }
    bool understood = true;
    PairFunction function = function_of(token.text, side == 1, understood);
    if (!understood || function.name.empty())
      return usage(
          text,
          fmt::format("'{}': {}", token.text,
                      side == 1 ? fmt::format("what gives back says which argument it is: (arg1) to (arg{})",
                                              kMostArguments)
                                : fmt::format("what takes says (return), (return>=0), (arg1) to (arg{0}), "
                                              "(arg1,return=0), or (*arg1) to (*arg{0})",
                                              kMostArguments)));
    function.file = std::exchange(file, "");
    (side == 0 ? spec.takes : spec.gives).push_back(function);
    if (token.end == ':') ++side;
  }
  if (spec.gives.empty() || !file.empty()) return usage(text, "a function that gives back is missing, behind a colon");
  auto is_number = [](const PairFunction& function) { return function.from == ValueFrom::kNumber; };
  spec.numbers = std::ranges::any_of(spec.takes, is_number);
  if (spec.numbers && std::ranges::any_of(spec.takes, [](const PairFunction& one) { return one.from == ValueFrom::kResult || one.from == ValueFrom::kStored; }))
    return usage(text, "functions that take return ints, (return>=0), or none of them does");
  return spec;
}

std::string refusal_of(const PairSpec& spec, const PairFunction& function, bool gives, bool is_go) {
  bool of_result = function.from == ValueFrom::kResult || function.from == ValueFrom::kNumber;
  if (!is_go) return of_result && function.argument > 1 ? fmt::format("(return{}) is for functions of Go: others return one value", function.argument) : "";
  if (gives) return "";
  constexpr const char* kWhy = "a call of a Go function may end on another thread and another stack than it began on, so that its arguments and its end are not seen together";
  if (function.from == ValueFrom::kArgument) return "";
  if (!of_result) return fmt::format("{}: say (return), or (arg{}) for the moment when the call begins", kWhy, function.argument);
  return spec.size_argument ? fmt::format("{}: leave out the size", kWhy) : "";
}

bool is_meant(std::string_view file, std::string_view path) {
  if (file.empty() || file == path) return true;
  while (file.starts_with("./")) file.remove_prefix(2);
  if (file.find('/') != file.npos) return path.ends_with(file) && (file.starts_with('/') ? path == file : path[path.size() - file.size() - 1] == '/');
  std::string_view base = path.substr(path.rfind('/') + 1);
  return base == file || (base.starts_with(file) && base[file.size()] == '.' && file.find(".so") != file.npos);
}

}  // namespace dwell::pairs
