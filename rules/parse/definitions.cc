// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/definitions.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "rules/parse/constants.h"
#include "rules/parse/lexer.h"
#include "rules/parse/limits.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr size_t kMaxNameBytes = 64;

bool IsIdentifier(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || (name[0] >= '0' && name[0] <= '9')) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

bool IsTakenName(std::string_view name) {
  constexpr std::array<std::string_view, 11> kWords = {
      "true", "false", "in", "has", "size", "cidr", "and", "or", "not", "null", "ancestors"};
  if (std::find(kWords.begin(), kWords.end(), name) != kWords.end()) return true;
  if (FindConstant(name)) return true;
  const auto fields = Fields();
  return std::any_of(fields.begin(), fields.end(),
                     [name](const FieldDef& field) { return field.group == name; });
}

namespace {

// Follows the references of one kind of definitions and reports circles. `References(name)` gives
// the names that a definition refers to; `Break(name)` marks it.
template <typename References, typename Break>
class CycleFinder {
 public:
  CycleFinder(References references, Break mark) : references_(references), break_(mark) {}

  // What is wrong with `name`'s references, as the rest of a sentence, or "". Each circle is told
  // once.
  std::string Visit(const std::string& name) {
    if (done_.count(name) > 0) return "";
    const auto on_path = std::find(path_.begin(), path_.end(), name);
    if (on_path != path_.end()) {
      std::string circle =
          fmt::format("refers to itself: {} -> {}", fmt::join(on_path, path_.end(), " -> "), name);
      for (auto it = on_path; it != path_.end(); ++it) break_(*it);
      return circle;
    }
    if (path_.size() >= static_cast<size_t>(kMaxConditionDepth)) {
      break_(name);
      return fmt::format("refers to others over more than {} levels", kMaxConditionDepth);
    }
    path_.push_back(name);
    std::string wrong;
    for (const std::string& next : references_(name)) {
      const std::string found = Visit(next);
      if (wrong.empty()) wrong = found;
    }
    path_.pop_back();
    if (!wrong.empty()) break_(name);
    done_.insert(name);
    return wrong;
  }

 private:
  References references_;
  Break break_;
  std::vector<std::string> path_;
  std::set<std::string> done_;
};

struct RawItem {
  Literal value;
  SourcePos at;
  std::string reference;  // name of a list whose items stand here; "" = a value
};

class ListBuilder {
 public:
  ListBuilder(const NamedDrafts& drafts, Reporter& reporter, Definitions* out)
      : drafts_(drafts), reporter_(reporter), out_(out) {}

  void Build() {
    for (const auto& [name, draft] : drafts_) ReadItems(name, draft);
    FindCycles();
    for (const auto& [name, draft] : drafts_) Expand(name);
  }

 private:
  void ReadItems(const std::string& name, const NamedDraft& draft) {
    ListDef& list = out_->lists[name];
    list.at = draft.at;
    for (const NamedDraft::Part& part : draft.parts) {
      if (!part.node->IsSequence()) {
        Error(name, PosOf(reporter_.sources(), *part.node), part.path,
              fmt::format("a list is written [a, b], not as {}", KindName(*part.node)));
        continue;
      }
      for (const YamlNode& item : part.node->items) ReadItem(name, part.path, item);
    }
  }

  void Error(const std::string& name, const SourcePos& at, const std::string& path,
             std::string message, std::string hint = "") {
    out_->lists[name].broken = true;
    reporter_.Error(at, path, std::move(message), std::move(hint));
  }

  void ReadItem(const std::string& name, const std::string& path, const YamlNode& item) {
    const SourcePos at = PosOf(reporter_.sources(), item);
    if (!item.IsScalar()) {
      return Error(name, at, path,
                   fmt::format("an item of a list is a string or a number, not {}", KindName(item)),
                   item.kind == YamlNode::Kind::kNull ? "write \"\" for the empty string" : "");
    }
    if (item.plain && item.text.size() > 1 && item.text[0] == '$') {
      raw_[name].push_back({.value = false, .at = at, .reference = item.text.substr(1)});
      return;
    }
    if (item.text.size() > kMaxStringBytes || item.text.find('\0') != std::string::npos) {
      return Error(
          name, at, path,
          fmt::format("an item of a list holds no NUL and at most {} bytes", kMaxStringBytes));
    }
    const auto number = item.plain ? NumberOf(item.text) : std::nullopt;
    RawItem raw = {.value = item.text, .at = at, .reference = ""};
    // 7z, 5m and 4k are names far more often than units.
    if (number && number->unit == NumberUnit::kNone) raw.value = number->number;
    raw_[name].push_back(std::move(raw));
  }

  void FindCycles() {
    const auto references = [this](const std::string& name) {
      std::vector<std::string> names;
      for (const RawItem& item : raw_[name]) {
        if (!item.reference.empty() && out_->lists.count(item.reference) > 0) {
          names.push_back(item.reference);
        }
      }
      return names;
    };
    const auto mark = [this](const std::string& name) { out_->lists[name].broken = true; };
    CycleFinder finder(references, mark);
    for (const auto& [name, draft] : drafts_) {
      const std::string circle = finder.Visit(name);
      if (circle.empty()) continue;
      reporter_.Error(draft.at, "lists." + name, fmt::format("list {} {}", Shown(name), circle));
    }
  }

