// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/collect.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "rules/parse/limits.h"
#include "rules/parse/shown.h"

namespace kentry {
namespace {

constexpr std::array<std::string_view, 10> kTopKeys = {
    "rule_set", "mode",  "on-stall", "stall-after", "lists",
    "macros",   "rules", "extend",   "override",    "disable"};
constexpr std::array<std::string_view, 3> kChangeKeys = {"lists", "macros", "rules"};
constexpr std::array<std::string_view, 15> kRuleKeys = {
    "on",          "when",    "then",    "fallback",        "severity",
    "description", "tags",    "message", "false_positives", "limit",
    "mark",        "enabled", "tests",   "guard",           "record"};
// What extend: may say of a rule: it adds to the first three and replaces the others.
constexpr std::array<std::string_view, 6> kExtendKeys = {"when",    "tags",     "tests",
                                                         "enabled", "severity", "limit"};
constexpr size_t kAddedKeys = 3;

enum class Change { kDefine, kExtend, kOverride };

class Collector {
 public:
  Collector(bool incomplete, Reporter& reporter) : incomplete_(incomplete), reporter_(reporter) {}

  void File(const YamlNode& root) {
    if (root.kind == YamlNode::Kind::kNull) return;
    const KeyedNode top = {.node = &root, .path = ""};
    if (!root.IsMap()) {
      reporter_.Error(PosOf(sources(), root), "",
                      fmt::format("a rule file is one mapping, not {}", KindName(root)),
                      fmt::format("keys are {}", fmt::join(kTopKeys, ", ")));
      return;
    }
    RefuseUnknownKeys(top, kTopKeys, reporter_);
    if (const KeyedNode name = Member(top, "rule_set"); name.node != nullptr) SetName(name);
    if (const KeyedNode mode = Member(top, "mode"); mode.node != nullptr) SetMode(mode);
    if (const KeyedNode stall = Member(top, "on-stall"); stall.node != nullptr) SetOnStall(stall);
    if (const KeyedNode after = Member(top, "stall-after"); after.node != nullptr) {
      SetStallAfter(after);
    }
    Section(top, Change::kDefine);
    if (const KeyedNode part = Member(top, "extend"); part.node != nullptr) {
      ChangeSection(part, Change::kExtend);
    }
    if (const KeyedNode part = Member(top, "override"); part.node != nullptr) {
      ChangeSection(part, Change::kOverride);
    }
    if (const KeyedNode part = Member(top, "disable"); part.node != nullptr) Disable(part);
  }

  Drafts Take() { return std::move(drafts_); }

 private:
  const Sources& sources() const { return reporter_.sources(); }

  // The first of a setting's places; an error at the second when it says something else.
  bool Agrees(const KeyedNode& value, std::optional<SourcePos>* first, bool same) {
    const SourcePos at = PosOf(sources(), *value.node);
    if (!*first) {
      *first = at;
      return true;
    }
    if (same) return true;
    reporter_.Error(at, value.path,
                    fmt::format("{} is {} here, but something else in {}", value.path,
                                Shown(value.node->text), sources().Name(**first)),
                    "one file of a rule set says it, or all say the same");
    return false;
  }

  void SetName(const KeyedNode& value) {
    const auto name = ReadSlug(value, reporter_);
    if (name && Agrees(value, &name_at_, *name == drafts_.name)) drafts_.name = *name;
  }

  void SetMode(const KeyedNode& value) {
    const auto mode = ReadMode(value, reporter_);
    if (mode && Agrees(value, &mode_at_, *mode == drafts_.mode)) drafts_.mode = *mode;
  }

  void SetOnStall(const KeyedNode& value) {
    const auto on_stall = ReadOnStall(value, reporter_);
    if (on_stall && Agrees(value, &on_stall_at_, *on_stall == drafts_.on_stall)) {
      drafts_.on_stall = *on_stall;
    }
  }

  void SetStallAfter(const KeyedNode& value) {
    const auto after = ReadDuration(value, reporter_);
    if (after && Agrees(value, &stall_after_at_, *after == drafts_.stall_after_ns)) {
      drafts_.stall_after_ns = *after;
    }
  }

