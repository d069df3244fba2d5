// One environment's way to the engine, without any Node-API: requests in, finished tasks out.
//
//   Channel channel(engine, wake);
//   int sent = channel.Infer({.cookie = 7, .name_id = id, …}, body);   // 0 inline, 1 queued, negative: refused
//   for (TaskPtr& task : channel.Flush()) { …report…; channel.Recycle(std::move(task)); }
//
// Thread: everything on the environment's own thread; `wake` is called from lanes and from the thread that removes a
// model, at most once per batch of completions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "codec/codec.h"
#include "core/completion.h"
#include "core/inline_turn.h"
#include "core/task.h"
#include "node/engine.h"

namespace sconce::node {

struct InferArgs {
  std::uint32_t cookie = 0;
  std::int32_t name_id = -1;
  std::string_view version;  // empty: the default
  bool by_default = false;   // `version` was the default one: no client named it
  codec::InputFormat input = codec::InputFormat::kJson;
  OutputFormat output = OutputFormat::kJson;
  std::size_t json_bytes = 0;    // kV2: of the body, where bytes follow its JSON; 0: all of it
  std::uint32_t timeout_ms = 0;  // 0: none but the model's own
};

class Channel {
 public:
  static constexpr int kInlined = 0;
  static constexpr int kQueued = 1;

  Channel(Engine& engine, std::function<void()> wake);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // kInlined, kQueued, or -code; then last_error() has the words. `body` is only read during the call.
  int Infer(const InferArgs& args, std::span<const std::byte> body);
  // The body that was gathered for args.cookie; it is gone afterwards, whatever the outcome.
  int InferBody(const InferArgs& args);
  // Interleaved uint8 pixels, image.height × image.width × image.channels.
  int InferImage(const InferArgs& args, const ImageInput& image, std::span<const std::byte> pixels);
  // The next Infer* of this cookie asks for an explanation instead of an answer. It is always queued.
  void Explain(std::uint32_t cookie, ExplainSpec spec);
  const std::string& last_error() const { return last_error_; }

  void BodyAppend(std::uint32_t cookie, std::span<const std::byte> chunk);  // throws std::bad_alloc
  std::size_t BodySize(std::uint32_t cookie) const;
  Buffer BodyTake(std::uint32_t cookie);  // empty when nothing was gathered

  // Marks a queued request; it completes as kCancelled unless it is too late. Unknown cookies are ignored.
  void Cancel(std::uint32_t cookie);

  // Tasks that ended in this event-loop turn, or on lanes since the last call.
  std::vector<TaskPtr> Flush();
  std::vector<TaskPtr> Drain();
  // Hands a reported task back: its pin is dropped and its memory kept for a later request.
  void Recycle(TaskPtr task);

  // Cancels what is under way; completions are dropped from now on. Idempotent.
  void Close();

 private:
  using Flag = std::shared_ptr<std::atomic<bool>>;
  // What is kept per cookie, only for requests that need it: a body that arrives in pieces, a flag for a lane task.
  struct Slot {
    Flag cancelled;
    Buffer body;
  };

  Result<std::shared_ptr<Model>> Admit(const InferArgs& args);
  TaskPtr NewTask(const InferArgs& args, std::shared_ptr<Model> model, std::int64_t now_ns);
  int Send(TaskPtr task, const Status& decoded, std::size_t body_bytes);
  int RefuseTask(TaskPtr task, const Status& status);
  int Refuse(const Status& status);
  codec::Limits LimitsOf(const Model& model) const;
  Slot& SlotOf(std::uint32_t cookie);
  Slot* FindSlot(std::uint32_t cookie);
  const Slot* FindSlot(std::uint32_t cookie) const;
  void ForgetRemoved();

  Engine& engine_;
  std::shared_ptr<CompletionQueue> completions_;
  std::shared_ptr<RemovalNotices> removals_;
  std::unique_ptr<InlineTurn> turn_;  // null once closed
  std::vector<TaskPtr> pool_;
  std::vector<Slot> slots_;                            // cookies below kDenseCookies
  std::unordered_map<std::uint32_t, Slot> far_slots_;  // the others
  std::string last_error_;
  // Of the next Infer*.
  std::shared_ptr<const ExplainSpec> explain_;
  std::uint32_t explain_cookie_ = 0;
  bool closed_ = false;
};

}  // namespace sconce::node
