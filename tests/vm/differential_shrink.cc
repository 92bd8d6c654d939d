// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <utility>

#include "tests/vm/differential_case.h"

namespace kentry::vm {
namespace {

using Kind = TryCondition::Kind;

// Shorter ones of a string: its halves, quarters, … taken away; whole parts of a path first.
std::vector<std::string> Shorter(const std::string& text) {
  std::vector<size_t> places = {0};
  for (size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '/') places.push_back(at);
  }
  places.push_back(text.size());
  std::vector<std::string> shorter;
  const auto drop = [&](size_t from, size_t to) {
    if (from < to) shorter.push_back(text.substr(0, from) + text.substr(to));
  };
  for (size_t len = places.size() - 1; len > 0; len /= 2) {
    for (size_t i = 0; i + len < places.size(); i += len) drop(places[i], places[i + len]);
  }
  for (size_t len = text.size(); len > 0; len /= 2) {
    for (size_t at = 0; at + len <= text.size() && shorter.size() < 64; at += len) {
      drop(at, at + len);
    }
  }
  return shorter;
}

std::vector<TryCondition> Smaller(const TryCondition& condition) {
  std::vector<TryCondition> smaller = condition.parts;
  if (condition.kind == Kind::kLeaf) {
    for (size_t i = 0;
         condition.list && condition.strings.size() > 1 && i < condition.strings.size(); ++i) {
      smaller.push_back(condition);
      auto& strings = smaller.back().strings;
      strings.erase(strings.begin() + static_cast<ptrdiff_t>(i));
    }
    return smaller;
  }
  for (size_t i = 0; i < condition.parts.size(); ++i) {
    if (condition.parts.size() > 2) {
      smaller.push_back(condition);
      auto& parts = smaller.back().parts;
      parts.erase(parts.begin() + static_cast<ptrdiff_t>(i));
    }
    for (TryCondition& part : Smaller(condition.parts[i])) {
      smaller.push_back(condition);
      smaller.back().parts[i] = std::move(part);
    }
  }
  return smaller;
}

void CollectStrings(TryCondition& condition, std::vector<std::string*>* out) {
  for (std::string& text : condition.strings) out->push_back(&text);
  for (TryCondition& part : condition.parts) CollectStrings(part, out);
}

// Every path of the case, in an order that copies of the case share.
std::vector<std::string*> AllStrings(TryCase& given) {
  std::vector<std::string*> all;
  for (TryRule& rule : given.rules) CollectStrings(rule.when, &all);
  for (TryRecord& record : given.records) {
    for (std::string* text :
         {&record.binary, &record.parent, &record.path, &record.alias, &record.alias_dir}) {
      all.push_back(text);
    }
  }
  return all;
}

// `text` with `from` wherever it stands as `to`.
std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

class Shrinker {
 public:
  Shrinker(TryCase given, const std::function<bool(const TryCase&)>& fails, int tries)
      : best_(std::move(given)), fails_(fails), tries_(tries) {}

  TryCase Run() {
    bool smaller = true;
    while (smaller && tries_ > 0) {
      smaller = Drop(&TryCase::records);
      smaller |= Drop(&TryCase::rules);
      smaller |= Conditions();
      smaller |= Records();
      smaller |= Strings();
    }
    return best_;
  }

 private:
  // Whether the kernel could see such records.
  static bool Possible(const TryCase& candidate) {
    return std::all_of(
        candidate.records.begin(), candidate.records.end(), [](const TryRecord& record) {
          const auto image = [](const std::string& path) {
            return path.empty() || (path != "/" && IsPath(path));
          };
          const std::string& dir = record.alias_dir;
          const bool known = (record.alias.empty() || IsPath(record.alias)) &&
                             (dir.empty() || dir == "/" ||
                              (dir.ends_with('/') && IsPath(dir.substr(0, dir.size() - 1))));
          return image(record.binary) && image(record.parent) && known && IsPath(record.path);
        });
  }

  bool Try(const TryCase& candidate) {
    if (tries_ <= 0 || !Possible(candidate)) return false;
    --tries_;
    if (!fails_(candidate)) return false;
    best_ = candidate;
    return true;
  }

