// A Channel as a JavaScript object whose functions carry the channel's address: no unwrapping, no property lookups.
// Thread: the environment's own. The objects live until the environment ends (instance data frees them).
#pragma once

#include <node_api.h>

#include <memory>
#include <vector>

#include "node/channel.h"
#include "node/report.h"
#include "node/waker.h"

namespace sconce::node {

class ChannelBinding {
 public:
  // openChannel(meta: Uint32Array, onReady: () => void) -> the object of functions described in src/engine/native.ts;
  // null with a pending JavaScript exception when the arguments are wrong.
  static napi_value Open(napi_env env, napi_callback_info info);
  ~ChannelBinding();

 private:
  ChannelBinding() = default;
  void Close();

  static napi_value Infer(napi_env env, napi_callback_info info);
  static napi_value InferBody(napi_env env, napi_callback_info info);
  static napi_value InferImage(napi_env env, napi_callback_info info);
  static napi_value Explain(napi_env env, napi_callback_info info);
  static napi_value LastError(napi_env env, napi_callback_info info);
  static napi_value NameId(napi_env env, napi_callback_info info);
  static napi_value BodyAppend(napi_env env, napi_callback_info info);
  static napi_value BodySize(napi_env env, napi_callback_info info);
  static napi_value BodyTake(napi_env env, napi_callback_info info);
  static napi_value BodyDrop(napi_env env, napi_callback_info info);
  static napi_value Cancel(napi_env env, napi_callback_info info);
  static napi_value Flush(napi_env env, napi_callback_info info);
  static napi_value Drain(napi_env env, napi_callback_info info);
  static napi_value CloseJs(napi_env env, napi_callback_info info);

  std::shared_ptr<Waker> waker_;
  std::unique_ptr<Channel> channel_;  // null once closed
  std::unique_ptr<Reporter> reporter_;
  std::string refusal_;  // last_error of what never reached the channel
  int Fail(Code code, const char* why);
  template <typename F>
  napi_value Submit(napi_env env, F&& submit);
};

// What an environment owns, freed when it ends.
struct EnvironmentState {
  std::vector<std::unique_ptr<ChannelBinding>> channels;
};

}  // namespace sconce::node
