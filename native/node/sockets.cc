#include "node/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace sconce::node {
namespace {

// A longer first line is taken for one of HTTP/1.1.
constexpr size_t kMaxFirstLine = 4096;

[[noreturn]] void Throw(Napi::Env env, const char* what) {
  throw Napi::Error::New(env, std::string(what) + ": " + std::generic_category().message(errno));
}

int Descriptor(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "a descriptor is expected");
  return info[0].As<Napi::Number>().Int32Value();
}

Napi::Value DeferAccept(const Napi::CallbackInfo& info) {
  const int fd = Descriptor(info);
  const int seconds = info[1].As<Napi::Number>().Int32Value();
  if (setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds) != 0)
    Throw(info.Env(), "TCP_DEFER_ACCEPT");
  return info.Env().Undefined();
}

enum class FirstLine { kOld, kOther, kBegun };

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

FirstLine LookAtFirstLine(int fd) {
  std::array<char, kMaxFirstLine> bytes;
  const ssize_t count = recv(fd, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count <= 0) return FirstLine::kOther;
  const std::string_view text(bytes.data(), static_cast<size_t>(count));
  const size_t end = text.find('\n');
  if (end == std::string_view::npos && text.size() < bytes.size() && IsLetter(text.front())) return FirstLine::kBegun;
  return text.substr(0, end).find(" HTTP/1.0") == std::string_view::npos ? FirstLine::kOther : FirstLine::kOld;
}

Napi::Value TakeSocket(const Napi::CallbackInfo& info) {
  const int fd = Descriptor(info);
  const bool whole = info.Length() > 1 && info[1].ToBoolean();
  const FirstLine line = LookAtFirstLine(fd);
  if (line == FirstLine::kOld) return Napi::Number::New(info.Env(), -1);
  if (line == FirstLine::kBegun && whole) return Napi::Number::New(info.Env(), -2);
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) Throw(info.Env(), "a connection could not be taken");
  return Napi::Number::New(info.Env(), own);
}

Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  std::array<int, 2> ends;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0)
    Throw(info.Env(), "socketpair");
  auto pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0u, ends[0]);
  pair.Set(1u, ends[1]);
  return pair;
}

Napi::Value CloseSocket(const Napi::CallbackInfo& info) {
  close(Descriptor(info));
  return info.Env().Undefined();
}

}  // namespace

void ExportSockets(Napi::Env env, Napi::Object exports) {
  exports.Set("deferAccept", Napi::Function::New<DeferAccept>(env));
  exports.Set("takeSocket", Napi::Function::New<TakeSocket>(env));
  exports.Set("socketPair", Napi::Function::New<SocketPair>(env));
  exports.Set("closeSocket", Napi::Function::New<CloseSocket>(env));
}

}  // namespace sconce::node
