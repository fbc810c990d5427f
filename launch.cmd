@rem Start fanslymotion by a double click; words are handed on.
@powershell -NoProfile -ExecutionPolicy Bypass -File "%~dp0launch.ps1" %*
