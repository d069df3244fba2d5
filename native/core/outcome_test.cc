#include "core/outcome.h"

#include <gtest/gtest.h>

#include "core/fake_runner.h"

namespace sconce {
namespace {

bool Says(const Status& status, const std::string& words) { return status.message().find(words) != std::string::npos; }

TEST(Outcome, MessagesNameTheLimitAndItsOption) {
  Task task;
  task.enqueued_ns = 5;
  task.deadline_ns = 2'000'000'005;
  EXPECT_TRUE(Says(DeadlineStatus(task), "2000 ms"));
  EXPECT_TRUE(Says(DeadlineStatus(task), "--response-timeout"));
  EXPECT_TRUE(Says(DeadlineStatus(task), "responseTimeout"));
  const ModelConfig config = fake::Config();
  EXPECT_EQ(QueueFullStatus(config).code(), Code::kQueueFull);
  EXPECT_TRUE(Says(QueueFullStatus(config), "jobQueueSize"));
  EXPECT_TRUE(Says(QueueFullStatus(config), "100 requests"));
  EXPECT_EQ(UnloadingStatus(config).code(), Code::kNotReady);
  EXPECT_EQ(CancelledStatus().code(), Code::kCancelled);
}

TEST(Outcome, ALateAnswerIsNone) {
  Counters counters({});
  Task task;
  task.enqueued_ns = 100;
  task.started_ns = 150;
  task.deadline_ns = 200;
  task.answer.Append("late", 4);
  task.leaves.emplace_back();
  FinishTask(task, 200, counters);
  EXPECT_EQ(task.status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(task.answer.size(), 0u);
  EXPECT_TRUE(task.leaves.empty());
  EXPECT_EQ(counters.Read().requests_by_code[static_cast<std::size_t>(Code::kDeadlineExceeded)], 1u);
}

TEST(Outcome, AnErrorStaysWhatItWas) {
  Counters counters({});
  Task task;
  task.enqueued_ns = 100;
  task.deadline_ns = 200;
  task.status = Status(Code::kModelError, "raised");
  FinishTask(task, 300, counters);
  EXPECT_EQ(task.status.code(), Code::kModelError);
  EXPECT_EQ(task.finished_ns, 300);
}

}  // namespace
}  // namespace sconce
