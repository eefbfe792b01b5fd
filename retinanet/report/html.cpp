#include "retinanet/report/html.h"

#include <algorithm>
#include <cstdint>

#include "kernels/base/utf8.h"
#include "retinanet/report/style.h"

namespace diopter {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Characters that XML 1.0 has no place for, though they are UTF-8: controls, U+FFFE and U+FFFF.
bool forbidden(std::string_view character) {
  if (character.size() == 1) {
    const char c = character[0];
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
  }
  return character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF";
}

std::string attributes_text(const Attributes& attributes) {
  std::string markup;
  for (const auto& [name, value] : attributes) {
    markup += ' ';
    markup += name;
    markup += "=\"" + escape(value) + '"';
  }
  return markup;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length);
    text.remove_prefix(length > 0 ? length : 1);
    if (character.empty() || forbidden(character)) {
      escaped += kReplacement;
    } else if (character == "&") {
      escaped += "&amp;";
    } else if (character == "<") {
      escaped += "&lt;";
    } else if (character == ">") {
      escaped += "&gt;";
    } else if (character == "\"") {
      escaped += "&quot;";
    } else if (character == "'") {
      escaped += "&#39;";
    } else {
      escaped += character;
    }
  }
  return escaped;
}

Html text(std::string_view text) { return {escape(text)}; }

Html element(std::string_view tag, const Attributes& attributes, const Html& inside) {
  const std::string name(tag);
  return {"<" + name + attributes_text(attributes) + ">" + inside.markup + "</" + name + ">"};
}

Html element(std::string_view tag, const Attributes& attributes, std::string_view inside) {
  return element(tag, attributes, text(inside));
}

Html empty_element(std::string_view tag, const Attributes& attributes) {
  return {"<" + std::string(tag) + attributes_text(attributes) + " />"};
}

Html text_with_code(std::string_view all) {
  Html html;
  for (bool code = false;; code = !code) {
    const std::size_t end = all.find('`');
    const std::string_view part = all.substr(0, end);
    html += code ? element("code", {}, part) : text(part);
    if (end == std::string_view::npos) return html;
    all.remove_prefix(end + 1);
  }
}

std::string data_uri(std::string_view type, std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = "data:" + std::string(type) + ";base64,";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) uri += k <= count ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return uri;
}

Html table(const std::string& caption, const std::vector<std::string>& columns,
           const std::vector<std::vector<Html>>& rows) {
  Html head, body;
  for (const std::string& column : columns) head += element("th", {{"scope", "col"}}, column);
  for (const std::vector<Html>& row : rows) {
    Html cells;
    for (const Html& cell : row) {
      cells += &cell == &row.front() ? element("th", {{"scope", "row"}}, cell) : element("td", {}, cell);
    }
    body += element("tr", {}, cells);
    body += {"\n"};
  }
  Html inside = element("thead", {}, element("tr", {}, head));
  inside += element("tbody", {}, body);
  return element("div", {{"class", "scroll"}, {"role", "region"}, {"aria-label", caption}, {"tabindex", "0"}},
                 element("table", {}, inside));
}

Html definitions(const std::vector<std::pair<std::string, Html>>& entries) {
  Html list;
  for (const auto& [name, value] : entries) {
    list += element("dt", {}, name);
    list += element("dd", {}, value);
  }
  return element("dl", {}, list);
}

Html section(const std::string& heading, const Html& inside) {
  Html all = element("h2", {}, heading);
  all += inside;
  Html html = element("section", {}, all);
  html += {"\n"};
  return html;
}

Html folded(const std::string& summary, const Html& inside) {
  Html all = element("summary", {}, summary);
  all += inside;
  return element("details", {}, all);
}

std::string page(const std::string& title, const Html& body) {
  Html head = empty_element("meta", {{"charset", "utf-8"}});
  head += empty_element("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  head += empty_element("meta", {{"http-equiv", "Content-Security-Policy"},
                                 {"content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'"}});
  head += element("title", {}, title);
  head += element("style", {}, Html{kStyle});
  Html content = element("h1", {}, title);
  content += body;
  Html all = element("head", {}, head);
  all += element("body", {}, element("main", {}, content));
  return "<!DOCTYPE html>\n" +
         element("html", {{"lang", "en"}, {"xmlns", "http://www.w3.org/1999/xhtml"}}, all).markup + "\n";
}

}  // namespace diopter
