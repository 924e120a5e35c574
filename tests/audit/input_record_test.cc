#include "audit/input_record.h"

#include <gtest/gtest.h>

#include <vector>

namespace oob::audit {
namespace {

using base::Micros;

// A dialogue: what the device shows, what is typed, and how the time goes between.
struct Step {
  enum Kind { shows, types, waits } kind;
  std::string bytes;
  Micros time = 0;
};
Step shows(std::string bytes) { return {Step::shows, std::move(bytes)}; }
Step types(std::string bytes) { return {Step::types, std::move(bytes)}; }
Step waits(Micros time) { return {Step::waits, "", time}; }

std::string written(const std::vector<Step>& steps, bool byte_by_byte, std::size_t* masked = nullptr) {
  InputRecord record;
  std::string text;
  Micros now = 1'000'000;
  auto add = [&](const InputRecord::Decided& decided) {
    text += decided.text;
    if (masked) *masked += decided.masked;
  };
  for (const Step& step : steps) {
    now += step.kind == Step::waits ? step.time : 1'000;
    if (step.kind == Step::waits) add(record.pass(now));
    std::size_t size = byte_by_byte ? 1 : std::max<std::size_t>(1, step.bytes.size());
    for (std::size_t at = 0; at < step.bytes.size(); at += size) {
      std::string piece = step.bytes.substr(at, size);
      add(step.kind == Step::types ? record.typed(piece, now) : record.output(piece, now));
    }
  }
  add(record.finish());
  return text;
}

void expect(const std::vector<Step>& steps, const std::string& text) {
  EXPECT_EQ(written(steps, false), text);
  EXPECT_EQ(written(steps, true), text);
}

TEST(InputRecord, KeepsALoginsNameAndHidesItsPassword) {
  expect({shows("\r\nDebian GNU/Linux 12 edge1 ttyS0\r\n\r\nedge1 login: "), types("root\r"),
          shows("root\r\nPassword: "), types("hunter2\r"),
          shows("\r\nLast login: Sun Nov 22\r\nroot@edge1:~# "), types("ls\r"), shows("ls\r\n")},
         "root\r*******\rls\r");
}

TEST(InputRecord, KnowsThePromptsForSecrets) {
  for (const char* prompt :
       {"Password:", "password: ", "alice@edge1's password: ", "[sudo] password for alice: ", "Passphrase? ",
        "Enter passphrase for key '/root/.ssh/id_ed25519': ", "Enter passphrase (empty for no passphrase): ",
        "Enable secret: ", "Passcode> ", "PIN: ", "Verification code: ", "Enter TOKEN code :", "Passwort: ",
        "\x1b[1mPassword:\x1b[0m ", "\r\nlogin: alice\r\nPassword:"}) {
    // Echoed all the same, as some gear does.
    expect({shows(prompt), types("s3cret"), shows("s3cret"), types("\r")}, "******\r");
  }
  for (const char* prompt :
       {"login: ", "Password\r\n# ", "spinning: ", "The password is wrong.\r\nlogin: ", "$ "})
    expect({shows(prompt), types("al"), shows("al"), types("\r")}, "al\r");
}

TEST(InputRecord, HidesAllOfSuAndSshKeygen) {
  expect(
      {shows("$ "), types("su -\r"), shows("su -\r\nPassword: "), types("wr0ng\r"),
       shows("\r\nsu: Authentication failure\r\n$ "), types("ssh-keygen\r"),
       shows("ssh-keygen\r\nGenerating public/private rsa key pair.\r\nEnter file in which to save the key "
             "(/root/.ssh/id_rsa): "),
       types("k\r"), shows("k\r\nEnter passphrase (empty for no passphrase): "), types("abc\r"),
       shows("\r\nEnter same passphrase again: "), types("abc\r"), shows("\r\n$ ")},
      "su -\r*****\rssh-keygen\rk\r***\r***\r");
}

TEST(InputRecord, WaitsForASlowEchoAmongOtherOutput) {
  expect(
      {shows("# "), types("reboot"), waits(50'000), shows("re"), shows("\r\n[ 12.3] igb eth0: link up\r\n"),
       waits(90'000), shows("boot"), types("\r"), shows("\r\n")},
      "reboot\r");
}

TEST(InputRecord, KeepsAPromptInForceOverWhateverIsShownBehindIt) {
  for (const char* later :
       {"\r\n[   12.345678] igb eth0: link up\r\n", "[   12.345678] igb eth0: link up\r\n",
        "\r\nNov 22 16:03:11 edge1 kernel: usb 1-1: new device\r\n# ",
        "\r\nBroadcast message\r\n\r\nlogin: "}) {
    std::vector<Step> steps = {shows(std::string("Password: ") + later), types("hunt"), shows("hunt"),
                               shows("\r\nhunter\r\n"), types("er2\r")};
    expect(steps, "*******\r");
    steps[0] = shows("Password: ");
    steps.insert(steps.begin() + 1, {waits(1'000'000), shows(later)});
    expect(steps, "*******\r");
    steps.insert(steps.end(), {shows("\r\n# "), types("id"), shows("id"), types("\r")});
    expect(steps, "*******\rid\r");
  }
  expect({shows("Password: "), waits(30'000), shows("message: "), types("x"), shows("x"), types("\r")},
         "*\r");
}

TEST(InputRecord, TakesWordsOfALineThatGoesOnForNoPrompt) {
  expect({shows("passwd: password updated successfully\r\n# "), types("id"), shows("id\r\n")}, "id");
  expect({shows("token: abc\r\n# "), types("id"), shows("id\r\n")}, "id");
}

TEST(InputRecord, TakesLettersOfScrollingMessagesForNoEcho) {
  const std::string secret = "hunter2";
  std::vector<Step> steps;
  for (char letter : secret)
    steps.insert(
        steps.end(),
        {types(std::string(1, letter)), shows("[   12.3] usb 1-1: hub has number 2, the port is resumed\r\n"),
         shows("hub 1-0:1.0: USB hub found, 2 ports\r\nnet eth0: up\r\ntg3: e r 2\r\n"), waits(50'000)});
  expect(steps, std::string(secret.size(), '*'));
}

TEST(InputRecord, FindsEchoesAtTheBeginningOfALineAndBehindPrompts) {
  expect({shows("# "), types("ls\rid\r"), shows("ls\r\nbin etc idle\r\n# id\r\n0\r\n# ")}, "ls\rid\r");
  // A line editor shows the rest of the line again.
  expect({shows("# bc\b\b"), types("a"), shows("abc\b\b"), types("x"), shows("xbc\b\b"), types("\r")},
         "ax\r");
  // … and goes to the next row by itself.
  expect({shows("# "), types("abcd"), shows("\x1b[1ma\x1b[0mb \rcd"), types("\r")}, "abcd\r");
}

TEST(InputRecord, HidesWhatIsNeverEchoed) {
  std::size_t masked = 0;
  std::vector<Step> steps = {shows("Speak, friend "), types("mellon"), waits(200'000), types("2\r"),
                             shows("\r\n# "),         types("id"),     shows("id"),    types("\r")};
  expect(steps, "*******\rid\r");
  written(steps, false, &masked);
  EXPECT_EQ(masked, 7u);
}

TEST(InputRecord, HidesTheRestOfALineOnceAByteWasNotShown) {
  expect({types("se"), shows("se"), types("x"), waits(200'000), shows("cret"), types("cret"), shows("cret"),
          types("\r")},
         "se*****\r");
}

TEST(InputRecord, TakesEnterArrowsAndControlKeysForNoSecrets) {
  expect({types("\r\n\x03\x04\x1b[A\x1bOP\x1b[15~\x7f\t")}, "\r\n\x03\x04\x1b[A\x1bOP\x1b[15~\x7f\t");
  expect({shows("Password: "), types("ab\x7f"
                                     "c\x1b[D\r")},
         std::string("**\x7f"
                     "*\x1b[D\r"));
  expect({types("\x1b"
                "x"),
          waits(200'000)},
         "\x1b*");
}

TEST(InputRecord, KeepsTheOrderOfWhatWaits) {
  InputRecord record;
  EXPECT_FALSE(record.due());
  EXPECT_EQ(record.typed("ab\r", 1'000).text, "");
  EXPECT_EQ(record.due(), 201'000);
  EXPECT_EQ(record.output("a", 2'000).text, "a");
  EXPECT_EQ(record.pass(200'999).text, "");
  InputRecord::Decided decided = record.pass(201'000);
  EXPECT_EQ(decided.text, "*\r");
  EXPECT_EQ(decided.masked, 1u);
  EXPECT_FALSE(record.due());
}

TEST(InputRecord, IsBounded) {
  InputRecord record;
  std::string much(3 * InputRecord::kMostHeld, 'x');
  std::size_t decided = record.typed(much, 1).text.size();
  EXPECT_GE(decided, 2 * InputRecord::kMostHeld);
  EXPECT_EQ(decided + record.finish().text.size(), much.size());
}

}  // namespace
}  // namespace oob::audit
