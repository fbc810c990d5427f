/* In the place of Windows PowerShell, which wine lacks: shows its words and where it looks for modules, and ends with the
   code that FAKE_CODE names. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>
int main(void)
{
    const char *code = getenv("FAKE_CODE");
    const char *modules = getenv("PSModulePath");
    printf("%s modules=%s\n", GetCommandLineA(), modules ? modules : "");
    return code ? atoi(code) : 0;
}
