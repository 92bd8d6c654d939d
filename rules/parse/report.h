// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_RULES_PARSE_REPORT_H_
#define KENTRY_RULES_PARSE_REPORT_H_

#include <span>
#include <string>

#include "rules/model/source.h"

namespace kentry {

// The diagnostics for people, ordered by file and place: FILE:LINE:COLUMN: error: MESSAGE, the
// line with a caret below it, and what to write instead; a count at the end, "" when there are
// none. Safe to print on a terminal whatever the files hold.
std::string FormatDiagnostics(std::span<const SourceFile> files, const Diagnostics& diagnostics,
                              bool color);

// FILE:LINE:COLUMN: MESSAGE of the first error in that order; "" when there is none. As safe.
std::string FirstError(std::span<const SourceFile> files, const Diagnostics& diagnostics);

// All diagnostics as one line of JSON:
// {"errors":N,"warnings":N,"diagnostics":[{"kind","file","line",
// "column","length","path","message","hint"},…]}. Bytes that are not UTF-8 are written as \xNN.
std::string DiagnosticsJson(std::span<const SourceFile> files, const Diagnostics& diagnostics);

}  // namespace kentry

#endif  // KENTRY_RULES_PARSE_REPORT_H_
