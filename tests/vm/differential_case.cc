// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/differential_case.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "tests/vm/differential_fields.h"

namespace kentry::vm {
namespace {

// A constant of a condition: nothing in it that YAML or the language would take for more.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("/._-").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out + "\"";
}

struct Value {
  uint64_t number = 0;
  std::string_view text;
  bool is_text = false;
  bool cut = false;
};

}  // namespace

std::string TryCondition::Text() const {
  if (kind == Kind::kNot) return fmt::format("!({})", parts[0].Text());
  if (kind != Kind::kLeaf) {
    std::string text;
    for (const TryCondition& part : parts) {
      if (!text.empty()) text += kind == Kind::kAnd ? " && " : " || ";
      text += fmt::format("({})", part.Text());
    }
    return text;
  }
  std::string constants;
  for (const std::string& text : strings) {
    constants += (constants.empty() ? "" : ", ") + Quoted(text);
  }
  if (list) constants = fmt::format("[{}]", constants);
  return before + constants + after;
}

EventView TryRecord::Event(const TryContainer& where, std::string_view aliases,
                           EventBuilder* builder) const {
  std::map<FieldId, Value> values;  // a builder wants them in the order of their ids
  const auto number = [&](FieldId id, uint64_t value) { values[id] = {.number = value}; };
  const auto text = [&](FieldId id, std::string_view value, bool is_cut = false) {
    if (!value.empty()) values[id] = {.text = value, .is_text = true, .cut = is_cut};
  };
  const bool open = cls == EventClass::kFileOpen;
  number(FieldId::kProcessPid, 1);
  text(FieldId::kProcessBinary, binary);
  text(FieldId::kProcessArgs, args);
  text(FieldId::kProcessScript, script);
  if (!parent.empty()) {
    number(FieldId::kParentPid, 1);
    text(FieldId::kParentBinary, parent);
  }
  for (size_t i = 0; i < numbers.size(); ++i) number(kTryNumbers[i], numbers[i]);
  for (size_t i = 0; i < caps.size(); ++i) number(kTryCaps[i], caps[i]);
  for (const FieldDef* field : FlagFields(cls)) {
    number(field->id, static_cast<uint64_t>((flags & field->place.mask) != 0));
  }
  number(FieldId::kProcessInContainer, static_cast<uint64_t>(!where.id.empty()));
  text(FieldId::kContainerId, where.id);
  text(FieldId::kContainerRuntime, where.runtime);
  text(FieldId::kContainerPodUid, where.pod_uid);
  if (open) {
    text(FieldId::kFilePath, path, cut);
    text(FieldId::kFileAliases, aliases);
    for (const FieldDef* field : AccessFields()) {
      number(field->id, static_cast<uint64_t>((access & field->place.mask) != 0));
    }
  }
  std::string carried;
  for (const TryMark& mark : marks) carried += mark.carried ? mark.name + '\0' : "";
  text(FieldId::kProcessMarks, carried);
  builder->Begin(cls);
  for (const auto& [id, value] : values) {
    const uint16_t field_flags = value.cut ? kFieldCut : 0;
    if (value.is_text) {
      builder->AddText(id, value.text, field_flags);
    } else {
      builder->AddNumber(id, value.number, field_flags);
    }
  }
  return builder->View();
}

std::string TryRecord::Describe(const TryContainer& where) const {
  std::string out = fmt::format("class {}\n", GetClass(cls).name);
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("{} {} ({} bytes)\n", name, Quoted(value), value.size());
  };
  line("process.binary", binary);
  line("parent.binary", parent);
  if (cls == EventClass::kFileOpen) line("file.path", path);
  if (cls == EventClass::kFileOpen) line("another name of the file", alias);
  if (cls == EventClass::kFileOpen) {
    line(alias_above ? "another name of the directory above its own"
                     : "another name of its directory",
         alias_dir);
  }
  line("process.script", script);
  line("process.args", args);
  for (const TryMark& mark : marks) {
    if (!mark.may) continue;
    out += fmt::format("mark {}{}{}\n", mark.name, mark.carried ? "" : ", not carried",
                       mark.sure ? ", certain" : "");
  }
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != 0) out += fmt::format("{} {}\n", GetField(kTryNumbers[i]).name, numbers[i]);
  }
  for (size_t i = 0; i < caps.size(); ++i) {
    if (caps[i] != 0) out += fmt::format("{} {:#x}\n", GetField(kTryCaps[i]).name, caps[i]);
  }
  if (flags != 0) out += fmt::format("image flags {:#x}\n", flags);
  if (access != 0) out += fmt::format("access {:#x}\n", access);
  line("container.id", where.id);
  line("container.runtime", where.runtime);
  line("container.pod_uid", where.pod_uid);
  if (!where.told) out += "the kernel doesn't know its cgroup\n";
  if (stale) out += "the kernel's ids of the process are of another epoch\n";
  if (cut) out += "file.path is cut\n";
  return out;
}

bool IsPath(std::string_view text) {
  if (text == "/") return true;
  if (text.empty() || text[0] != '/' || text.size() > KE_PATH_MAX) return false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('/', 1), text.size());
    if (end == 1 || end > kTryNameMax + 1) return false;
    text.remove_prefix(end);
  }
  return true;
}

std::string TryCase::Yaml() const {
  std::string yaml = "rules:\n";
  for (size_t i = 0; i < rules.size(); ++i) {
    yaml += fmt::format("  - name: r{}\n    on: {}\n    when: '{}'\n", i,
                        GetClass(rules[i].on).name, rules[i].when.Text());
    if (rules[i].mark.empty()) continue;
    yaml += fmt::format("    mark: {{name: {}{}}}\n", rules[i].mark,
                        rules[i].mark_ends ? ", lifetime: 10m" : "");
  }
  return yaml;
}

}  // namespace kentry::vm
