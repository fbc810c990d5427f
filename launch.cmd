@rem Start fanslymotion by a double click; words are handed on.
@setlocal
@rem PowerShell 7's list of modules, when this was started there: Windows PowerShell would load those.
@set "PSModulePath="
@powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0launch.ps1" %*
@set "code=%errorlevel%"
@rem The window of a double click closes with this script, and with it the sentence that says what is wrong.
@if not "%code%"=="0" if "%~1"=="" pause
@exit /b %code%
