#include "core/router.h"

#include <gtest/gtest.h>

#include "core/fake_runner.h"

namespace sconce {
namespace {

std::shared_ptr<Model> Make(const std::string& name, const std::string& version) {
  ModelConfig config = fake::Config();
  config.name = name;
  config.version = version;
  return Model::Start(config, std::make_shared<fake::FakeRunner>());
}

TEST(Router, TheFirstVersionIsTheDefault) {
  Router router;
  EXPECT_EQ(router.NameId("a"), -1);
  const auto one = Make("a", "1.0");
  const auto two = Make("a", "2.0");
  router.Publish(one);
  router.Publish(two);
  const std::int32_t id = router.NameId("a");
  EXPECT_EQ(router.Resolve(id, "").value(), one);
  EXPECT_EQ(router.Resolve(id, "2.0").value(), two);
  EXPECT_TRUE(router.SetDefault("a", "2.0").ok());
  EXPECT_EQ(router.Resolve(id, "").value(), two);
  EXPECT_EQ(router.All().size(), 2u);
}

TEST(Router, SaysWhatIsMissing) {
  Router router;
  router.Publish(Make("a", "1.0"));
  const std::int32_t id = router.NameId("a");
  const auto version = router.Resolve(id, "9");
  EXPECT_EQ(version.status().code(), Code::kVersionNotFound);
  EXPECT_EQ(version.status().message(), "Model version: 9 does not exist for model: a");
  EXPECT_EQ(router.Resolve(-1, "").status().code(), Code::kModelNotFound);
  EXPECT_EQ(router.Resolve(77, "").status().code(), Code::kModelNotFound);
  EXPECT_EQ(router.SetDefault("b", "1.0").code(), Code::kModelNotFound);
  EXPECT_EQ(router.SetDefault("a", "9").code(), Code::kVersionNotFound);
  EXPECT_EQ(router.Remove("a", "9"), nullptr);
  EXPECT_EQ(router.Remove("b", "1.0"), nullptr);
  EXPECT_NE(router.Remove("a", "1.0"), nullptr);
  const auto gone = router.Resolve(id, "");
  EXPECT_EQ(gone.status().code(), Code::kModelNotFound);
  EXPECT_EQ(gone.status().message(), "Model not found: a");
}

TEST(Router, NumbersOfNamesStay) {
  Router router;
  router.Publish(Make("a", "1"));
  router.Publish(Make("b", "1"));
  const std::int32_t a = router.NameId("a");
  const std::int32_t b = router.NameId("b");
  EXPECT_NE(a, b);
  router.Remove("a", "1");
  EXPECT_EQ(router.NameId("a"), a);
  const auto again = Make("a", "2");
  router.Publish(again);
  EXPECT_EQ(router.NameId("a"), a);
  EXPECT_EQ(router.NameId("b"), b);
  EXPECT_EQ(router.Resolve(a, "").value(), again);
}

TEST(Router, ReplacesAndLetsGo) {
  Router router;
  auto one = Make("a", "1");
  const std::weak_ptr<Model> watch = one;
  router.Publish(one);
  one.reset();
  const auto replacement = Make("a", "1");
  router.Publish(replacement);
  EXPECT_TRUE(watch.expired());  // no snapshot holds it
  EXPECT_EQ(router.Resolve(router.NameId("a"), "1").value(), replacement);
  EXPECT_EQ(router.All().size(), 1u);
}

TEST(Router, WhenTheDefaultGoesTheLastPublishedFollows) {
  Router router;
  router.Publish(Make("a", "1"));
  router.Publish(Make("a", "2"));
  const auto three = Make("a", "3");
  router.Publish(three);
  router.Remove("a", "1");
  EXPECT_EQ(router.Resolve(router.NameId("a"), "").value(), three);
}

}  // namespace
}  // namespace sconce
