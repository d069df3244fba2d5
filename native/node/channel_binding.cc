#include "node/channel_binding.h"

#include <array>
#include <exception>
#include <new>
#include <utility>

namespace sconce::node {

namespace {

constexpr char kClosed[] = "the channel is closed: its thread is ending";

template <std::size_t N>
struct Call {
  Call(napi_env env_in, napi_callback_info info) : env(env_in) {
    argc = N;
    napi_get_cb_info(env, info, &argc, argv.data(), nullptr, &data);
  }
  std::uint32_t Uint(std::size_t i) const {
    std::uint32_t value = 0;
    napi_get_value_uint32(env, argv[i], &value);
    return value;
  }
  std::int32_t Int(std::size_t i) const {
    std::int32_t value = 0;
    napi_get_value_int32(env, argv[i], &value);
    return value;
  }
  // The bytes of an ArrayBuffer or of any typed array; false when it is neither.
  bool Bytes(std::size_t i, std::span<const std::byte>& bytes) const {
    void* start = nullptr;
    std::size_t size = 0;
    if (napi_get_arraybuffer_info(env, argv[i], &start, &size) == napi_ok) {
      bytes = {static_cast<const std::byte*>(start), size};
      return true;
    }
    napi_typedarray_type type{};
    if (napi_get_typedarray_info(env, argv[i], &type, &size, &start, nullptr, nullptr) != napi_ok) return false;
    if (type != napi_uint8_array && type != napi_int8_array && type != napi_uint8_clamped_array) return false;
    bytes = {static_cast<const std::byte*>(start), size};
    return true;
  }
  std::span<const double> Doubles(std::size_t i) const {
    napi_typedarray_type type{};
    void* start = nullptr;
    std::size_t size = 0;
    if (napi_get_typedarray_info(env, argv[i], &type, &size, &start, nullptr, nullptr) != napi_ok) return {};
    if (type != napi_float64_array) return {};
    return {static_cast<const double*>(start), size};
  }
  std::string Text(std::size_t i) const {
    std::size_t size = 0;
    if (napi_get_value_string_utf8(env, argv[i], nullptr, 0, &size) != napi_ok) return {};
    std::string text(size, '\0');
    napi_get_value_string_utf8(env, argv[i], text.data(), size + 1, &size);
    return text;
  }

