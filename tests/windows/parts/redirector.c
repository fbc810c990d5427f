/* python.exe of a venv, as CPython's PC/launcher.c with VENV_REDIRECT: start the base Python in a job that ends it
   with this process, and hand its exit code on. Children that break away from the job live on, as there. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

static BOOL WINAPI ignore(DWORD event) { return TRUE; }

static void inherit(HANDLE in, HANDLE *out) {
  HANDLE self = GetCurrentProcess();
  if (!in || in == INVALID_HANDLE_VALUE || !DuplicateHandle(self, in, self, out, 0, TRUE, DUPLICATE_SAME_ACCESS)) *out = in;
}

int wmain(void) {
  static wchar_t self[32768], cfg[32768], home[32768], cmd[65536], exe[260];
  static char line[65536];
  GetModuleFileNameW(NULL, self, 32768);
  wcscpy(cfg, self);
  wchar_t *p = wcsrchr(cfg, L'\\');
  wcsncpy(exe, p + 1, 259);
  *p = 0;
  p = wcsrchr(cfg, L'\\');
  *p = 0;
  wcscat(cfg, L"\\pyvenv.cfg");
  FILE *f = _wfopen(cfg, L"rb");
  if (!f) { fprintf(stderr, "failed to locate pyvenv.cfg\n"); return 106; }
  while (fgets(line, sizeof line, f)) {
    char *q = line;
    if (strncmp(q, "home", 4) || !(q = strchr(q, '='))) continue;
    for (q++; *q == ' '; q++) {}
    q[strcspn(q, "\r\n")] = 0;
    MultiByteToWideChar(CP_UTF8, 0, q, -1, home, 32000);
    break;
  }
  fclose(f);
  wcscat(home, L"\\");
  wcscat(home, exe);
  if (GetFileAttributesW(home) == INVALID_FILE_ATTRIBUTES) { fprintf(stderr, "No Python there\n"); return 103; }
  SetEnvironmentVariableW(L"__PYVENV_LAUNCHER__", self);
  HANDLE job = CreateJobObjectW(NULL, NULL);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION info;
  DWORD rc = 0;
  QueryInformationJobObject(job, JobObjectExtendedLimitInformation, &info, sizeof info, &rc);
  info.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  SetInformationJobObject(job, JobObjectExtendedLimitInformation, &info, sizeof info);
  STARTUPINFOW si;
  PROCESS_INFORMATION pi;
  GetStartupInfoW(&si);
  inherit(GetStdHandle(STD_INPUT_HANDLE), &si.hStdInput);
  inherit(GetStdHandle(STD_OUTPUT_HANDLE), &si.hStdOutput);
  inherit(GetStdHandle(STD_ERROR_HANDLE), &si.hStdError);
  SetConsoleCtrlHandler(ignore, TRUE);
  si.dwFlags |= STARTF_USESTDHANDLES;
  wcsncpy(cmd, GetCommandLineW(), 65535);
  if (!CreateProcessW(home, cmd, NULL, NULL, TRUE, 0, NULL, NULL, &si, &pi)) {
    fprintf(stderr, "cannot start the base Python: %lu\n", GetLastError());
    return 101;
  }
  AssignProcessToJobObject(job, pi.hProcess);
  CloseHandle(pi.hThread);
  WaitForSingleObject(pi.hProcess, INFINITE);
  GetExitCodeProcess(pi.hProcess, &rc);
  ExitProcess(rc);
}
