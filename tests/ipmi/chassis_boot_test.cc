#include "tests/ipmi/chassis_kit.h"

namespace oob::ipmi {
namespace {

TEST_F(AChassis, SetsTheBootDeviceAsIpmitoolDoesAndReadsItBack) {
  get_boot_ = Reply{0, std::string("\x01\x05\x80\x04\x00\x00\x00", 7)};
  EXPECT_EQ(boot(BootDevice::pxe), "done");
  EXPECT_EQ(requests(kSetBoot, Link::Send::again), "0001 040101 058004000000 0002 0000");
  EXPECT_EQ(requests(kGetBoot, Link::Send::again), "050000");
}

TEST_F(AChassis, KnowsTheNumbersOfTheBootDevices) {
  const std::pair<BootDevice, const char*> kFlags[] = {{BootDevice::none, "058000000000"},
                                                       {BootDevice::pxe, "058004000000"},
                                                       {BootDevice::disk, "058008000000"},
                                                       {BootDevice::cdrom, "058014000000"},
                                                       {BootDevice::bios, "058018000000"}};
  for (auto [device, flags] : kFlags) {
    link_.asked.clear();
    EXPECT_EQ(boot(device), "done");  // the BMC can't show it: CCh
    EXPECT_NE(requests(kSetBoot, Link::Send::again).find(flags), std::string::npos);
  }
}

TEST_F(AChassis, ComparesTheBootDeviceThatTheBmcShows) {
  auto shows = [&](std::string data) { get_boot_ = Reply{0, std::move(data)}; };
  shows(std::string("\x01\x05\x80\x08\x00\x00\x00", 7));
  EXPECT_EQ(boot(BootDevice::pxe),
            "Fault 1: the BMC took boot device 'pxe', but shows device 2 (table 28-14)");
  shows(std::string("\x01\x05\x00\x04\x00\x00\x00", 7));
  EXPECT_EQ(boot(BootDevice::pxe), "done");  // without the bit that calls it valid
  shows(std::string("\x01\x05\x00\x00\x00\x00\x00", 7));
  EXPECT_EQ(boot(BootDevice::pxe), "Fault 1: the BMC took boot device 'pxe', but shows none");
  EXPECT_EQ(boot(BootDevice::none), "done");
  shows(std::string("\x01\x05\xc0\x04\x00\x00\x00", 7));
  EXPECT_EQ(boot(BootDevice::pxe), "Fault 1: the BMC took boot device 'pxe', but shows it for every boot");
  EXPECT_EQ(boot(BootDevice::none),
            "Fault 1: the BMC took boot device 'none', but shows device 1 (table 28-14)");
  shows("\x01\x05\x80");
  EXPECT_EQ(boot(BootDevice::pxe), "done");
  get_boot_ = std::nullopt;
  EXPECT_EQ(boot(BootDevice::pxe), "done");
}

TEST_F(AChassis, NeedsOnlyTheFlagsToBeTaken) {
  set_boot_ = [](const std::string& data) {
    return Reply{static_cast<std::uint8_t>(data[0] == 5 ? 0 : 0x80), ""};
  };
  EXPECT_EQ(boot(BootDevice::disk), "done");
  EXPECT_EQ(requests(kSetBoot, Link::Send::again), "0001 040101 058008000000");
}

TEST_F(AChassis, EndsTheSettingWhenTheFlagsAreRefused) {
  set_boot_ = [](const std::string& data) {
    return Reply{static_cast<std::uint8_t>(data[0] == 5 ? 0xcc : 0), ""};
  };
  EXPECT_EQ(boot(BootDevice::cdrom), "Fault 1: boot device 'cdrom': invalid data field in request (CCh)");
  EXPECT_EQ(requests(kSetBoot, Link::Send::again), "0001 040101 058014000000 0000");
  EXPECT_EQ(requests(kGetBoot, Link::Send::again), "");
}

TEST_F(AChassis, StopsAtTheFirstSettingWithoutRightsOrAnswer) {
  set_boot_ = [](const std::string&) { return Reply{0xd4, ""}; };
  EXPECT_EQ(boot(BootDevice::bios),
            "Fault 77: boot device: insufficient privilege level (D4h): the BMC's user needs operator rights "
            "(see `privilege`, and the user's settings in the BMC)");
  set_boot_ = [](const std::string&) { return std::nullopt; };
  EXPECT_EQ(boot(BootDevice::bios), "Fault 69: boot device: fake: no answer");
  EXPECT_EQ(requests(kSetBoot, Link::Send::again), "0001 0001");
}

TEST_F(AChassis, SetsOneBootDeviceAtATime) {
  std::string first;
  chassis_->boot(grant(), BootDevice::pxe,
                 [&](const base::Result<>& result) { first = result ? "done" : text(result.error()); });
  EXPECT_EQ(boot(BootDevice::disk), "Fault 75: a boot device is being set already");
  ASSERT_TRUE(test::run_until(loop_, [&] { return !first.empty(); }));
  EXPECT_EQ(first, "done");
  EXPECT_EQ(boot(BootDevice::disk), "done");
}

// --- the light and the rest --------------------------------------------------------------------------------

TEST_F(AChassis, TurnsTheLightOnWithoutEndAndOff) {
  EXPECT_EQ(identify(true), "done");
  EXPECT_EQ(identify(false), "done");
  EXPECT_EQ(requests(kIdentify, Link::Send::again), "ff01 00");
}

TEST_F(AChassis, TurnsTheLightOnForAWhileWhereWithoutEndIsNotKnown) {
  for (int refusal : {0xc7, 0xcc, 0xc1}) {
    link_.asked.clear();
    identify_ = [&](const std::string& data) {
      return Reply{static_cast<std::uint8_t>(data.size() == 2 ? refusal : 0), ""};
    };
    EXPECT_EQ(identify(true), "done");
    EXPECT_EQ(requests(kIdentify, Link::Send::again), "ff01 ff");
  }
  identify_ = [](const std::string&) { return Reply{0xc1, ""}; };
  EXPECT_EQ(identify(true), "Fault 1: identify: invalid command (C1h)");
  link_.asked.clear();
  identify_ = [](const std::string&) { return Reply{0xff, ""}; };
  EXPECT_EQ(identify(true), "Fault 1: identify: unspecified error (FFh)");
  EXPECT_EQ(requests(kIdentify, Link::Send::again), "ff01");
  identify_ = [](const std::string&) { return std::nullopt; };
  EXPECT_EQ(identify(false), "Fault 69: identify: fake: no answer");
}

}  // namespace
}  // namespace oob::ipmi
