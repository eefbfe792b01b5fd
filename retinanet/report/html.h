// Markup of reports, HTML that is well-formed XML too: text is escaped here and nowhere else, and every tag that is
// opened is closed.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diopter {

/// Well-formed markup.
struct Html {
  std::string markup;

  Html& operator+=(const Html& more) {
    markup += more.markup;
    return *this;
  }
};

/// Text with &, <, >, " and ' escaped; bytes that are no UTF-8 and characters that XML forbids become U+FFFD.
std::string escape(std::string_view text);

Html text(std::string_view text);

using Attributes = std::vector<std::pair<std::string_view, std::string>>;  // values are escaped here

/// <tag attribute="value">inside</tag>
Html element(std::string_view tag, const Attributes& attributes, const Html& inside);
/// The same with text inside.
Html element(std::string_view tag, const Attributes& attributes, std::string_view inside);
/// <tag attribute="value" />, for the tags that HTML leaves empty and those of SVG.
Html empty_element(std::string_view tag, const Attributes& attributes);

/// Text in which `this` stands for code, as in Markdown.
Html text_with_code(std::string_view text);

/// "data:image/jpeg;base64,..."
std::string data_uri(std::string_view type, std::string_view bytes);

/// A table in a box that scrolls sideways where it is too wide. `caption` is for those who do not see it.
Html table(const std::string& caption, const std::vector<std::string>& columns,
           const std::vector<std::vector<Html>>& rows);

/// Names and values, a line each.
Html definitions(const std::vector<std::pair<std::string, Html>>& entries);

/// <section> with a heading.
Html section(const std::string& heading, const Html& inside);

/// A part that is shown only when it is asked for.
Html folded(const std::string& summary, const Html& inside);

/// The whole file: no scripts, nothing from elsewhere, light or dark as the reader's system is.
std::string page(const std::string& title, const Html& body);

}  // namespace diopter
