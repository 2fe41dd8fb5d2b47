// SPDX-License-Identifier: Apache-2.0
#include "userspace/subjects/choice.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "userspace/base/text.h"

namespace dwell {
namespace {

struct Thing {
  const Subject* subject;
  const Followed* followed;
  bool operator==(const Thing&) const = default;
};

bool has(const std::vector<Thing>& things, const Thing& thing) { return std::ranges::count(things, thing) != 0; }

class Chooser {
 public:
  explicit Chooser(std::span<const Subject> subjects) {
    for (const Subject& subject : subjects)
      for (const Followed& followed : subject.followed) all_.push_back({&subject, &followed});
  }

  Result<Choice> choose(const FollowRequest& request) {
    Result<std::vector<Thing>> only = named(request.only, "--only"), without = named(request.without, "--without"),
                               added = named(request.added, "");
    for (const auto* some : {&only, &without, &added})
      if (!*some) return some->error();
    if (Result<void> fits = agree(*only, *without, *added, request); !fits) return fits.error();
    std::vector<Thing> chosen = *only;
    if (request.only.empty())
      std::ranges::copy_if(all_, std::back_inserter(chosen), [](const Thing& thing) { return thing.followed->by_default; });
    for (const Thing& thing : *added)
      if (!has(chosen, thing)) chosen.push_back(thing);
    std::erase_if(chosen, [&](const Thing& thing) { return has(*without, thing); });
    if (chosen.empty()) return Error{"--only and --without leave nothing to record", "dwell record --help lists what there is", Exit::kUsage};
    Choice choice;
    for (const Thing& thing : chosen) {
      Chosen& of = choice[thing.subject->name];
      of.names.insert(thing.followed->name);
      of.by_name |= has(*only, thing) || has(*added, thing);
      if (thing.followed->value_name.empty()) continue;
      Result<std::vector<std::string>> values = values_of(thing, request);
      if (!values) return values.error();
      of.values[thing.followed->name] = std::move(*values);
    }
    // Where the first of the table is left out, which a recording is of otherwise, the rest is what is wanted.
    if (!all_.empty() && !choice.contains(all_.front().subject->name))
      for (auto& [subject, of] : choice) of.by_name = true;
    return choice;
  }

 private:
  // A subject stands for what it follows by default, or for all of it where that is nothing. --without takes all.
  std::vector<Thing> of_subject(std::string_view name, bool everything) const {
    std::vector<Thing> defaults, whole;
    for (const Thing& thing : all_) {
      if (thing.subject->name != name) continue;
      whole.push_back(thing);
      if (thing.followed->by_default) defaults.push_back(thing);
    }
    return everything || defaults.empty() ? whole : defaults;
  }

  Result<std::vector<Thing>> one(const std::string& name, std::string_view option) const {
    std::vector<Thing> found = of_subject(name, option == "--without");
    if (!found.empty()) return found;
    for (const Thing& thing : all_)
      if (full_name(*thing.subject, *thing.followed) == name) return std::vector<Thing>{thing};
    std::ranges::copy_if(all_, std::back_inserter(found), [&](const Thing& thing) { return thing.followed->name == name; });
    if (found.size() == 1) return found;
    return unknown(name, option, found);
  }

  Error unknown(const std::string& name, std::string_view option, const std::vector<Thing>& meanings) const {
    std::string several;
    for (const Thing& thing : meanings) several += (several.empty() ? "" : " or ") + full_name(*thing.subject, *thing.followed);
    if (!several.empty()) return Error{fmt::format("{} {}: which one?", option, name), several, Exit::kUsage};
    std::vector<std::string> names;
    for (const Thing& thing : all_) {
      for (std::string known : {std::string(thing.subject->name), full_name(*thing.subject, *thing.followed)})
        if (std::ranges::find(names, known) == names.end()) names.push_back(known);
    }
    std::string nearest = nearest_of(name, names);
    return Error{fmt::format("{}: '{}' is nothing that dwell records", option, name),
                 nearest.empty() ? "dwell record --help lists what there is" : "did you mean " + nearest + "?", Exit::kUsage};
  }

  Result<std::vector<Thing>> named(const std::vector<std::string>& names, std::string_view option) const {
    std::vector<Thing> all;
    for (const std::string& name : names) {
      Result<std::vector<Thing>> things = one(name, option);
      if (!things) return things.error();
      for (const Thing& thing : *things)
        if (!has(all, thing)) all.push_back(thing);
    }
    return all;
  }

  static Result<std::vector<std::string>> values_of(const Thing& thing, const FollowRequest& request) {
    std::string name = full_name(*thing.subject, *thing.followed);
    auto given = request.values.find(name);
    if (given == request.values.end())
      return Error{fmt::format("--only {}: nothing is named", name), fmt::format("{} {}", thing.followed->flag, thing.followed->value_name), Exit::kUsage};
    Result<void> fit = thing.followed->check_values(given->second);
    return fit ? Result<std::vector<std::string>>(given->second) : fit.error();
  }

  // What is asked for twice over, once with and once without.
  static Result<void> agree(const std::vector<Thing>& only, const std::vector<Thing>& without, const std::vector<Thing>& added,
                            const FollowRequest& request) {
    for (const std::string& name : request.only)
      if (std::ranges::count(request.without, name))
        return Error{fmt::format("--only {0} and --without {0} contradict each other", name), "leave one of them out", Exit::kUsage};
    for (const Thing& thing : added) {
      std::string name = full_name(*thing.subject, *thing.followed);
      if (has(without, thing))
        return Error{fmt::format("{} and --without contradict each other", thing.followed->flag), "--without leaves out " + name, Exit::kUsage};
      bool of_same = std::ranges::any_of(only, [&](const Thing& one) { return one.subject == thing.subject; });
      if (!request.only.empty() && !of_same)
        return Error{fmt::format("{} and --only contradict each other", thing.followed->flag),
                     fmt::format("add {} to --only", thing.subject->name), Exit::kUsage};
    }
    return {};
  }

  std::vector<Thing> all_;
};

}  // namespace

Result<Choice> choose(std::span<const Subject> subjects, const FollowRequest& request) {
  return Chooser(subjects).choose(request);
}

std::string full_name(const Subject& subject, const Followed& followed) {
  if (subject.followed.size() == 1) return std::string(subject.name);
  return fmt::format("{}:{}", subject.name, followed.name);
}

std::string list_left_out(std::span<const Subject> subjects, const Choice& choice, const Recording& recording) {
  std::string text;
  for (const Subject& subject : subjects) {
    if (subject.of_target && !subject.of_target(recording)) continue;
    auto chosen = choice.find(subject.name);
    for (const Followed& followed : subject.followed) {
      if (followed.flag.empty() || !followed.value_name.empty() || (chosen != choice.end() && chosen->second.has(followed.name))) continue;
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", full_name(subject, followed), followed.flag);
    }
  }
  return text;
}

std::string list_followed(std::span<const Subject> subjects) {
  std::string text;
  for (const Subject& subject : subjects)
    for (const Followed& followed : subject.followed)
      text += fmt::format("  {:<17} {:<13} {}\n", full_name(subject, followed),
                          followed.by_default ? "yes" : std::string(followed.flag), followed.sentence);
  return text;
}

}  // namespace dwell
