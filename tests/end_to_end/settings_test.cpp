// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What a run may turn on without another plan: packed documents train as separate ones, on one rank
// and on several, and dropout is off in evaluations.
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <vector>

#include "comm/self/self_communicator.h"
#include "comm/thread/thread_communicator.h"
#include "planner/spec/philox.h"
#include "tests/end_to_end/layouts.h"
#include "trainer/data/packed_rows.h"
#include "trainer/data/token_array.h"
#include "trainer/trainer.h"

namespace argosy {
namespace {

constexpr int64_t kDocumentLength = 4, kNumDocuments = 12;
constexpr int32_t kEnd = 7;

// Documents of equal length, one after the other. Where they begin, their last token says, or the
// source.
class Documents : public TokenSource {
 public:
  explicit Documents(bool knows_documents) : knows_documents_(knows_documents) {}
  int64_t num_tokens() const override { return kNumDocuments * kDocumentLength + 1; }
  int32_t token(int64_t index) const override {
    if (index % kDocumentLength == kDocumentLength - 1) return kEnd;
    return static_cast<int32_t>(10 + random_bits(5, 0, static_cast<uint64_t>(index)) % 40);
  }
  int32_t max_token() const override { return 50; }
  bool knows_documents() const override { return knows_documents_; }
  bool begins_document(int64_t index) const override { return index % kDocumentLength == 0; }

