// SPDX-License-Identifier: Apache-2.0
#ifndef KENTRY_TESTS_UNIT_SENSOR_API_TSAN_H_
#define KENTRY_TESTS_UNIT_SENSOR_API_TSAN_H_

// Skips a test that speaks gRPC when built with TSan: the distribution's gRPC is not instrumented,
// so TSan doesn't see its locks and takes all it does for races.
#if defined(__SANITIZE_THREAD__)
#define KE_BUILT_WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KE_BUILT_WITH_TSAN 1
#endif
#endif

#ifdef KE_BUILT_WITH_TSAN
#define KE_SKIP_GRPC_UNDER_TSAN() GTEST_SKIP() << "gRPC is not built with TSan"
#else
#define KE_SKIP_GRPC_UNDER_TSAN() \
  do {                            \
  } while (false)
#endif

#endif  // KENTRY_TESTS_UNIT_SENSOR_API_TSAN_H_