  void ChangeSection(const KeyedNode& part, Change change) {
    if (!part.node->IsMap()) {
      return WrongKind(part, "a mapping", reporter_,
                       fmt::format("its keys are {}", fmt::join(kChangeKeys, ", ")));
    }
    RefuseUnknownKeys(part, kChangeKeys, reporter_);
    Section(part, change);
  }

  void Section(const KeyedNode& part, Change change) {
    if (const KeyedNode lists = Member(part, "lists"); lists.node != nullptr) {
      Named(lists, change, "list", &drafts_.lists);
    }
    if (const KeyedNode macros = Member(part, "macros"); macros.node != nullptr) {
      Named(macros, change, "macro", &drafts_.macros);
    }
    if (const KeyedNode rules = Member(part, "rules"); rules.node != nullptr) {
      Rules(rules, change);
    }
  }

  void Named(const KeyedNode& map, Change change, std::string_view what, NamedDrafts* drafts) {
    if (!map.node->IsMap()) {
      return WrongKind(map, "a mapping", reporter_, "write NAME: VALUE below it");
    }
    for (size_t i = 0; i + 1 < map.node->items.size(); i += 2) {
      const YamlNode& key = map.node->items[i];
      const NamedDraft::Part part = {
          .node = &map.node->items[i + 1],
          .path = fmt::format("{}.{}", map.path, TerminalText(key.text))};
      if (change == Change::kDefine) {
        Define(key, part, drafts);
      } else {
        Alter(key, part, change, what, drafts);
      }
    }
  }

  void Define(const YamlNode& key, const NamedDraft::Part& part, NamedDrafts* drafts) {
    if (!CheckDefinedName(key, part.path, reporter_)) return;
    const SourcePos at = PosOf(sources(), key);
    for (const NamedDrafts* const other : {&drafts_.lists, &drafts_.macros}) {
      const auto it = other->find(key.text);
      if (it == other->end()) continue;
      return DefinedTwice(at, part.path, other == &drafts_.lists ? "list" : "macro", key.text,
                          it->second.at);
    }
    (*drafts)[key.text] = {.at = at, .parts = {part}};
  }

  void DefinedTwice(const SourcePos& at, const std::string& path, std::string_view what,
                    std::string_view name, const SourcePos& first) {
    reporter_.Error(
        at, path,
        fmt::format("{} {} is defined already, in {}", what, Shown(name), sources().Name(first)),
        "to add to it or to replace it, put it below extend: or override:");
  }

  void Alter(const YamlNode& key, const NamedDraft::Part& part, Change change,
             std::string_view what, NamedDrafts* drafts) {
    const auto it = drafts->find(key.text);
    if (it == drafts->end()) {
      const auto names = [drafts] {
        std::vector<std::string_view> known;
        for (const auto& entry : *drafts) known.push_back(entry.first);
        return known;
      };
      return Unknown(key, part.path, what, reporter_.Nearest(key.text, names));
    }
    if (change == Change::kOverride) it->second.parts.clear();
    it->second.parts.push_back(part);
  }

  void Unknown(const YamlNode& key, const std::string& path, std::string_view what,
               const std::string& nearest) {
    if (incomplete_) return;
    reporter_.Error(PosOf(sources(), key), path,
                    fmt::format("unknown {} {}{}", what, Shown(key.text), nearest),
                    fmt::format("a {} has to be defined in this file or in one before it", what));
  }

  void Rules(const KeyedNode& list, Change change) {
    if (!list.node->IsSequence()) {
      return WrongKind(list, "a list of rules", reporter_, "write \"- name: NAME\" below it");
    }
    for (size_t i = 0; i < list.node->items.size(); ++i) {
      const KeyedNode rule = {.node = &list.node->items[i],
                              .path = fmt::format("{}[{}]", list.path, i)};
      if (!rule.node->IsMap()) {
        WrongKind(rule, "a mapping", reporter_, "write \"- name: NAME\"");
        continue;
      }
      const KeyedNode name = Member(rule, "name");
      if (name.node == nullptr) {
        RefuseRuleKeys(rule, kRuleKeys);
        reporter_.Error(PosOf(sources(), *rule.node), rule.path, "a rule without a name",
                        "write name: NAME");
        continue;
      }
      const auto text = ReadSlug(name, reporter_);
      if (!text) {
        RefuseRuleKeys(rule, kRuleKeys);
      } else if (change == Change::kDefine) {
        DefineRule(*text, *name.node, rule);
      } else {
        AlterRule(*name.node, rule, change);
      }
    }
  }

