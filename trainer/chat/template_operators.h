// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The Argosy Authors
//
// What operators do. All throw TemplateFault where Python raises an error.
#pragma once

#include "trainer/chat/template_ast.h"
#include "trainer/chat/template_value.h"

namespace argosy::jinja {

Value apply(Operator op, const Value& left, const Value& right);
Value negated(const Value& value);
Value unary_plus(const Value& value);
bool compare(Comparison comparison, const Value& left, const Value& right);

// `object.name`. `why_undefined` is what the result says where there is none of that name.
Value attribute_of(const Value& object, const Value& name, const TextPtr& why_undefined);
// `object[key]`; undefined where there is none.
Value item_of(const Value& object, const Value& key);
// `object[start:stop:step]`; None where nothing stands.
Value slice_of(const Value& object, const Value& start, const Value& stop, const Value& step);

}  // namespace argosy::jinja
