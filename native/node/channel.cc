#include "node/channel.h"

#include <algorithm>
#include <utility>

#include "core/clock.h"

namespace sconce::node {

namespace {

constexpr std::uint32_t kDenseCookies = 1U << 16;
constexpr std::size_t kPooledTasks = 1024;
// A pooled task keeps buffers up to this size; larger ones go back to the allocator.
constexpr std::size_t kPooledBufferBytes = std::size_t{64} << 10;
constexpr std::int64_t kNsPerMs = 1'000'000;

std::int64_t Deadline(std::int64_t now_ns, std::uint32_t timeout_ms, std::int64_t model_timeout_ns) {
  std::int64_t timeout_ns = static_cast<std::int64_t>(timeout_ms) * kNsPerMs;
  if (model_timeout_ns > 0) timeout_ns = timeout_ns > 0 ? std::min(timeout_ns, model_timeout_ns) : model_timeout_ns;
  return timeout_ns > 0 ? now_ns + timeout_ns : 0;
}

void ClearOrFree(Buffer& buffer) {
  if (buffer.capacity() > kPooledBufferBytes) {
    buffer = Buffer();
  } else {
    buffer.Clear();
  }
}

}  // namespace

Channel::Channel(Engine& engine, std::function<void()> wake)
    : engine_(engine),
      completions_(std::make_shared<CompletionQueue>(wake)),
      removals_(engine.AddChannel(std::move(wake))),
      turn_(std::make_unique<InlineTurn>()) {}

Channel::~Channel() { Close(); }

Result<std::shared_ptr<Model>> Channel::Admit(const InferArgs& args) {
  if (closed_ || engine_.exiting()) return Status(Code::kDraining, "the server is shutting down");
  if (removals_->any()) ForgetRemoved();
  if (explain_ && explain_cookie_ != args.cookie) explain_.reset();
  return engine_.router().Resolve(args.name_id, args.version);
}

codec::Limits Channel::LimitsOf(const Model& model) const {
  codec::Limits limits;
  limits.max_instances = model.config().max_instances;
  limits.max_decoded_bytes = model.config().max_decoded_bytes;
  return limits;
}

TaskPtr Channel::NewTask(const InferArgs& args, std::shared_ptr<Model> model, std::int64_t now_ns) {
  TaskPtr task;
  if (pool_.empty()) {
    task = std::make_unique<Task>();
    task->sink = completions_;
  } else {
    task = std::move(pool_.back());
    pool_.pop_back();
  }
  task->cookie = args.cookie;
  task->named = !args.version.empty() && !args.by_default;
  task->format = args.output;
  task->enqueued_ns = now_ns;
  task->deadline_ns = Deadline(now_ns, args.timeout_ms, model->config().response_timeout_ns);
  task->model = std::move(model);
  task->explain = std::move(explain_);
  return task;
}

int Channel::Infer(const InferArgs& args, std::span<const std::byte> body) {
  Result<std::shared_ptr<Model>> model = Admit(args);
  if (!model.ok()) return Refuse(model.status());
  TaskPtr task = NewTask(args, std::move(*model), MonotonicNs());
  const Model& chosen = *task->model;
  const Signature& signature = chosen.config().signature;
  const Status decoded = args.json_bytes == 0
                             ? codec::Decode(args.input, body, signature, LimitsOf(chosen), *task)
                             : codec::DecodeV2(body, args.json_bytes, signature, LimitsOf(chosen), *task);
  return Send(std::move(task), decoded, body.size());
}

int Channel::InferBody(const InferArgs& args) {
  Buffer body = BodyTake(args.cookie);
  if (args.input != codec::InputFormat::kRaw) return Infer(args, body.bytes());
  Result<std::shared_ptr<Model>> model = Admit(args);
  if (!model.ok()) return Refuse(model.status());
  TaskPtr task = NewTask(args, std::move(*model), MonotonicNs());
  const std::size_t bytes = body.size();
  task->storage = std::move(body);
  const Model& chosen = *task->model;
  const Status decoded = codec::AdoptRaw(chosen.config().signature, LimitsOf(chosen), *task);
  return Send(std::move(task), decoded, bytes);
}

int Channel::InferImage(const InferArgs& args, const ImageInput& image, std::span<const std::byte> pixels) {
  Result<std::shared_ptr<Model>> model = Admit(args);
  if (!model.ok()) return Refuse(model.status());
  TaskPtr task = NewTask(args, std::move(*model), MonotonicNs());
  task->is_image = true;
  task->image = image;
  task->storage.Append(pixels.data(), pixels.size());
  TensorView view;
  view.dtype = DType::kUint8;
  view.shape = Shape({image.height, image.width, image.channels});
  view.data = task->storage.data();
  view.bytes = pixels.size();
  task->rows.emplace_back().inputs.push_back(view);
  return Send(std::move(task), Status::Ok(), pixels.size());
}

void Channel::Explain(std::uint32_t cookie, ExplainSpec spec) {
  explain_ = std::make_shared<const ExplainSpec>(std::move(spec));
  explain_cookie_ = cookie;
}

int Channel::Send(TaskPtr task, const Status& decoded, std::size_t body_bytes) {
  task->body_bytes = body_bytes;
  if (!decoded.ok()) return RefuseTask(std::move(task), decoded);
  // Any task may come to wait on a lane: pictures, many instances, and what a turn has no budget left for.
  if (!task->cancelled) task->cancelled = std::make_shared<std::atomic<bool>>(false);
  Flag flag = task->cancelled;
  const std::uint32_t cookie = task->cookie;
  bool inlined = false;
  const Status sent = task->explain ? engine_.Explain(task) : turn_->Add(task, &inlined);
  if (!sent.ok()) return RefuseTask(std::move(task), sent);
  SlotOf(cookie).cancelled = std::move(flag);
  return inlined ? kInlined : kQueued;
}

// The model counts only what it finishes; what it never took is counted here.
int Channel::RefuseTask(TaskPtr task, const Status& status) {
  task->model->counters().OnRequest(status.code(), MonotonicNs() - task->enqueued_ns, 0, task->body_bytes, 0,
                                    task->named);
  Recycle(std::move(task));
  return Refuse(status);
}

int Channel::Refuse(const Status& status) {
  last_error_ = status.message();
  return -static_cast<int>(status.code());
}

void Channel::BodyAppend(std::uint32_t cookie, std::span<const std::byte> chunk) {
  SlotOf(cookie).body.Append(chunk.data(), chunk.size());
}

std::size_t Channel::BodySize(std::uint32_t cookie) const {
  const Slot* slot = FindSlot(cookie);
  return slot ? slot->body.size() : 0;
}

Buffer Channel::BodyTake(std::uint32_t cookie) {
  Slot* slot = FindSlot(cookie);
  if (!slot) return {};
  Buffer body = std::move(slot->body);
  if (cookie >= kDenseCookies && !slot->cancelled) far_slots_.erase(cookie);
  return body;
}

void Channel::Cancel(std::uint32_t cookie) {
  Slot* slot = FindSlot(cookie);
  if (slot && slot->cancelled) slot->cancelled->store(true, std::memory_order_relaxed);
}

std::vector<TaskPtr> Channel::Flush() {
  if (closed_) return {};
  if (removals_->any()) ForgetRemoved();
  if (turn_->empty()) return {};
  return turn_->Flush();
}

std::vector<TaskPtr> Channel::Drain() {
  if (closed_) return {};
  if (removals_->any()) ForgetRemoved();
  return completions_->Drain();
}

void Channel::Recycle(TaskPtr task) {
  if (task->cancelled) {
    if (Slot* slot = FindSlot(task->cookie); slot && slot->cancelled == task->cancelled) slot->cancelled.reset();
    task->cancelled->store(false, std::memory_order_relaxed);
  }
  far_slots_.erase(task->cookie);
  if (pool_.size() >= kPooledTasks || closed_) return;
  task->model.reset();
  task->sink = completions_;
  ClearOrFree(task->storage);
  ClearOrFree(task->answer);
  task->rows.clear();
  task->names.clear();
  task->leaves.clear();
  task->v2.reset();
  task->instances = false;
  task->is_image = false;
  task->explain.reset();
  task->status = Status();
  task->body_bytes = 0;
  task->started_ns = task->finished_ns = 0;
  task->batch_rows = 0;
  pool_.push_back(std::move(task));
}

void Channel::Close() {
  if (closed_) return;
  closed_ = true;
  completions_->Close();
  for (Slot& slot : slots_) {
    if (slot.cancelled) slot.cancelled->store(true, std::memory_order_relaxed);
  }
  for (auto& [cookie, slot] : far_slots_) {
    if (slot.cancelled) slot.cancelled->store(true, std::memory_order_relaxed);
  }
  ForgetRemoved();
  engine_.DropChannel(removals_);
  slots_.clear();
  far_slots_.clear();
  pool_.clear();
  turn_.reset();  // drops what was gathered in this turn, with its pins
}

Channel::Slot& Channel::SlotOf(std::uint32_t cookie) {
  if (cookie >= kDenseCookies) return far_slots_[cookie];
  if (cookie >= slots_.size()) slots_.resize(std::max<std::size_t>(cookie + 1, slots_.size() * 2));
  return slots_[cookie];
}

const Channel::Slot* Channel::FindSlot(std::uint32_t cookie) const {
  if (cookie < slots_.size()) return &slots_[cookie];
  if (cookie < kDenseCookies || far_slots_.empty()) return nullptr;
  auto found = far_slots_.find(cookie);
  return found == far_slots_.end() ? nullptr : &found->second;
}

Channel::Slot* Channel::FindSlot(std::uint32_t cookie) {
  return const_cast<Slot*>(std::as_const(*this).FindSlot(cookie));
}

void Channel::ForgetRemoved() {
  for (const std::shared_ptr<Model>& model : removals_->Take()) turn_->Forget(model.get());
}

}  // namespace sconce::node
