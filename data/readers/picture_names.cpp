#include "data/readers/picture_names.h"

#include <algorithm>
#include <cctype>

#include "data/pictures/image.h"
#include "data/readers/reader_support.h"
#include "kernels/base/files.h"
#include "kernels/base/unicode_decompositions.h"
#include "kernels/base/utf8.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (encoded) {
      result += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

char32_t decode(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  switch (character.size()) {
    case 2: return (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    case 3: return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    case 4: return (byte(0) & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    default: return byte(0);
  }
}

void append(std::string& text, char32_t c) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c < 'A' || c > 'Z' ? c : c + ('a' - 'A'));
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

void append_decomposed(std::string& text, char32_t c) {
  constexpr char32_t kHangul = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7, kVowels = 21, kTails = 28;
  if (c >= kHangul && c < kHangul + 19 * kVowels * kTails) {  // by rule: Unicode 15, section 3.12
    const char32_t s = c - kHangul;
    append(text, kLead + s / (kVowels * kTails));
    append(text, kVowel + s % (kVowels * kTails) / kTails);
    if (s % kTails != 0) append(text, kTail + s % kTails);
    return;
  }
  const auto* found = std::lower_bound(std::begin(unicode::kDecompositions), std::end(unicode::kDecompositions), c,
                                       [](const unicode::Decomposition& d, char32_t v) { return d.character < v; });
  if (found == std::end(unicode::kDecompositions) || found->character != c) return append(text, c);
  append_decomposed(text, found->base);
  append(text, found->mark);
}

std::string without_extension(const std::string& key) {
  return is_picture(key) ? fs::path(key).replace_extension().string() : key;
}

std::string last_component(const std::string& key) {
  const std::string path = key.substr(0, key.find('?'));  // of an address
  return path.substr(path.find_last_of('/') + 1);
}

/// The only file of that key; -1 when there is none or more than one.
int only(const std::unordered_map<std::string, std::vector<int>>& files, const std::string& key) {
  const auto found = files.find(key);
  return found == files.end() || found->second.size() != 1 ? -1 : found->second[0];
}

}  // namespace

std::string name_key(std::string_view name) {
  std::string decoded = percent_decoded(name);
  std::replace(decoded.begin(), decoded.end(), '\\', '/');
  std::string key;
  for (std::string_view rest = decoded; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0) {
      key += rest.front();
      rest.remove_prefix(1);
    } else {
      append_decomposed(key, decode(rest.substr(0, length)));
      rest.remove_prefix(length);
    }
  }
  return key;
}

void PictureNames::index() {
  indexed_ = true;
  if (!folder_exists(folder_.empty() ? "." : folder_)) return;
  files_ = files_below(folder_.empty() ? "." : folder_, is_picture);
  for (int i = 0; i < static_cast<int>(files_.size()); ++i) {
    const std::string key = name_key(files_[static_cast<std::size_t>(i)]);
    by_path_[key].push_back(i);
    by_name_[last_component(key)].push_back(i);
    by_stem_[without_extension(last_component(key))].push_back(i);
  }
}

int PictureNames::without_stated_extension(const std::string& key) const {
  int found = only(by_stem_, key);
  for (const char* usual : {".jpg", ".jpeg", ".png"}) {
    if (found < 0) found = only(by_name_, key + usual);
  }
  return found;
}

std::string PictureNames::find(const std::string& name, const std::string& place) {
  const fs::path exact = fs::path(folder_) / name;
  if (file_exists(exact)) return exact;
  if (!indexed_) index();
  const std::string key = name_key(name);
  int found = only(by_path_, key);
  if (found < 0) found = only(by_name_, last_component(key));
  if (found < 0 && !by_name_.contains(last_component(key)))
    found = is_picture(key) ? only(by_stem_, without_extension(last_component(key)))
                            : without_stated_extension(last_component(key));
  if (found < 0) return exact;
  const std::string& file = files_[static_cast<std::size_t>(found)];
  findings_->add(oddity::kPictureName, place + ": '" + name + "' is " + file);
  return fs::path(folder_) / file;
}

ImagesByName::ImagesByName(const Dataset& dataset) : dataset_(dataset) {
  for (std::size_t i = 0; i < dataset.images.size(); ++i)
    by_name_[last_component(name_key(dataset.images[i].name))].push_back(i);
}

std::vector<std::size_t> ImagesByName::find(std::string_view name) const {
  const std::string key = name_key(name);
  const auto found = by_name_.find(last_component(key));
  if (found == by_name_.end()) return {};
  std::vector<std::size_t> fitting = found->second;
  if (fitting.size() > 1) {
    std::erase_if(fitting, [&](std::size_t i) {
      const std::string known = "/" + name_key(dataset_.images[i].name), wanted = "/" + key;
      return !known.ends_with(wanted) && !wanted.ends_with(known);
    });
  }
  return fitting;
}

}  // namespace diopter
