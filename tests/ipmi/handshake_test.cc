#include "ipmi/handshake.h"

#include <gmock/gmock.h>

#include <optional>

namespace oob::ipmi {
namespace {

constexpr std::uint32_t kBmcSession = 0x0badcafe;

void put_algorithm(std::string& to, int type, int number) {
  to += {static_cast<char>(type), 0, 0, 8, static_cast<char>(number), 0, 0, 0};
}

// The BMC's side, as the standard has it; the codes come from ipmi/rakp.h, which has tests of its own with
// captured exchanges.
struct Peer {
  Suite suite = kSuite17;
  Secret password{"secret"}, kg;
  std::string guid = "oobd-test-bmc-01", random = std::string(16, 'R');
  Exchange exchange;

  // What it answers to a packet of the console.
  std::string answer(const std::string& packet) {
    Result<Packet> request = decode_packet(packet, 0);
    EXPECT_TRUE(request);
    Bytes payload = request->payload;
    std::string out{payload[0], 0};
    switch (request->type) {
      case PayloadType::open_session_request: {
        exchange.console_session = get32(payload, 4);
        exchange.bmc_session = kBmcSession;
        exchange.suite = suite;
        out += {payload[1], 0};
        put32(out, exchange.console_session);
        put32(out, kBmcSession);
        put_algorithm(out, 0, suite.authentication);
        put_algorithm(out, 1, suite.integrity);
        put_algorithm(out, 2, suite.confidentiality);
        return encode_plain(PayloadType::open_session_response, out);
      }
      case PayloadType::rakp1: {
        EXPECT_EQ(get32(payload, 4), kBmcSession);
        exchange.console_random = payload.substr(8, 16);
        exchange.bmc_random = random;
        exchange.guid = guid;
        exchange.role = get8(payload, 24);
        exchange.user = payload.substr(28, get8(payload, 27));
        out += std::string(2, '\0');
        put32(out, exchange.console_session);
        return encode_plain(PayloadType::rakp2, out + random + guid + rakp2_code(exchange, password));
      }
      case PayloadType::rakp3: {
        EXPECT_EQ(payload.substr(8), rakp3_code(exchange, password));
        out += std::string(2, '\0');
        put32(out, exchange.console_session);
        return encode_plain(PayloadType::rakp4,
                            out + rakp4_code(exchange, session_keys(exchange, password, kg)));
      }
      default:
        ADD_FAILURE() << "not a packet of the console";
        return "";
    }
  }
};

SessionTerms terms(Suite suite = kSuite17) {
  return {suite, Privilege::op, "oob", Secret("secret"), Secret()};
}

using Step = Handshake::Step;

// Takes a handshake as far as `step`.
void lead(Handshake& handshake, Peer& peer, Step step) {
  while (handshake.step() != step) ASSERT_TRUE(handshake.take(peer.answer(handshake.packet())));
}

TEST(Handshake, OpensASessionWithBothSuites) {
  for (Suite suite : {kSuite3, kSuite17}) {
    Peer peer;
    peer.suite = suite;
    Handshake handshake(terms(suite));
    lead(handshake, peer, Step::done);
    EXPECT_EQ(handshake.bmc_session(), kBmcSession);
    EXPECT_EQ(handshake.our_session(), peer.exchange.console_session);
    SessionKeys keys = handshake.keys(), theirs = session_keys(peer.exchange, peer.password, peer.kg);
    EXPECT_EQ(keys.k1.view(), theirs.k1.view());
    EXPECT_EQ(keys.aes.view(), theirs.aes.view());
    EXPECT_TRUE(keys.sik.empty()) << "nobody needs it any more";
  }
}

TEST(Handshake, AsksForTheRealRoleByName) {
  Peer peer;
  Handshake handshake(terms());
  EXPECT_EQ(get8(handshake.packet(), 16 + 1), 3) << "not 'the highest', which some firmware takes amiss";
  lead(handshake, peer, Step::rakp3);
  EXPECT_EQ(peer.exchange.role, 0x13);
  EXPECT_EQ(peer.exchange.user, "oob");
}

TEST(Handshake, TakesNewIdsAndRandomNumbersEachTime) {
  Handshake one(terms()), other(terms());
  EXPECT_NE(one.our_session(), other.our_session());
  Peer first, second;
  lead(one, first, Step::rakp3);
  lead(other, second, Step::rakp3);
  EXPECT_NE(first.exchange.console_random, second.exchange.console_random);
}

// Cut anywhere, longer, or with one bit wrong: no answer is ever taken for a right one.
TEST(Handshake, NeverTakesADamagedAnswer) {
  for (Step step : {Step::open_session, Step::rakp1, Step::rakp3}) {
    Peer whole_peer;
    Handshake whole(terms());
    lead(whole, whole_peer, step);
    std::size_t size = whole_peer.answer(whole.packet()).size();
    for (std::size_t at = 0; at < size; ++at) {
      Peer peer;
      Handshake cut(terms());
      lead(cut, peer, step);
      bool moved = cut.take(peer.answer(cut.packet()).substr(0, at));
      EXPECT_TRUE(!moved || cut.step() == Step::failed) << "cut at " << at << " of " << size;
      EXPECT_NE(cut.step(), Step::done);
    }
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      Peer peer;
      Handshake flipped(terms());
      lead(flipped, peer, step);
      std::string answer = peer.answer(flipped.packet());
      answer[bit / 8] = static_cast<char>(answer[bit / 8] ^ 1 << bit % 8);
      bool moved = flipped.take(answer);
      if (!moved || flipped.step() == Step::failed) continue;
      // What moves it on all the same is what the codes that follow are over, or what means nothing: then the
      // next answer is the judge.
      if (step == Step::open_session) {
        std::size_t byte = bit / 8 - 16;
        bool harmless = bit / 8 < 16 || byte == 2 || byte == 3 || byte >= 12;
        if (harmless) continue;  // RMCP sequence, the privilege, reserved bytes
        EXPECT_TRUE(byte >= 8 && byte < 12) << byte;
        EXPECT_NE(get32(Bytes(flipped.packet()), 16 + 4), kBmcSession) << "the BMC's id: it will know none";
        continue;
      }
      EXPECT_LT(bit / 8, 20u) << "step " << static_cast<int>(step);
      EXPECT_TRUE(bit / 8 < 16 || bit / 8 == 18 || bit / 8 == 19) << "byte " << bit / 8;
    }
    Peer peer;
    Handshake longer(terms());
    lead(longer, peer, step);
    bool moved = longer.take(peer.answer(longer.packet()) + std::string(3, '\0'));
    EXPECT_FALSE(moved) << "bytes after the payload";
  }
}

TEST(Handshake, PassesOverWhatBelongsToAnotherStepTagOrSession) {
  Peer peer, other_peer;
  Handshake handshake(terms()), other(terms());
  std::string opened = peer.answer(handshake.packet());
  EXPECT_FALSE(handshake.take(other_peer.answer(other.packet())));
  std::string wrong_tag = opened;
  wrong_tag[16] = static_cast<char>(wrong_tag[16] + 1);
  EXPECT_FALSE(handshake.take(wrong_tag));
  EXPECT_TRUE(handshake.take(opened));
  EXPECT_FALSE(handshake.take(opened)) << "the second of two";
  EXPECT_EQ(handshake.step(), Step::rakp1);

  std::string challenge = peer.answer(handshake.packet());
  std::string other_session = challenge;
  other_session[20] = static_cast<char>(other_session[20] ^ 1);
  EXPECT_FALSE(handshake.take(other_session));
  EXPECT_TRUE(handshake.take(challenge));
  EXPECT_FALSE(handshake.take(challenge));
  EXPECT_FALSE(handshake.take(opened));
  EXPECT_EQ(handshake.step(), Step::rakp3);
  EXPECT_TRUE(handshake.take(peer.answer(handshake.packet())));
  EXPECT_EQ(handshake.step(), Step::done);
}

TEST(Handshake, RefusesASessionWithWeakerAlgorithms) {
  for (Suite suite : {kSuite0, kSuite3, Suite{1, 1, 0, 0}, Suite{2, 1, 1, 0}, Suite{15, 3, 0, 0},
                      Suite{16, 3, 4, 0}, Suite{0, 0, 4, 1}}) {
    Peer peer;
    peer.suite = suite;
    Handshake handshake(terms());
    EXPECT_TRUE(handshake.take(peer.answer(handshake.packet())));
    ASSERT_EQ(handshake.step(), Step::failed);
    EXPECT_EQ(handshake.refusal(), Refusal::downgrade);
    EXPECT_THAT(handshake.why(), testing::StartsWith("asked for cipher suite 17, the BMC "));
  }
}

TEST(Handshake, EndsBeforeRakp3WhenTheBmcDoesNotKnowThePassword) {
  Peer peer;
  peer.password = Secret("other");
  Handshake handshake(terms());
  lead(handshake, peer, Step::rakp1);
  EXPECT_TRUE(handshake.take(peer.answer(handshake.packet())));
  ASSERT_EQ(handshake.step(), Step::failed);
  EXPECT_EQ(handshake.refusal(), Refusal::credentials);
  EXPECT_EQ(handshake.why(), "wrong password for user 'oob'");
}

TEST(Handshake, KnowsThatItIsTheKgWhenThePasswordWasRight) {
  for (const char* ours : {"", "other"}) {
    Peer peer;
    peer.kg = Secret("two-key-login");
    SessionTerms with = terms();
    with.kg = Secret(ours);
    Handshake handshake(with);
    lead(handshake, peer, Step::rakp3);
    EXPECT_TRUE(handshake.take(peer.answer(handshake.packet())));
    ASSERT_EQ(handshake.step(), Step::failed);
    EXPECT_EQ(handshake.refusal(), Refusal::credentials);
    EXPECT_THAT(handshake.why(), testing::HasSubstr("kg_file"));
  }
}

struct Status {
  Step step;
  std::uint8_t status;
  Refusal refusal;
  const char* why;
};

// Table 13-15.
TEST(Handshake, KnowsWhatARefusalMeansForTheNextTry) {
  const Status all[] = {
      {Step::open_session, 0x01, Refusal::full, "Open Session: insufficient resources to create a session"},
      {Step::open_session, 0x04, Refusal::suite, "Open Session: invalid authentication algorithm"},
      {Step::open_session, 0x05, Refusal::suite, "Open Session: invalid integrity algorithm"},
      {Step::open_session, 0x0a, Refusal::suite_or_privilege,
       "Open Session: unauthorized role or privilege level requested: privilege 'operator' for user 'oob'"},
      {Step::open_session, 0x10, Refusal::suite, "Open Session: invalid confidentiality algorithm"},
      {Step::open_session, 0x11, Refusal::suite,
       "Open Session: no cipher suite match with the proposed security algorithms"},
      {Step::open_session, 0x12, Refusal::none, "Open Session: illegal or unrecognized parameter"},
      {Step::rakp1, 0x02, Refusal::none, "RAKP 2: invalid session ID"},
      {Step::rakp1, 0x09, Refusal::privilege, "RAKP 2: invalid role: privilege 'operator' for user 'oob'"},
      {Step::rakp1, 0x0a, Refusal::privilege,
       "RAKP 2: unauthorized role or privilege level requested: privilege 'operator' for user 'oob'"},
      {Step::rakp1, 0x0d, Refusal::credentials, "RAKP 2: unauthorized name: no user 'oob'"},
      {Step::rakp1, 0x11, Refusal::none,
       "RAKP 2: no cipher suite match with the proposed security algorithms"},
      {Step::rakp3, 0x08, Refusal::none, "RAKP 4: inactive session ID"},
      {Step::rakp3, 0x0f, Refusal::credentials, "RAKP 4: invalid integrity check value: wrong password"},
  };
  for (const Status& each : all) {
    Peer peer;
    Handshake handshake(terms());
    lead(handshake, peer, each.step);
    std::string answer = peer.answer(handshake.packet());
    answer.resize(24);  // as short as BMCs make them
    answer[14] = 8;
    answer[17] = static_cast<char>(each.status);
    EXPECT_TRUE(handshake.take(answer)) << each.why;
    ASSERT_EQ(handshake.step(), Step::failed) << each.why;
    EXPECT_EQ(handshake.refusal(), each.refusal) << each.why;
    EXPECT_EQ(handshake.why(), each.why);
  }
}

}  // namespace
}  // namespace oob::ipmi