  napi_env env;
  std::size_t argc = N;
  std::array<napi_value, N> argv{};
  void* data = nullptr;
};

template <std::size_t N>
ChannelBinding& Self(const Call<N>& call) {
  return *static_cast<ChannelBinding*>(call.data);
}

napi_value Number(napi_env env, std::int32_t value) {
  napi_value number = nullptr;
  napi_create_int32(env, value, &number);
  return number;
}

// flags: input format in the low four bits, output format in the next three, then whether the version is the default
// one that nobody named, above them the length of a v2 body's JSON.
InferArgs ToArgs(std::uint32_t cookie, std::int32_t name_id, std::uint32_t flags, std::uint32_t timeout_ms) {
  InferArgs args;
  args.cookie = cookie;
  args.name_id = name_id;
  args.input = static_cast<codec::InputFormat>(flags & 15U);
  args.output = static_cast<OutputFormat>((flags >> 4U) & 7U);
  args.by_default = ((flags >> 7U) & 1U) != 0;
  args.json_bytes = args.input == codec::InputFormat::kV2 ? flags >> 8U : 0;
  args.timeout_ms = timeout_ms;
  return args;
}

// method, rule, steps, predicted, baseline, batch, window (2), stride (2), detailed, and then the target's indices.
constexpr std::size_t kSettings = 11;

std::int64_t Whole(double number) { return number >= 0 && number <= 1e9 ? static_cast<std::int64_t>(number) : -1; }

bool ToSpec(std::span<const double> packed, ExplainSpec& spec) {
  if (packed.size() < kSettings || packed.size() > kSettings + kMaxDims) return false;
  const auto method = static_cast<std::uint8_t>(Whole(packed[0]));
  const auto rule = static_cast<std::uint8_t>(Whole(packed[1]));
  if (method > static_cast<std::uint8_t>(ExplainMethod::kOcclusion)) return false;
  if (rule > static_cast<std::uint8_t>(IntegralRule::kRiemannTrapezoid)) return false;
  spec.method = static_cast<ExplainMethod>(method);
  spec.rule = static_cast<IntegralRule>(rule);
  spec.steps = Whole(packed[2]);
  spec.predicted = packed[3] != 0;
  spec.baseline = packed[4];
  spec.batch = Whole(packed[5]);
  spec.window = {Whole(packed[6]), Whole(packed[7])};
  spec.stride = {Whole(packed[8]), Whole(packed[9])};
  spec.detailed = packed[10] != 0;
  for (const double index : packed.subspan(kSettings)) spec.target.push_back(Whole(index));
  return true;
}

}  // namespace

int ChannelBinding::Fail(Code code, const char* why) {
  refusal_ = why;
  return -static_cast<int>(code);
}

// Runs `submit(channel)` and answers its number. No exception leaves.
template <typename F>
napi_value ChannelBinding::Submit(napi_env env, F&& submit) {
  refusal_.clear();
  if (!channel_) return Number(env, Fail(Code::kDraining, kClosed));
  try {
    return Number(env, submit(*channel_));
  } catch (const std::bad_alloc&) {
    return Number(env, Fail(Code::kOutOfMemory, "memory ran out while the request was taken in"));
  } catch (const std::exception& error) {
    return Number(env, Fail(Code::kInternal, error.what()));
  }
}

// infer(cookie, nameId, body, flags, timeoutMs, version?)
napi_value ChannelBinding::Infer(napi_env env, napi_callback_info info) {
  const Call<6> call(env, info);
  ChannelBinding& self = Self(call);
  return self.Submit(env, [&](Channel& channel) {
    std::span<const std::byte> body;
    if (!call.Bytes(2, body)) return self.Fail(Code::kInternal, "infer: body must be an ArrayBuffer or a Uint8Array");
    InferArgs args = ToArgs(call.Uint(0), call.Int(1), call.Uint(3), call.Uint(4));
    if (call.argc < 6) return channel.Infer(args, body);
    const std::string version = call.Text(5);
    args.version = version;
    return channel.Infer(args, body);
  });
}

// inferBody(cookie, nameId, flags, timeoutMs, version)
napi_value ChannelBinding::InferBody(napi_env env, napi_callback_info info) {
  const Call<5> call(env, info);
  return Self(call).Submit(env, [&](Channel& channel) {
    InferArgs args = ToArgs(call.Uint(0), call.Int(1), call.Uint(2), call.Uint(3));
    const std::string version = call.Text(4);
    args.version = version;
    return channel.InferBody(args);
  });
}

// inferImage(cookie, nameId, pixels, width, height, channels, flags, timeoutMs, version)
napi_value ChannelBinding::InferImage(napi_env env, napi_callback_info info) {
  const Call<9> call(env, info);
  ChannelBinding& self = Self(call);
  return self.Submit(env, [&](Channel& channel) {
    std::span<const std::byte> pixels;
    if (!call.Bytes(2, pixels)) return self.Fail(Code::kInternal, "inferImage: pixels must be a Uint8Array");
    ImageInput image{.width = call.Int(3), .height = call.Int(4), .channels = call.Int(5)};
    const bool sane = image.width > 0 && image.height > 0 && image.channels > 0 && image.channels <= 4;
    if (!sane ||
        pixels.size() / static_cast<std::size_t>(image.channels) / static_cast<std::size_t>(image.width) !=
            static_cast<std::size_t>(image.height) ||
        pixels.size() % (static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.channels)) != 0) {
      return self.Fail(Code::kInternal, "inferImage: the pixels are not width x height x channels bytes");
    }
    InferArgs args = ToArgs(call.Uint(0), call.Int(1), call.Uint(6), call.Uint(7));
    const std::string version = call.Text(8);
    args.version = version;
    return channel.InferImage(args, image, pixels);
  });
}

// explain(cookie, settings): a Float64Array as src/engine/native-channel.ts packs it
napi_value ChannelBinding::Explain(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  ChannelBinding& self = Self(call);
  return self.Submit(env, [&](Channel& channel) {
    ExplainSpec spec;
    if (!ToSpec(call.Doubles(1), spec))
      return self.Fail(Code::kInternal, "explain: settings must be a packed Float64Array");
    channel.Explain(call.Uint(0), std::move(spec));
    return 0;
  });
}

napi_value ChannelBinding::LastError(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  ChannelBinding& self = Self(call);
  const std::string& words = self.refusal_.empty() && self.channel_ ? self.channel_->last_error() : self.refusal_;
  napi_value text = nullptr;
  napi_create_string_utf8(env, words.data(), words.size(), &text);
  return text;
}

napi_value ChannelBinding::NameId(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  return Number(env, Engine::Get().router().NameId(call.Text(0)));
}