  void RefuseRuleKeys(const KeyedNode& rule, std::span<const std::string_view> known) {
    std::vector<std::string_view> all = {"name"};
    all.insert(all.end(), known.begin(), known.end());
    RefuseUnknownKeys(rule, all, reporter_);
  }

  void DefineRule(const std::string& name, const YamlNode& key, const KeyedNode& rule) {
    RefuseRuleKeys(rule, kRuleKeys);
    const SourcePos at = PosOf(sources(), key);
    if (drafts_.rules.size() >= kMaxRules) {
      reporter_.Error(at, "", fmt::format("the rule set has more than {} rules", kMaxRules));
      return;
    }
    // A second one is read all the same: for what else is wrong with it.
    const auto [it, added] = by_name_.emplace(name, drafts_.rules.size());
    if (!added) DefinedTwice(at, rule.path, "rule", name, drafts_.rules[it->second].at);
    RuleDraft draft;
    draft.name = name;
    draft.at = at;
    draft.path = rule.path;
    AddParts(rule, &draft);
    drafts_.rules.push_back(std::move(draft));
  }

  static void AddParts(const KeyedNode& rule, RuleDraft* draft) {
    for (const std::string_view key : kRuleKeys) {
      const YamlNode* const node = rule.node->Find(key);
      if (node != nullptr) draft->parts.push_back({.key = key, .node = node, .base = rule.path});
    }
  }

  void AlterRule(const YamlNode& key, const KeyedNode& rule, Change change) {
    const auto known = change == Change::kExtend ? std::span<const std::string_view>(kExtendKeys)
                                                 : std::span<const std::string_view>(kRuleKeys);
    RefuseRuleKeys(rule, known);
    RuleDraft* const draft = FindRule(key, rule.path);
    if (draft == nullptr) return;
    RuleDraft changes;
    AddParts(rule, &changes);
    for (RuleDraft::Part& part : changes.parts) {
      const auto added = kExtendKeys.begin() + kAddedKeys;
      const bool adds =
          change == Change::kExtend && std::find(kExtendKeys.begin(), added, part.key) != added;
      if (!adds) {
        std::erase_if(draft->parts,
                      [&part](const RuleDraft::Part& old) { return old.key == part.key; });
      }
      if (part.key == "enabled") draft->disabled = false;
      draft->parts.push_back(std::move(part));
    }
  }

  RuleDraft* FindRule(const YamlNode& key, const std::string& path) {
    const auto it = by_name_.find(key.text);
    if (it != by_name_.end()) return &drafts_.rules[it->second];
    const auto names = [this] {
      std::vector<std::string_view> known;
      for (const RuleDraft& rule : drafts_.rules) known.push_back(rule.name);
      return known;
    };
    Unknown(key, path, "rule", reporter_.Nearest(key.text, names));
    return nullptr;
  }

  void Disable(const KeyedNode& list) {
    if (!list.node->IsSequence()) {
      return WrongKind(list, "a list of rules' names", reporter_, "write [NAME, …]");
    }
    for (const YamlNode& name : list.node->items) {
      if (!name.IsScalar()) {
        WrongKind({.node = &name, .path = list.path}, "a list of rules' names", reporter_);
        continue;
      }
      RuleDraft* const draft = FindRule(name, list.path);
      if (draft != nullptr) draft->disabled = true;
    }
  }

  const bool incomplete_;
  Reporter& reporter_;
  Drafts drafts_;
  std::unordered_map<std::string, size_t> by_name_;
  std::optional<SourcePos> name_at_;
  std::optional<SourcePos> mode_at_;
  std::optional<SourcePos> on_stall_at_;
  std::optional<SourcePos> stall_after_at_;
};

}  // namespace

std::span<const std::string_view> RuleKeys() { return kRuleKeys; }

Drafts CollectDrafts(const std::vector<YamlNode>& roots, bool incomplete, Reporter& reporter) {
  Collector collector(incomplete, reporter);
  for (const YamlNode& root : roots) collector.File(root);
  return collector.Take();
}

}  // namespace kentry
