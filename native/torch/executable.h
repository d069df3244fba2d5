// A loaded artifact that can be called: TorchScript in one of its forms, or a compiled AOTInductor package.
// Thread: made on a loader thread, immutable afterwards; Call from any executor thread.
#pragma once

#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/status.h"
#include "torch/result_type.h"

namespace sconce::torch_engine {

// One argument of the model's forward(), self left out.
struct Argument {
  std::string name;
  bool tensor = true;                   // a Tensor or Optional[Tensor]
  bool takes_none = false;              // Optional[...]
  std::optional<c10::IValue> fallback;  // its default
};

class Executable {
 public:
  virtual ~Executable() = default;

  // Empties `stack` and puts what must come before the arguments on it.
  virtual void Begin(torch::jit::Stack& stack) const { stack.clear(); }

  // Takes the arguments in order from the stack and leaves one value. Throws what libtorch throws.
  virtual void Call(torch::jit::Stack& stack) const = 0;

  virtual const char* form() const = 0;
  virtual std::size_t weights_bytes() const = 0;

  // forward's arguments; nothing when the artifact does not know their names (then any number is positional).
  virtual const std::vector<Argument>* arguments() const { return nullptr; }

  // What forward() gives; tensors alone where the artifact does not say.
  virtual const ResultType& result() const {
    static const ResultType tensors;
    return tensors;
  }

  // The code changes what the module holds: two threads must not run it at once, and it may keep its inputs.
  virtual bool keeps_state() const { return false; }
  // Branches, loops or sizes depend on numbers of the inputs: samples of one batch may change each other's answers.
  virtual bool reads_values() const { return false; }
  // The code asks for gradients, so it runs as in plain Python, with them recorded.
  virtual bool differentiates() const { return false; }
  // Runs in a shorter floating type than it was saved in: its outputs of that type are widened to float32.
  virtual bool reduced() const { return false; }
  // The code may change or keep what it is given, so it gets copies that own their memory.
  virtual bool takes_copies() const { return false; }
  // From now on it takes copies: a run was seen to change its inputs. Before any runner is made for it.
  virtual void give_copies() {}
};

// An executable that someone else owns and that outlives this one.
class BorrowedExecutable final : public Executable {
 public:
  explicit BorrowedExecutable(const Executable& owner) : owner_(owner) {}
  void Begin(torch::jit::Stack& stack) const override { owner_.Begin(stack); }
  void Call(torch::jit::Stack& stack) const override { owner_.Call(stack); }
  const char* form() const override { return owner_.form(); }
  std::size_t weights_bytes() const override { return owner_.weights_bytes(); }
  const std::vector<Argument>* arguments() const override { return owner_.arguments(); }
  const ResultType& result() const override { return owner_.result(); }
  bool keeps_state() const override { return owner_.keeps_state(); }
  bool reads_values() const override { return owner_.reads_values(); }
  bool differentiates() const override { return owner_.differentiates(); }
  bool reduced() const override { return owner_.reduced(); }
  bool takes_copies() const override { return owner_.takes_copies(); }

 private:
  const Executable& owner_;
};

}  // namespace sconce::torch_engine
