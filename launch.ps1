# Start fanslymotion on Windows (PowerShell 5.1 and newer): find a Python that runs, hand over to launch.py.
# When Windows refuses to run scripts: powershell -ExecutionPolicy Bypass -File .\launch.ps1

# The name "python" may be the Microsoft Store's stub, which runs nothing: ask each for what is needed.
# -E: PYTHONHOME or PYTHONPATH of another program would break the Python that is asked.
$suits = 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
$candidates = @('py -3.13', 'py -3.12', 'py -3.11', 'python', 'python3')
foreach ($candidate in $candidates) {
    $words = @($candidate -split ' ')
    $before = @($words | Select-Object -Skip 1)
    if (-not (Get-Command $words[0] -ErrorAction SilentlyContinue)) { continue }
    & $words[0] @before -E -c $suits 2>$null | Out-Null
    if ($LASTEXITCODE -eq 0) {
        & $words[0] @before -E (Join-Path $PSScriptRoot 'launch.py') @args
        exit $LASTEXITCODE
    }
}

[Console]::Error.WriteLine('fanslymotion needs Python 3.11, 3.12 or 3.13 (64-bit), and found none. To get it:')
[Console]::Error.WriteLine('  winget install Python.Python.3.13')
[Console]::Error.WriteLine('  or the installer from https://www.python.org/downloads/windows/ ; then open a new window and start again.')
exit 1
