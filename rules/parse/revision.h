// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_REVISION_H_
#define KENTRY_RULES_PARSE_REVISION_H_

#include <span>
#include <string>

#include "rules/model/source.h"

namespace kentry {

// What tells one state of the files from another: the first 12 hexadecimal digits of the SHA-256
// over all names and contents. Any thread.
std::string RevisionOf(std::span<const SourceFile> files);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_REVISION_H_
