/*
 * P9: whatever a peer's address says, it is no claim, or exactly "\0NUMBER/unit/UNIT/CREDENTIAL" with a valid unit and
 * a name that is one component.
 */
#include <stdio.h>
#include <string.h>

#include "claim.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct claim claim = {0};
	char again[1024] = "";

	if (!claim_parse((const char *)data, size, &claim))
		return 0;
	must(data[0] == '\0' && memchr(data + 1, '\0', size - 1) == NULL);
	must(text_is_unit_name(claim.unit, strlen(claim.unit)));
	must(claim.name[0] != '\0' && strpbrk(claim.name, "/:") == NULL);
	must(strcmp(claim.name, ".") != 0 && strcmp(claim.name, "..") != 0);

	int len = snprintf(again, sizeof(again), "/unit/%s/%s", claim.unit, claim.name);
	size_t digits = size - 1 - (size_t)len;

	must(digits >= 1 && digits <= 16);
	must(memcmp(data + 1 + digits, again, (size_t)len) == 0);
	for (size_t i = 1; i <= digits; i++)
		must((data[i] >= '0' && data[i] <= '9') || (data[i] >= 'a' && data[i] <= 'f'));
	return 0;
}
