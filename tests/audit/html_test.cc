#include "audit/html.h"

#include <gtest/gtest.h>

namespace oob::audit {
namespace {

CastHeader page_header() {
  CastHeader header;
  header.id = "20261123-030405-17";
  header.user = "alice";
  header.device = "edge1";
  header.started = 1795400000000000;
  return header;
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

// Where there is no player there is no page, and that is said.
#define NEEDS_PLAYER(page) \
  if (!page) GTEST_SKIP() << page.error().what

TEST(HtmlPage, HoldsTheRecordingWhereNothingOfItIsMarkup) {
  std::string cast = "{\"version\":2}\n[1.0, \"o\", \"</script><script>alert(1)</script>\"]\n";
  base::Result<std::string> page = html_page(page_header(), cast, {});
  NEEDS_PLAYER(page);
  EXPECT_NE(page->find(base::base64(cast)), std::string::npos);
  EXPECT_EQ(page->find("alert(1)"), std::string::npos);
  EXPECT_EQ(count(*page, "<script"), 3u);  // the recording, the player, the page's own
}

TEST(HtmlPage, EscapesEveryFact) {
  PageFacts facts;
  facts.rows = {{"who", "<b>\"alice\"&"}};
  facts.verdict = "<i>whole";
  facts.checkpoint = "<u>note";
  CastHeader named = page_header();
  named.device = "<h1>edge";
  base::Result<std::string> page = html_page(named, "{}\n", facts);
  NEEDS_PLAYER(page);
  EXPECT_NE(page->find("&lt;b&gt;&quot;alice&quot;&amp;"), std::string::npos);
  for (const char* raw : {"<b>", "<i>", "<u>", "<h1>edge"})
    EXPECT_EQ(page->find(raw), std::string::npos) << raw;
}

TEST(HtmlPage, AsksForNothingFromElsewhere) {
  base::Result<std::string> page = html_page(page_header(), "{}\n", {});
  NEEDS_PLAYER(page);
  EXPECT_NE(page->find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page->find("<link"), std::string::npos);
  EXPECT_EQ(page->find(" src="), std::string::npos);
}

TEST(HtmlPage, ShowsWhetherTheTrailIsWhole) {
  PageFacts facts;
  base::Result<std::string> page = html_page(page_header(), "{}\n", facts);
  NEEDS_PLAYER(page);
  EXPECT_NE(page->find("class=\"verdict broken\""), std::string::npos);
  facts.whole = true;
  page = html_page(page_header(), "{}\n", facts);
  EXPECT_NE(page->find("class=\"verdict whole\""), std::string::npos);
}

TEST(HtmlPage, RefusesWhatABrowserCouldNotHold) {
  base::Result<std::string> page = html_page(page_header(), std::string(kMostPage + 1, 'x'), {});
  ASSERT_FALSE(page);
  EXPECT_NE(page.error().what.find("export ID"), std::string::npos);
}

}  // namespace
}  // namespace oob::audit