  // Takes away halves, quarters, … single elements.
  template <typename T>
  bool Drop(std::vector<T> TryCase::*list) {
    bool any = false;
    for (size_t len = (best_.*list).size() / 2; len > 0; len /= 2) {
      for (size_t at = 0; at < (best_.*list).size() && (best_.*list).size() > 1;) {
        TryCase candidate = best_;
        auto& elements = candidate.*list;
        const size_t end = std::min(elements.size(), at + len);
        elements.erase(elements.begin() + static_cast<ptrdiff_t>(at),
                       elements.begin() + static_cast<ptrdiff_t>(end));
        if (!elements.empty() && Try(candidate)) {
          any = true;
        } else {
          at += len;
        }
      }
    }
    return any;
  }

  bool Conditions() {
    bool any = false;
    for (size_t i = 0; i < best_.rules.size(); ++i) {
      for (bool again = true; again;) {
        again = false;
        for (TryCondition& smaller : Smaller(best_.rules[i].when)) {
          TryCase candidate = best_;
          candidate.rules[i].when = std::move(smaller);
          if (Try(candidate)) {
            any = again = true;
            break;
          }
        }
      }
    }
    return any;
  }

  // Puts one thing of a record back to what says nothing.
  template <typename T>
  bool Reset(size_t record, T TryRecord::*member, const T& plain) {
    if (best_.records[record].*member == plain) return false;
    TryCase candidate = best_;
    candidate.records[record].*member = plain;
    return Try(candidate);
  }

  bool Records() {
    bool any = false;
    for (size_t i = 0; i < best_.records.size(); ++i) {
      any |= Reset(i, &TryRecord::stale, false);
      any |= Reset(i, &TryRecord::cut, false);
      any |= Reset(i, &TryRecord::container, size_t{0});
      any |= Reset(i, &TryRecord::alias, std::string());
      any |= Reset(i, &TryRecord::alias_dir, std::string());
      any |= Reset(i, &TryRecord::alias_above, false);
      any |= Reset(i, &TryRecord::args, std::string());
      any |= Reset(i, &TryRecord::script, std::string());
      any |= Reset(i, &TryRecord::parent, std::string());
      any |= Reset(i, &TryRecord::binary, std::string("/b"));
      any |= Reset(i, &TryRecord::path, std::string("/f"));
      any |= Reset(i, &TryRecord::numbers, {});
      any |= Reset(i, &TryRecord::caps, {});
      any |= Reset(i, &TryRecord::flags, 0u);
      any |= Reset(i, &TryRecord::marks, {});
      any |= Reset(i, &TryRecord::access, 0u);
    }
    return any;
  }

  bool Strings() {
    // The same name everywhere, so that what matched goes on matching.
    bool any = false;
    std::set<std::string> names;
    for (const std::string* text : AllStrings(best_)) {
      for (size_t at = 0; at < text->size();) {
        const size_t end = std::min(text->find('/', at), text->size());
        if (end > at + 1) names.insert(text->substr(at, end - at));
        at = end + 1;
      }
    }
    for (const std::string& name : names) {
      for (const char* to : {"a", "b"}) {
        TryCase candidate = best_;
        for (std::string* text : AllStrings(candidate)) *text = Replaced(*text, name, to);
        if (!Try(candidate)) continue;
        any = true;
        break;
      }
    }
    const size_t count = AllStrings(best_).size();
    for (size_t i = 0; i < count; ++i) {
      for (bool again = true; again;) {
        again = false;
        for (const std::string& shorter : Shorter(*AllStrings(best_)[i])) {
          TryCase candidate = best_;
          *AllStrings(candidate)[i] = shorter;
          again = Try(candidate);
          if (again) break;
        }
        any |= again;
      }
    }
    return any;
  }

  TryCase best_;
  const std::function<bool(const TryCase&)>& fails_;
  int tries_;
};

}  // namespace

TryCase Shrink(TryCase given, const std::function<bool(const TryCase&)>& fails, int tries) {
  return Shrinker(std::move(given), fails, tries).Run();
}

}  // namespace kentry::vm
