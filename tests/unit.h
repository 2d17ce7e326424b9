/*
 * What every unit test program shares: Check, and a main that runs a list of tests as one suite.
 *
 *     START_TEST(frame_refuses_a_line_over_the_limit) { … } END_TEST
 *     UNIT_MAIN("frame", frame_refuses_a_line_over_the_limit, …)
 */
#ifndef COFFER_TESTS_UNIT_H
#define COFFER_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

static inline int unit_run(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tcase);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(name, ...) \
	int main(void) \
	{ \
		const TTest *const tests[] = {__VA_ARGS__}; \
		return unit_run(name, tests, sizeof(tests) / sizeof(tests[0])); \
	}

#endif