 private:
  bool knows_documents_;
};

struct Result {
  double loss = 0, grad_norm = 0, evaluation = 0;
  int64_t num_targets = 0;
  std::vector<double> mtp_losses = {};
};

Result first_step_of(Communicator& world, const Plan& plan, const LayerSettings& settings,
                     const TokenSource& source, const SampleOrder& order) {
  DeviceContext device(Device::cpu);
  Trainer trainer(device, world, plan, {.optimizer = {}, .layers = settings});
  const double evaluation = trainer.evaluate(source, order, 1);
  const StepResult step = trainer.step(source, order, 1, 0.1);
  return {step.loss, step.grad_norm, evaluation, step.num_targets, step.mtp_losses};
}

// All documents in one step: `packed` of them in a sequence.
Result train(Communicator& world, Layout layout, int64_t packed, const LayerSettings& settings,
             bool knows_documents = false) {
  Plan plan = plan_of(layout);
  plan.seq_len = packed * kDocumentLength;
  plan.global_batch = kNumDocuments / packed;
  validate(plan);
  const Documents source(knows_documents);
  const SampleOrder order(source.num_tokens(), plan.seq_len, 3, "documents");
  return first_step_of(world, plan, settings, source, order);
}

Result train_on_one_rank(const Layout& layout, int64_t packed, const LayerSettings& settings,
                         bool knows_documents = false) {
  const auto self = make_self_communicator();
  return train(*self, layout, packed, settings, knows_documents);
}

void expect_equal(const Result& actual, const Result& expected) {
  EXPECT_NEAR(actual.loss, expected.loss, 1e-12 * expected.loss);
  EXPECT_NEAR(actual.grad_norm, expected.grad_norm, 1e-12 * expected.grad_norm);
  EXPECT_NEAR(actual.evaluation, expected.evaluation, 1e-12 * expected.evaluation);
  ASSERT_EQ(actual.mtp_losses.size(), expected.mtp_losses.size());
  for (size_t i = 0; i < actual.mtp_losses.size(); ++i)
    EXPECT_NEAR(actual.mtp_losses[i], expected.mtp_losses[i], 1e-12 * expected.mtp_losses[i]) << i;
}

const LayerSettings kMasked = {.document_mask = true, .end_of_text = kEnd};

TEST(DocumentMask, PackedDocumentsTrainAsSeparateOnes) {
  for (const TinyModel model : {TinyModel::llama, TinyModel::gpt2, TinyModel::qwen3}) {
    const Layout layout = {.name = "documents", .model = model};
    const Result separate = train_on_one_rank(layout, 1, {});
    expect_equal(train_on_one_rank(layout, 2, kMasked), separate);
    expect_equal(train_on_one_rank(layout, 4, kMasked), separate);
    const Result unmasked = train_on_one_rank(layout, 4, {});  // the mask is what makes them equal
    EXPECT_GT(std::abs(unmasked.loss - separate.loss), 1e-6);
  }
}

// Modules for multi-token prediction read and predict tokens of the document alone: with masks the
// last document of a sequence ends where the others do.
TEST(DocumentMask, ModulesStayWithinDocuments) {
  for (const TinyModel model : {TinyModel::dense_mtp, TinyModel::glm_mtp}) {
    const Layout layout = {.name = "documents", .model = model};
    const Result separate = train_on_one_rank(layout, 1, kMasked);
    expect_equal(train_on_one_rank(layout, 2, kMasked), separate);
    expect_equal(train_on_one_rank(layout, 4, kMasked), separate);
    const Result unmasked = train_on_one_rank(layout, 1, {});
    EXPECT_EQ(unmasked.loss, separate.loss) << "a sequence is a document either way";
    EXPECT_GT(std::abs(unmasked.mtp_losses[0] - separate.mtp_losses[0]), 1e-6)
        << "the token behind its end is of the next one";
    const LayerSettings rows = {.document_mask = true};
    const Result known = train_on_one_rank(layout, 1, rows, /*knows_documents=*/true);
    expect_equal(known, separate);
    expect_equal(train_on_one_rank(layout, 4, rows, /*knows_documents=*/true), separate);
  }
}

// Rows: no token says where they end, or one says so that stands inside of them too.
TEST(DocumentMask, AlsoWhereTheDataKnowTheirDocuments) {
  const Layout layout = {.name = "documents"};
  const Result separate = train_on_one_rank(layout, 1, {});
  const LayerSettings rows = {.document_mask = true};
  expect_equal(train_on_one_rank(layout, 4, rows, /*knows_documents=*/true), separate);
  const Result one = train_on_one_rank(layout, 4, rows, /*knows_documents=*/false);
  EXPECT_GT(std::abs(one.loss - separate.loss), 1e-6);
}

TEST(DocumentMask, AlsoOverSeveralRanks) {
  const Result separate = train_on_one_rank({.name = "one", .model = TinyModel::gpt2}, 1, {});
  for (const ContextParallel kind : {ContextParallel::ring, ContextParallel::ulysses}) {
    const Layout layout = {
        .name = "split", .model = TinyModel::gpt2, .mesh = {.tp = 2, .cp = 2}, .cp_kind = kind};
    std::mutex mutex;
    run_on_threads(4, [&](Communicator& world) {
      const Result packed = train(world, layout, 4, kMasked);
      const std::lock_guard<std::mutex> lock(mutex);
      expect_equal(packed, separate);
    });
  }
}

// Rows of 2 to 8 tokens, of which each token but the first is predicted.
std::unique_ptr<TokenArray> rows_of_many_lengths() {
  MarkedTokens rows;
  for (uint64_t row = 0; row < 23; ++row) {
    const size_t begin = rows.tokens.size();
    for (uint64_t i = 0; i < 2 + random_bits(6, 1, row) % 7; ++i) {
      rows.tokens.push_back(static_cast<int32_t>(10 + random_bits(6, row + 2, i) % 40));
      rows.mark(i > 0);
    }
    rows.mark_row(begin);
  }
  return std::make_unique<TokenArray>(std::move(rows), /*is_text=*/false);
}

// All rows in one step.
Result train_on_rows(Communicator& world, Layout layout, Packing packing, int64_t seq_len) {
  auto rows = rows_of_many_lengths();
  PackedSamples samples = pack_rows(rows->row_begins(), rows->num_tokens(), seq_len, packing);
  Plan plan = plan_of(layout);
  plan.seq_len = seq_len;
  plan.micro_batch = 1;
  plan.global_batch = samples.num_samples();
  validate(plan);
  const PackedRows source(std::move(rows), std::move(samples), seq_len);
  const SampleOrder order(source.num_tokens(), seq_len, 3, "rows");
  const LayerSettings settings = {.document_mask = packing == Packing::best_fit};
  const Result result = first_step_of(world, plan, settings, source, order);
  EXPECT_EQ(result.num_targets, source.rows().num_targets());
  return result;
}

// How much padding stands behind a row, and what stands beside it, changes nothing.
TEST(Packing, RowsTrainAsIfEachWereAlone) {
  const auto self = make_self_communicator();
  for (const TinyModel model : {TinyModel::llama, TinyModel::gpt2, TinyModel::qwen3}) {
    const Layout layout = {.name = "rows", .model = model};
    const Result alone = train_on_rows(*self, layout, Packing::none, 8);
    expect_equal(train_on_rows(*self, layout, Packing::none, 16), alone);
    expect_equal(train_on_rows(*self, layout, Packing::best_fit, 8), alone);
    expect_equal(train_on_rows(*self, layout, Packing::best_fit, 16), alone);
    expect_equal(train_on_rows(*self, layout, Packing::best_fit, 12), alone);
  }
}

TEST(Packing, AlsoOverSeveralRanks) {
  const auto self = make_self_communicator();
  const Layout one = {.name = "one", .model = TinyModel::gpt2};
  const Result alone = train_on_rows(*self, one, Packing::none, 8);
  for (const ContextParallel kind : {ContextParallel::ring, ContextParallel::ulysses}) {
    const Layout layout = {
        .name = "split", .model = TinyModel::gpt2, .mesh = {.tp = 2, .cp = 2}, .cp_kind = kind};
    std::mutex mutex;
    run_on_threads(4, [&](Communicator& world) {
      const Result packed = train_on_rows(world, layout, Packing::best_fit, 16);
      const std::lock_guard<std::mutex> lock(mutex);
      expect_equal(packed, alone);
    });
  }
}

TEST(Dropout, ChangesTrainingAndNotEvaluation) {
  const Layout layout = {.name = "dropout"};
  const Result without = train_on_one_rank(layout, 2, {});
  const Result with = train_on_one_rank(layout, 2, {.dropout = 0.3});
  EXPECT_EQ(with.evaluation, without.evaluation);
  EXPECT_NE(with.loss, without.loss);
}

}  // namespace
}  // namespace argosy
