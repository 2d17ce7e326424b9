/*
 * Integrations and grants from the side of those who keep them: what is refused, what is kept of an edit,
 * what a list shows.
 */
#include <string.h>

#include "core_world.h"

static struct core_world world;

static void start(void)
{
	core_world_start(&world);
	core_add_integration(&world, "app");
}

#define refused(word, method, params) core_ask_refused(word, &world, UID_ADMIN, method, "%s", params)
#define accepted(method, params) core_ask_ok(&world, UID_ADMIN, method, "%s", params)

START_TEST(integration_refuses_a_rate_limit_of_none)
{
	start();
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"rate_limit\":0}");
	accepted("integration.edit", "{\"name\":\"app\",\"rate_limit\":1}");
	accepted("integration.edit", "{\"name\":\"app\",\"rate_limit\":\"\"}");
	accepted("integration.show", "{\"name\":\"app\"}");
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(core_result(&world, "integration"), "rate_limit")));
	core_world_end(&world);
}
END_TEST

START_TEST(integration_list_refuses_a_state_that_does_not_exist)
{
	start();
	refused("bad_value", "integration.list", "{\"state\":\"activ\"}");
	accepted("integration.list", "{\"state\":\"retired\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 0);
	accepted("integration.list", "{\"state\":\"active\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 1);
	core_world_end(&world);
}
END_TEST

START_TEST(integration_edit_refuses_to_change_nothing)
{
	start();
	refused("bad_request", "integration.edit", "{\"name\":\"app\"}");
	refused("not_found", "integration.edit", "{\"name\":\"other\",\"title\":\"x\"}");
	refused("bad_value", "integration.edit", "{\"name\":\"app\",\"title\":\" \"}");
	core_world_end(&world);
}
END_TEST

START_TEST(integration_name_is_taken_once)
{
	start();
	refused("conflict", "integration.add",
		"{\"name\":\"app\",\"title\":\"t\",\"description\":\"d\",\"owner\":\"o\",\"contact\":\"c\"}");
	core_world_end(&world);
}
END_TEST

START_TEST(integration_edit_changes_what_it_names_and_keeps_the_rest)
{
	start();
	accepted("integration.edit", "{\"name\":\"app\",\"labels\":{\"team\":\"fin\",\"tier\":\"1\"},"
				     "\"systems\":[\"erp\",\"dwh\"]}");
	accepted("integration.edit", "{\"name\":\"app\",\"systems\":\"\",\"title\":\"another\"}");
	accepted("integration.show", "{\"name\":\"app\"}");

	const cJSON *integration = core_result(&world, "integration");

	ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(integration, "title")), "another");
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(integration, "systems")), 0);
	ck_assert_str_eq(
		cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(integration, "labels"), "team")),
		"fin");
	core_world_end(&world);
}
END_TEST

START_TEST(integration_list_takes_labels_whole)
{
	start();
	accepted("integration.edit", "{\"name\":\"app\",\"labels\":{\"team\":\"fin\",\"tier\":\"1\"}}");
	accepted("integration.list", "{\"label\":\"team\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 1);
	accepted("integration.list", "{\"label\":\"tier=1\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 1);
	accepted("integration.list", "{\"label\":\"team=fi\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 0);
	accepted("integration.list", "{\"label\":\"tea\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "integrations")), 0);
	core_world_end(&world);
}
END_TEST

START_TEST(grant_refuses_nobody_and_whom_it_cannot_know)
{
	start();
	refused("bad_value", "grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"65534\"}}");
	refused("bad_value", "grant.add", "{\"integration\":\"app\",\"rule\":{\"group\":\"65534\"}}");
	refused("bad_value", "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"no-such-user-here\"}}");
	refused("bad_value", "grant.add", "{\"integration\":\"app\",\"rule\":{\"group\":\"no-such-group\"}}");
	refused("bad_request", "grant.add", "{\"integration\":\"app\",\"rule\":{}}");
	refused("not_found", "grant.add", "{\"integration\":\"other\",\"rule\":{\"user\":\"0\"}}");
	refused("not_found", "grant.remove", "{\"integration\":\"app\",\"id\":7}");
	core_world_end(&world);
}
END_TEST

START_TEST(grant_stands_once_and_goes_with_its_own_integration_alone)
{
	start();
	core_add_integration(&world, "other");
	accepted("grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"0\",\"unit\":\"etl@*.service\"}}");
	refused("conflict", "grant.add",
		"{\"integration\":\"app\",\"rule\":{\"user\":\"0\",\"unit\":\"etl@*.service\"}}");
	accepted("grant.add", "{\"integration\":\"app\",\"rule\":{\"user\":\"0\"}}");
	refused("not_found", "grant.remove", "{\"integration\":\"other\",\"id\":1}");
	accepted("grant.remove", "{\"integration\":\"app\",\"id\":1}");
	accepted("grant.list", "{\"integration\":\"app\"}");
	ck_assert_int_eq(cJSON_GetArraySize(core_result(&world, "grants")), 1);
	core_world_end(&world);
}
END_TEST

UNIT_MAIN("core_integrations", integration_refuses_a_rate_limit_of_none,
	integration_list_refuses_a_state_that_does_not_exist, integration_edit_refuses_to_change_nothing,
	integration_name_is_taken_once, integration_edit_changes_what_it_names_and_keeps_the_rest,
	integration_list_takes_labels_whole, grant_refuses_nobody_and_whom_it_cannot_know,
	grant_stands_once_and_goes_with_its_own_integration_alone)