napi_value ChannelBinding::BodyAppend(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  ChannelBinding& self = Self(call);
  return self.Submit(env, [&](Channel& channel) {
    std::span<const std::byte> chunk;
    if (!call.Bytes(1, chunk)) return self.Fail(Code::kInternal, "bodyAppend: chunk must be an ArrayBuffer");
    channel.BodyAppend(call.Uint(0), chunk);
    return 0;
  });
}

napi_value ChannelBinding::BodySize(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  ChannelBinding& self = Self(call);
  napi_value size = nullptr;
  napi_create_double(env, self.channel_ ? static_cast<double>(self.channel_->BodySize(call.Uint(0))) : 0, &size);
  return size;
}

napi_value ChannelBinding::BodyTake(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  ChannelBinding& self = Self(call);
  return ToArrayBuffer(env, self.channel_ ? self.channel_->BodyTake(call.Uint(0)) : Buffer());
}

napi_value ChannelBinding::BodyDrop(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  ChannelBinding& self = Self(call);
  if (self.channel_) (void)self.channel_->BodyTake(call.Uint(0));
  return nullptr;
}

napi_value ChannelBinding::Cancel(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  ChannelBinding& self = Self(call);
  if (self.channel_) self.channel_->Cancel(call.Uint(0));
  return nullptr;
}

napi_value ChannelBinding::Flush(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  ChannelBinding& self = Self(call);
  if (!self.channel_) return nullptr;
  self.reporter_->Add(self.channel_->Flush());
  return self.reporter_->Pack(env);
}

napi_value ChannelBinding::Drain(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  ChannelBinding& self = Self(call);
  if (!self.channel_) return nullptr;
  self.reporter_->Add(self.channel_->Drain());
  return self.reporter_->Pack(env);
}

napi_value ChannelBinding::CloseJs(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Self(call).Close();
  return nullptr;
}

void ChannelBinding::Close() {
  if (!channel_) return;
  channel_->Close();
  reporter_->Drop();
  reporter_.reset();
  channel_.reset();
  waker_->Close();
}

ChannelBinding::~ChannelBinding() { Close(); }

napi_value ChannelBinding::Open(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  napi_typedarray_type type{};
  std::size_t words = 0;
  void* meta = nullptr;
  if (napi_get_typedarray_info(env, call.argv[0], &type, &words, &meta, nullptr, nullptr) != napi_ok ||
      type != napi_uint32_array || words < Reporter::kHeaderWords + Reporter::kWords) {
    napi_throw_type_error(env, nullptr, "openChannel: meta must be a Uint32Array");
    return nullptr;
  }
  std::unique_ptr<ChannelBinding> binding(new ChannelBinding());
  ChannelBinding* self = binding.get();
  auto call_ready = [](napi_env env_now, napi_value function) {
    napi_value receiver;
    napi_get_undefined(env_now, &receiver);
    napi_call_function(env_now, receiver, function, 0, nullptr, nullptr);
  };
  self->waker_ = Waker::Make(env, call.argv[1], false, call_ready, [self] { self->Close(); });
  napi_ref kept = nullptr;  // `meta` stays where it is for as long as the environment lives
  if (!self->waker_ || napi_create_reference(env, call.argv[0], 1, &kept) != napi_ok) {
    napi_throw_type_error(env, nullptr, "openChannel: onReady must be a function");
    return nullptr;
  }
  self->channel_ = std::make_unique<Channel>(Engine::Get(), [waker = self->waker_] { waker->Wake(); });
  self->reporter_ = std::make_unique<Reporter>(*self->channel_, static_cast<std::uint32_t*>(meta), words);

  const std::pair<const char*, napi_callback> functions[] = {
      {"infer", Infer},         {"inferBody", InferBody}, {"inferImage", InferImage}, {"explain", Explain},
      {"lastError", LastError}, {"nameId", NameId},       {"bodyAppend", BodyAppend}, {"bodySize", BodySize},
      {"bodyTake", BodyTake},   {"bodyDrop", BodyDrop},   {"cancel", Cancel},         {"flush", Flush},
      {"drain", Drain},         {"close", CloseJs},
  };
  napi_value object = nullptr;
  napi_create_object(env, &object);
  for (const auto& [name, callback] : functions) {
    napi_value function = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, self, &function);
    napi_set_named_property(env, object, name, function);
  }
  void* state = nullptr;
  napi_get_instance_data(env, &state);
  static_cast<EnvironmentState*>(state)->channels.push_back(std::move(binding));
  return object;
}

}  // namespace sconce::node