  // Fills in the values; lists that it names first.
  void Expand(const std::string& name) {
    ListDef& list = out_->lists[name];
    if (list.broken || !expanded_.insert(name).second) return;
    for (const RawItem& item : raw_[name]) {
      if (item.reference.empty()) {
        if (!Append(name, item, item.value)) return;
        continue;
      }
      const auto other = out_->lists.find(item.reference);
      if (other == out_->lists.end()) {
        const auto names = [this] {
          std::vector<std::string_view> known;
          for (const auto& entry : out_->lists) known.push_back(entry.first);
          return known;
        };
        Error(name, item.at, "lists." + name,
              fmt::format("unknown list {}{}", Shown(item.reference),
                          reporter_.Nearest(item.reference, names)),
              "a string that starts with $ has to stand in quotes");
        continue;
      }
      Expand(item.reference);
      list.broken = list.broken || other->second.broken;
      for (const Literal& value : other->second.values) {
        if (!Append(name, item, value)) return;
      }
    }
  }

  bool Append(const std::string& name, const RawItem& item, const Literal& value) {
    ListDef& list = out_->lists[name];
    if (++items_ > kMaxListItems) {
      Error(name, item.at, "lists." + name,
            fmt::format("the lists have more than {} items in all", kMaxListItems));
      return false;
    }
    const ValueType type =
        std::holds_alternative<std::string>(value) ? ValueType::kString : ValueType::kNumber;
    if (list.values.empty()) list.type = type;
    if (list.type != type) {
      Error(name, item.at, "lists." + name,
            fmt::format("list {} mixes strings and numbers", Shown(name)),
            "put a number that is meant as text into quotes");
      return false;
    }
    list.values.push_back(value);
    return true;
  }

  const NamedDrafts& drafts_;
  Reporter& reporter_;
  Definitions* const out_;
  std::map<std::string, std::vector<RawItem>> raw_;
  std::set<std::string> expanded_;
  size_t items_ = 0;
};

void NamesIn(const Ast& ast, std::vector<std::string>* names) {
  if (ast.kind == AstKind::kName) names->push_back(ast.text);
  for (const Ast& arg : ast.args) NamesIn(arg, names);
}

void BuildMacros(const NamedDrafts& drafts, Reporter& reporter, Definitions* out) {
  for (const auto& [name, draft] : drafts) {
    MacroDef& macro = out->macros[name];
    macro.at = draft.at;
    macro.path = draft.parts[0].path;
    for (const NamedDraft::Part& part : draft.parts) {
      auto ast = ParseConditionNode(*part.node, part.path, reporter);
      macro.broken = macro.broken || !ast;
      if (ast) macro.conditions.push_back(std::move(*ast));
    }
  }
  const auto references = [out](const std::string& name) {
    std::vector<std::string> names;
    for (const Ast& ast : out->macros[name].conditions) NamesIn(ast, &names);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::erase_if(names, [out](const std::string& used) { return out->macros.count(used) == 0; });
    return names;
  };
  const auto mark = [out](const std::string& name) { out->macros[name].broken = true; };
  CycleFinder finder(references, mark);
  for (const auto& [name, draft] : drafts) {
    const std::string circle = finder.Visit(name);
    if (circle.empty()) continue;
    reporter.Error(draft.at, draft.parts[0].path, fmt::format("macro {} {}", Shown(name), circle));
  }
}

}  // namespace

std::vector<std::string_view> Definitions::Names() const {
  std::vector<std::string_view> names;
  for (const auto& [name, list] : lists) names.push_back(name);
  for (const auto& [name, macro] : macros) names.push_back(name);
  return names;
}

bool CheckDefinedName(const YamlNode& key, const std::string& path, Reporter& reporter) {
  const SourcePos at = PosOf(reporter.sources(), key);
  if (!IsIdentifier(key.text)) {
    reporter.Error(
        at, path, fmt::format("{} can't be a name", Shown(key.text)),
        fmt::format("names are letters, digits and _, no digit first, at most {}", kMaxNameBytes));
    return false;
  }
  if (IsTakenName(key.text)) {
    reporter.Error(at, path, fmt::format("the name {} is taken by the language", Shown(key.text)),
                   "choose another");
    return false;
  }
  return true;
}

std::optional<Ast> ParseConditionNode(const YamlNode& node, const std::string& path,
                                      Reporter& reporter) {
  const Sources& sources = reporter.sources();
  if (!node.IsScalar()) {
    reporter.Error(PosOf(sources, node), path,
                   fmt::format("a condition is text, not {}", KindName(node)),
                   node.IsSequence() || node.IsMap() ? "put it into quotes, or a block: when: |"
                                                     : "write true for what always holds");
    return std::nullopt;
  }
  const ScalarMap map(sources, node.file, node.offset, node.text);
  TextError error;
  auto ast = ParseCondition(node.text, map, &error);
  if (!ast) {
    reporter.Error(map.At(error.begin, error.end), path, std::move(error.message),
                   std::move(error.hint));
  }
  return ast;
}

Definitions BuildDefinitions(const NamedDrafts& lists, const NamedDrafts& macros,
                             Reporter& reporter) {
  Definitions definitions;
  ListBuilder(lists, reporter, &definitions).Build();
  BuildMacros(macros, reporter, &definitions);
  return definitions;
}

}  // namespace kentry
