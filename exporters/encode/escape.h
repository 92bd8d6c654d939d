// SPDX-License-Identifier: Apache-2.0
// The one JSON escape routine of the project, and base64 for what JSON strings cannot carry.
#ifndef KENTRY_EXPORTERS_ENCODE_ESCAPE_H_
#define KENTRY_EXPORTERS_ENCODE_ESCAPE_H_

#include <cstddef>
#include <string_view>

namespace kentry {

// Room that EscapeJson needs for a text of `size` bytes: each byte can become six, and the last
// block is stored whole.
constexpr size_t EscapedRoom(size_t size) { return size * 6 + 16; }

struct Escaped {
  char* end;   // behind the last byte written
  bool valid;  // the text was valid UTF-8, and the result stands for exactly its bytes
};

// Writes `text` to `to`, which has EscapedRoom(text.size()) bytes, as the inside of a JSON string:
// printable ASCII and UTF-8 as they are; `"`, `\`, C0, DEL, C1, line and paragraph separators and
// bidi controls escaped. Each maximal subpart of invalid UTF-8 becomes U+FFFD. Any thread.
Escaped EscapeJson(std::string_view text, char* to);
// The same without vector instructions: what other processors use, here for the tests.
Escaped EscapeJsonPortable(std::string_view text, char* to);

constexpr size_t Base64Room(size_t size) { return (size + 2) / 3 * 4; }
// Writes Base64Room(bytes.size()) bytes, RFC 4648 section 4 with padding; returns their end.
char* EncodeBase64(std::string_view bytes, char* to);

}  // namespace kentry

#endif  // KENTRY_EXPORTERS_ENCODE_ESCAPE_H_
