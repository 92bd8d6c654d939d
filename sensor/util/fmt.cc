// SPDX-License-Identifier: Apache-2.0
// What fmt's headers declare and leave to its library. Debian 12 has that as a shared one only, and
// header-only every file that formats compiled all of it again, in several times the file's own
// time.
#include "fmt/format-inl.h"

namespace fmt::detail {

template auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;
template auto dragonbox::to_decimal(float) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double) noexcept -> dragonbox::decimal_fp<double>;
template locale_ref::locale_ref(const std::locale&);
template auto locale_ref::get<std::locale>() const -> std::locale;

}  // namespace fmt::detail
