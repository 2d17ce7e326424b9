#include <coffer.h>
#include <stdio.h>

int main(void)
{
	coffer *vault = NULL;
	coffer_env *env = NULL;
	int error = coffer_open(NULL, &vault);

	if (error == COFFER_OK)
		error = coffer_fetch(vault, NULL, &env);
	if (error == COFFER_OK)
		error = coffer_env_inject(env, 0);
	if (error != COFFER_OK)
		fprintf(stderr, "no credentials: %s\n", coffer_error_text(vault, error));
	else
		printf("%zu credentials in the environment\n", coffer_env_count(env));
	coffer_env_free(env);
	coffer_close(vault);
	return error == COFFER_OK ? 0 : 1;
}
