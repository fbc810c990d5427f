/* In the place of Windows PowerShell, which wine lacks: shows its words and ends with the code that FAKE_CODE names. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>
int main(void)
{
    const char *code = getenv("FAKE_CODE");
    printf("%s\n", GetCommandLineA());
    return code ? atoi(code) : 0;
}
