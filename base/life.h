#pragma once

#include <memory>
#include <utility>

namespace oob::base {

// A member that lets callbacks find out that their object is gone: life_.wrap([this] { … }) does nothing
// then. Declare it last, so that it ends first.
class Life {
 public:
  Life() = default;
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  template <class Call>
  auto wrap(Call call) const {
    return [token = std::weak_ptr<char>(token_), call = std::move(call)](auto&&... arguments) mutable {
      if (!token.expired()) call(std::forward<decltype(arguments)>(arguments)...);
    };
  }
  // Whatever was wrapped so far does nothing any more.
  void renew() { token_ = std::make_shared<char>(); }

 private:
  std::shared_ptr<char> token_ = std::make_shared<char>();
};

}  // namespace oob::base
