#include "retinanet/report/html.h"

#include "tests/support/files.h"
#include "tests/support/xml.h"

using namespace diopter;
using test::contains;
using test::xml_error;

namespace {

/// A name with everything that markup and UTF-8 can trip over.
const std::string kNasty = "a<b & \"c\" 'd' ]]> \xFF\xC3 \x01 \xED\xA0\x80 \xEF\xBF\xBF caf\xC3\xA9";
const std::string kReplaced = "\xEF\xBF\xBD";

}  // namespace

TEST_CASE("text is escaped, and bytes that are no characters are replaced") {
  CHECK(escape("plain") == "plain");
  CHECK(escape("<&>\"'") == "&lt;&amp;&gt;&quot;&#39;");
  CHECK(escape("caf\xC3\xA9 \xE2\x80\x93 \xF0\x9F\x90\x88\n\t") == "caf\xC3\xA9 \xE2\x80\x93 \xF0\x9F\x90\x88\n\t");
  CHECK(escape("\xFF") == kReplaced);
  CHECK(escape("a\xC3") == "a" + kReplaced);                                   // cut off
  CHECK(escape("\xED\xA0\x80") == kReplaced + kReplaced + kReplaced);          // a surrogate
  CHECK(escape("\x01\x7F\xEF\xBF\xBE") == kReplaced + kReplaced + kReplaced);  // UTF-8, but forbidden in XML
}

TEST_CASE("names of any kind leave the page well-formed") {
  Html body = element("p", {{"title", kNasty}}, kNasty);
  body += table(kNasty, {kNasty, "b"}, {{text(kNasty), text_with_code("`" + kNasty)}});
  body += section(kNasty, definitions({{kNasty, text(kNasty)}}));
  body += folded(kNasty, empty_element("img", {{"alt", kNasty}, {"src", data_uri("image/jpeg", kNasty)}}));
  const std::string file = page(kNasty, body);
  CHECK(xml_error(file) == "");
  CHECK_FALSE(contains(file, "a<b"));
  CHECK(contains(file, "a&lt;b &amp; &quot;c&quot; &#39;d&#39; ]]&gt; "));
  CHECK(xml_error(file + "<p>") != "");  // the parser is one
}

TEST_CASE("a page needs nothing but itself") {
  const std::string file = page("title", text("body"));
  CHECK(file.starts_with("<!DOCTYPE html>\n<html lang=\"en\""));
  CHECK(contains(file, "<meta charset=\"utf-8\" />"));
  CHECK(contains(file, "width=device-width"));
  CHECK(contains(file, "default-src &#39;none&#39;"));
  for (const char* part : {"<script", "<link", "url(", "@import", "src=\"http"}) {
    INFO(part);
    CHECK_FALSE(contains(file, part));
  }
}

TEST_CASE("base64 as in RFC 4648, section 10") {
  CHECK(data_uri("text/plain", "") == "data:text/plain;base64,");
  CHECK(data_uri("t/p", "f") == "data:t/p;base64,Zg==");
  CHECK(data_uri("t/p", "fo") == "data:t/p;base64,Zm8=");
  CHECK(data_uri("t/p", "foo") == "data:t/p;base64,Zm9v");
  CHECK(data_uri("t/p", "foobar") == "data:t/p;base64,Zm9vYmFy");
  CHECK(data_uri("t/p", "\xFF\xFE\xFD") == "data:t/p;base64,//79");
}

TEST_CASE("backticks are code") {
  CHECK(text_with_code("a `b<c` d").markup == "a <code>b&lt;c</code> d");
  CHECK(text_with_code("plain").markup == "plain");
  CHECK(text_with_code("").markup.empty());
}
