// SPDX-License-Identifier: Apache-2.0
#include "rules/parse/tags.h"

#include <array>
#include <regex>
#include <string>

namespace kentry {
namespace {

constexpr size_t kMaxIdBytes = 64;

constexpr std::array<TagScheme, 11> kSchemes = {{
    {"mitre", R"(T\d{4}(\.\d{3})?)", R"(TA\d{4})", "T1059.004 or TA0002"},
    {"pci-dss", R"(\d{1,2}(\.\d{1,2}){0,3})", "", "10.2.1.2"},
    {"nist-800-53", R"([A-Z]{2}-\d{1,2}(\(\d{1,2}\))?)", "", "AU-12 or AC-6(9)"},
    {"cis", R"(\d{1,2}(\.\d{1,2}){1,4})", "", "6.2.3.9"},
    {"stig", R"([A-Z][A-Z0-9]{1,7}-\d{2}-\d{6})", R"(V-\d{5,6})", "UBTU-22-654155 or V-260590"},
    {"hipaa", R"(164\.\d{3}(\([A-Za-z0-9]{1,4}\)){0,5})", "", "164.312(b)"},
    {"soc2", R"((CC|A|C|PI|P)\d{1,2}\.\d{1,2})", "", "CC7.2"},
    {"iso-27001", R"((A\.)?\d{1,2}(\.\d{1,2}){1,2})", "", "A.8.15"},
    {"gdpr", R"(\d{1,2}(\(\d{1,2}\))?(\([a-z]\))?)", "", "32(1)(b)"},
    {"nis2", R"(\d{1,2}(\(\d{1,2}\))?(\([a-z]\))?)", "", "21(2)(b)"},
    {"bsi", R"([A-Z]{3,4}(\.\d{1,2}){1,3}(\.A\d{1,2})?)", "", "OPS.1.1.5.A3"},
}};

using Forms = std::array<std::array<std::regex, 2>, kSchemes.size()>;

const Forms& CompiledForms() {
  static const Forms* const forms = [] {
    auto* compiled = new Forms;
    for (size_t i = 0; i < kSchemes.size(); ++i) {
      (*compiled)[i][0] = std::regex(std::string(kSchemes[i].form));
      (*compiled)[i][1] = std::regex(std::string(kSchemes[i].other));
    }
    return compiled;
  }();
  return *forms;
}

}  // namespace

std::span<const TagScheme> TagSchemes() { return kSchemes; }

const TagScheme* FindTagScheme(std::string_view name) {
  for (const TagScheme& scheme : kSchemes) {
    if (scheme.name == name) return &scheme;
  }
  return nullptr;
}

bool IsTag(const TagScheme& scheme, std::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes) return false;
  const auto& forms = CompiledForms()[static_cast<size_t>(&scheme - kSchemes.data())];
  return std::regex_match(id.begin(), id.end(), forms[0]) ||
         std::regex_match(id.begin(), id.end(), forms[1]);
}

}  // namespace kentry
