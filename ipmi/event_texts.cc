#include "ipmi/event_texts.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace oob::ipmi {
namespace {

// One row: what the offsets from 0 on mean, split at '|'; an empty piece is reserved.
struct Row {
  std::uint8_t code;
  const char* offsets;
};

// Table 42-2, by event/reading type.
constexpr Row kGeneric[] = {
    {0x01,
     "Lower Non-critical going low|Lower Non-critical going high|Lower Critical going low|"
     "Lower Critical going high|Lower Non-recoverable going low|Lower Non-recoverable going high|"
     "Upper Non-critical going low|Upper Non-critical going high|Upper Critical going low|"
     "Upper Critical going high|Upper Non-recoverable going low|Upper Non-recoverable going high"},
    {0x02, "Transition to Idle|Transition to Active|Transition to Busy"},
    {0x03, "State Deasserted|State Asserted"},
    {0x04, "Predictive Failure Deasserted|Predictive Failure Asserted"},
    {0x05, "Limit Not Exceeded|Limit Exceeded"},
    {0x06, "Performance Met|Performance Lags"},
    {0x07,
     "Transition to OK|Transition to Non-critical from OK|Transition to Critical from less severe|"
     "Transition to Non-recoverable from less severe|Transition to Non-critical from more severe|"
     "Transition to Critical from Non-recoverable|Transition to Non-recoverable|Monitor|Informational"},
    {0x08, "Device Absent|Device Present"},
    {0x09, "Device Disabled|Device Enabled"},
    {0x0a,
     "Transition to Running|Transition to In Test|Transition to Power Off|Transition to On Line|"
     "Transition to Off Line|Transition to Off Duty|Transition to Degraded|Transition to Power Save|"
     "Install Error"},
    {0x0b,
     "Fully Redundant|Redundancy Lost|Redundancy Degraded|Non-Redundant: Sufficient from Redundant|"
     "Non-Redundant: Sufficient from Insufficient|Non-Redundant: Insufficient Resources|"
     "Redundancy Degraded from Fully Redundant|Redundancy Degraded from Non-Redundant"},
    {0x0c, "D0 Power State|D1 Power State|D2 Power State|D3 Power State"},
};

// Table 42-3, by sensor type.
constexpr Row kSpecific[] = {
    {0x05,
     "General Chassis intrusion|Drive Bay intrusion|I/O Card area intrusion|Processor area intrusion|"
     "System unplugged from LAN|Unauthorized dock|FAN area intrusion"},
    {0x06,
     "Front Panel Lockout violation attempted|Pre-boot password violation - user password|"
     "Pre-boot password violation - setup password|Pre-boot password violation - network boot password|"
     "Other pre-boot password violation|Out-of-band access password violation"},
    {0x07,
     "IERR|Thermal Trip|FRB1/BIST failure|FRB2/Hang in POST failure|FRB3/Processor startup/init failure|"
     "Configuration Error|SM BIOS Uncorrectable CPU-complex Error|Presence detected|Disabled|"
     "Terminator presence detected|Throttled|Uncorrectable machine check exception|"
     "Correctable machine check error"},
    {0x08,
     "Presence detected|Failure detected|Predictive failure|Power Supply AC lost|AC lost or out-of-range|"
     "AC out-of-range, but present|Config Error|Power Supply Inactive"},
    {0x09,
     "Power off/down|Power cycle|240VA power down|Interlock power down|AC lost|Soft-power control failure|"
     "Failure detected|Predictive failure"},
    {0x0c,
     "Correctable ECC|Uncorrectable ECC|Parity|Memory Scrub Failed|Memory Device Disabled|"
     "Correctable ECC logging limit reached|Presence Detected|Configuration Error|Spare|Throttled|"
     "Critical Overtemperature"},
    {0x0d,
     "Drive Present|Drive Fault|Predictive Failure|Hot Spare|Parity Check In Progress|In Critical Array|"
     "In Failed Array|Rebuild In Progress|Rebuild Aborted"},
    {0x0f, "System Firmware Error|System Firmware Hang|System Firmware Progress"},
    {0x10,
     "Correctable memory error logging disabled|Event logging disabled|Log area reset/cleared|"
     "All event logging disabled|Log full|Log almost full|Correctable machine check logging disabled"},
    {0x11,
     "BIOS Reset|OS Reset|OS Shut Down|OS Power Down|OS Power Cycle|OS NMI/Diag Interrupt|OS Expired|"
     "OS pre-timeout Interrupt"},
    {0x12,
     "System Reconfigured|OEM System boot event|Undetermined system hardware failure|"
     "Entry added to auxiliary log|PEF Action|Timestamp Clock Sync"},
    {0x13,
     "NMI/Diag Interrupt|Bus Timeout|I/O Channel check NMI|Software NMI|PCI PERR|PCI SERR|"
     "EISA failsafe timeout|Bus Correctable error|Bus Uncorrectable error|Fatal NMI|Bus Fatal Error|"
     "Bus Degraded"},
    {0x14, "Power Button pressed|Sleep Button pressed|Reset Button pressed|FRU Latch|FRU Service"},
    {0x19, "Soft Power Control Failure|Thermal Trip"},
    {0x1b, "Connected|Config Error"},
    {0x1d,
     "Initiated by power up|Initiated by hard reset|Initiated by warm reset|User requested PXE boot|"
     "Automatic boot to diagnostic|OS initiated hard reset|OS initiated warm reset|System Restart"},
    {0x1e,
     "No bootable media|Non-bootable disk in drive|PXE server not found|Invalid boot sector|"
     "Timeout waiting for selection"},
    {0x1f,
     "A: boot completed|C: boot completed|PXE boot completed|Diagnostic boot completed|"
     "CD-ROM boot completed|ROM boot completed|boot completed - device not specified|"
     "Installation started|Installation completed|Installation aborted|Installation failed"},
    {0x20,
     "Error during system startup|Run-time critical stop|OS graceful stop|OS graceful shutdown|"
     "PEF initiated soft shutdown|Agent not responding"},
    {0x21,
     "Fault Status|Identify Status|Device Installed|Ready for Device Installation|"
     "Ready for Device Removal|Slot Power is Off|Device Removal Request|Interlock|Slot is Disabled|"
     "Spare Device"},
    {0x22,
     "S0/G0: working|S1: sleeping with system hw & processor context maintained|"
     "S2: sleeping, processor context lost|"
     "S3: sleeping, processor & hw context lost, memory retained|"
     "S4: non-volatile sleep/suspend-to-disk|S5/G2: soft-off|S4/S5: soft-off|G3: mechanical off|"
     "Sleeping in S1/S2/S3 state|G1: sleeping|S5: entered by override|Legacy ON state|Legacy OFF state||"
     "Unknown"},
    {0x23, "Timer expired|Hard reset|Power down|Power cycle|||||Timer interrupt"},
    {0x24,
     "Platform generated page|Platform generated LAN alert|Platform Event Trap generated|"
     "Platform generated SNMP trap, OEM format"},
    {0x25, "Present|Absent|Disabled"},
    {0x27, "Heartbeat Lost|Heartbeat"},
    {0x28,
     "Sensor access degraded or unavailable|Controller access degraded or unavailable|"
     "Management controller off-line|Management controller unavailable|Sensor failure|FRU failure"},
    {0x29, "Low|Failed|Presence Detected"},
    {0x2a, "Session activated|Session deactivated|Invalid user name or password|Invalid password disable"},
    {0x2b,
     "Hardware change detected|Firmware or software change detected|Hardware incompatibility detected|"
     "Firmware or software incompatibility detected|Invalid or unsupported hardware version|"
     "Invalid or unsupported firmware or software version|Hardware change success|"
     "Firmware or software change success"},
    {0x2c,
     "Not Installed|Inactive|Activation Requested|Activation in Progress|Active|Deactivation Requested|"
     "Deactivation in Progress|Communication lost"},
};

constexpr const char* kFirmwareErrors =
    "Unspecified|No system memory installed|No usable system memory|Unrecoverable IDE device failure|"
    "Unrecoverable system-board failure|Unrecoverable diskette failure|"
    "Unrecoverable hard-disk controller failure|Unrecoverable PS/2 or USB keyboard failure|"
    "Removable boot media not found|Unrecoverable video controller failure|No video device selected|"
    "BIOS corruption detected|CPU voltage mismatch|CPU speed mismatch failure";
constexpr const char* kFirmwareSteps =
    "Unspecified|Memory initialization|Hard-disk initialization|Secondary CPU Initialization|"
    "User authentication|User-initiated system setup|USB resource configuration|"
    "PCI resource configuration|Option ROM initialization|Video initialization|Cache initialization|"
    "SMBus initialization|Keyboard controller initialization|Management controller initialization|"
    "Docking station attachment|Enabling docking station|Docking station ejection|"
    "Disabling docking station|Calling operating system wake-up vector|System boot initiated|"
    "Motherboard initialization||Floppy initialization|Keyboard test|Pointing device test|"
    "Primary CPU initialization";
constexpr const char* kSupplyMismatches =
    "Vendor Mismatch|Revision Mismatch|Processor Missing|Power Supply Rating Mismatch|"
    "Voltage Rating Mismatch";
constexpr const char* kVersionChanges =
    "|controller device ID|controller firmware revision|controller device revision|"
    "controller manufacturer ID|controller IPMI version|controller auxiliary firmware ID|"
    "controller firmware boot block|other controller firmware|BIOS/EFI|SMBIOS|operating system|"
    "operating system loader|service diagnostics|management software agent|"
    "management software application|management software middleware|programmable hardware (FPGA)|"
    "board/FRU module|board/FRU component|board/FRU replaced with equivalent version|"
    "board/FRU replaced with newer version|board/FRU replaced with older version|"
    "board/FRU hardware configuration";

std::optional<std::string> piece(std::string_view pieces, std::size_t number) {
  for (; number > 0; --number) {
    std::size_t bar = pieces.find('|');
    if (bar == std::string_view::npos) return std::nullopt;
    pieces.remove_prefix(bar + 1);
  }
  std::string_view found = pieces.substr(0, pieces.find('|'));
  if (found.empty()) return std::nullopt;
  return std::string(found);
}

std::optional<std::string> look_up(std::span<const Row> rows, std::uint8_t code, std::uint8_t offset) {
  auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& each) { return each.code == code; });
  if (row == rows.end()) return std::nullopt;
  return piece(row->offsets, offset);
}

}  // namespace

std::optional<std::string> event_text(std::uint8_t event_type, std::uint8_t sensor_type,
                                      std::uint8_t offset) {
  if (event_type == kSensorSpecificEvents) return look_up(kSpecific, sensor_type, offset);
  return look_up(kGeneric, event_type, offset);
}

std::optional<std::string> event_extension(std::uint8_t sensor_type, std::uint8_t offset, std::uint8_t code) {
  if (sensor_type == 0x0f && offset == 0) return piece(kFirmwareErrors, code);
  if (sensor_type == 0x0f && (offset == 1 || offset == 2)) return piece(kFirmwareSteps, code);
  if (sensor_type == 0x08 && offset == 6) return piece(kSupplyMismatches, code);
  if (sensor_type == 0x2b && (offset == 1 || offset == 7)) return piece(kVersionChanges, code);
  return std::nullopt;
}

}  // namespace oob::ipmi
