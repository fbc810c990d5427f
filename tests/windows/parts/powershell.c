/* In the place of Windows PowerShell, which wine lacks: shows its words and what launch.cmd sets, and ends with the code
   that FAKE_CODE names. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>
int main(void)
{
    const char *code = getenv("FAKE_CODE");
    const char *modules = getenv("PSModulePath"), *from_cmd = getenv("FANSLYMOTION_LAUNCH_CMD");
    printf("%s modules=%s cmd=%s\n", GetCommandLineA(), modules ? modules : "", from_cmd ? from_cmd : "");
    return code ? atoi(code) : 0;
}
