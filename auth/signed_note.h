#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace oob::auth {

// The head of a journal at some size (C2SP tlog-checkpoint, without extension lines).
struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  std::string root;  // 32 raw bytes

  std::string text() const;   // what is signed: three lines
  std::string brief() const;  // "SIZE ROOT", for a line on a terminal
  bool operator==(const Checkpoint&) const = default;
};

// The public half of a journal key, with its name ("vkey" of C2SP signed-note): NAME+KEYID+BASE64.
class NoteKey {
 public:
  static base::Result<NoteKey> parse(std::string_view vkey);
  static NoteKey of(std::string name, std::string public_key);  // 32 bytes of Ed25519
  const std::string& name() const { return name_; }
  const std::string& id() const { return id_; }  // 4 raw bytes
  std::string text() const;
  bool verify(base::Bytes text, base::Bytes signature) const;  // signature: 64 bytes
  bool operator==(const NoteKey&) const = default;

 private:
  std::string name_, id_, public_;
};

// A checkpoint with one signature, as five lines (C2SP signed-note). Parsing takes exactly the one form that
// text() makes; that the signature is right is asked of verify().
struct SignedNote {
  Checkpoint checkpoint;
  std::string key_name, key_id, signature;  // 4 and 64 raw bytes

  // `text` begins with a note; `size` becomes the bytes it takes.
  static base::Result<SignedNote> parse(base::Bytes text, std::size_t& size);
  std::string text() const;
  bool verify(const NoteKey& key) const;
};

// The private half: Ed25519, for nothing but checkpoints. Wiped when it goes.
class NoteSigner {
 public:
  static base::Result<NoteSigner> make();                             // a new key
  static base::Result<NoteSigner> from_pem(std::string_view);         // PKCS #8
  base::Result<std::string> pem() const;                              // a secret
  std::string public_key() const;                                     // 32 bytes
  base::Result<SignedNote> sign(const Checkpoint& checkpoint) const;  // the key's name is the origin

  NoteSigner(NoteSigner&&) noexcept;
  NoteSigner& operator=(NoteSigner&&) noexcept;
  ~NoteSigner();

 private:
  struct Key;
  explicit NoteSigner(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

}  // namespace oob::auth
