/* With WINSTRICT=1 an fstat of a piped standard input waits for a pending read, as it does on Windows
   (python/cpython#78961, numpy/numpy#24290). wine itself answers at once. */
#include <windows.h>
#include <stdio.h>
static CRITICAL_SECTION lock;
static int on;

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID more) {
  if (reason == DLL_PROCESS_ATTACH) {
    char value[8];
    on = GetEnvironmentVariableA("WINSTRICT", value, 8) > 0;
    InitializeCriticalSection(&lock);
  }
  return TRUE;
}

static int piped(int fd) { return on && fd == 0 && GetFileType(GetStdHandle(STD_INPUT_HANDLE)) == FILE_TYPE_PIPE; }
static FARPROC real(const char *name) { return GetProcAddress(GetModuleHandleA("ucrtw.dll"), name); }

int S__read(int fd, void *bytes, unsigned count) {
  static int (*f)(int, void *, unsigned);
  if (!f) f = (void *)real("_read");
  if (!piped(fd)) return f(fd, bytes, count);
  EnterCriticalSection(&lock);
  int result = f(fd, bytes, count);
  LeaveCriticalSection(&lock);
  return result;
}

#define STAT(NAME)                                                                    \
  int S_##NAME(int fd, void *out) {                                                   \
    static int (*f)(int, void *);                                                     \
    if (!f) f = (void *)real(#NAME);                                                  \
    if (!piped(fd)) return f(fd, out);                                                \
    if (!TryEnterCriticalSection(&lock)) {                                            \
      fprintf(stderr, "[strict] " #NAME "(stdin) waits for the pending read\n");      \
      fflush(stderr);                                                                 \
      EnterCriticalSection(&lock);                                                    \
    }                                                                                 \
    int result = f(fd, out);                                                          \
    LeaveCriticalSection(&lock);                                                      \
    return result;                                                                    \
  }
STAT(_fstat64) STAT(_fstat64i32) STAT(_fstat32) STAT(_fstat32i64)
