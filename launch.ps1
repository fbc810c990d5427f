# Start fanslymotion on Windows (PowerShell 5.1 and newer): find a Python that runs, hand over to launch.py.
# When Windows refuses to run scripts: launch.cmd, or powershell -ExecutionPolicy Bypass -File .\launch.ps1

# A profile may make every line on stderr an error that ends the script.
$ErrorActionPreference = 'Continue'

# The name "python" may be the Microsoft Store's stub, which runs nothing: ask each for what is needed.
# The packages come for one platform: no Python for ARM, of 32 bits or of MSYS2 suits.
# -E: PYTHONHOME or PYTHONPATH of another program would break the Python that is asked.
$suits = 'import sys, sysconfig, venv, ensurepip; sys.exit(not ((3, 11) <= sys.version_info[:2] < (3, 14) and ' +
    'sysconfig.get_platform() == ''win-amd64''))'
$candidates = @('py -3.13', 'py -3.12', 'py -3.11', 'python', 'python3')
if ($env:FANSLYMOTION_PYTHON) { $candidates = @($env:FANSLYMOTION_PYTHON) + $candidates }
$own = Join-Path $PSScriptRoot '.python' # what launcher\get_python.ps1 fetches

# The words of the command that starts the first Python that suits; nothing when there is none.
function Find-Python {
    $there = @(Get-ChildItem -LiteralPath $own -Filter 'cpython-*' -ErrorAction SilentlyContinue)
    foreach ($candidate in $candidates + @($there | ForEach-Object { Join-Path $_.FullName 'python.exe' })) {
        $words = @($candidate)
        if ($candidate -like 'py -*') { $words = @($candidate -split ' ') }
        $options = @($words | Select-Object -Skip 1)
        # A program that cannot be started at all leaves the exit code of the one before.
        $global:LASTEXITCODE = 1
        try { & $words[0] @options -E -c $suits 2>$null | Out-Null } catch { continue }
        if ($LASTEXITCODE -eq 0) { return $words }
    }
}

# `powershell -File`, as launch.cmd has it, takes a word like --out=C:\videos apart at its colon: read them as they came.
# With -NoExit they are those of the first start, and this may be another.
$handed = @($args)
$line = @([Environment]::GetCommandLineArgs())
$file = 0
while ($file -lt $line.Count -and $line[$file] -ne '-File') { $file++ }
try {
    if ($file + 1 -lt $line.Count -and $line -notcontains '-NoExit' -and [IO.Path]::GetFullPath($line[$file + 1]) -eq $PSCommandPath) {
        $handed = @($line | Select-Object -Skip ($file + 2))
    }
} catch { } # what follows is no path
# Before 7.3 PowerShell leaves out an empty word, and hands on one with quotes, or with spaces and a backslash at its
# end, as other words.
if ($PSVersionTable.PSVersion -lt [version]'7.3') {
    $handed = @($handed | ForEach-Object {
        $word = [string]$_ -replace '(\\*)"', '$1$1\"'
        if ($word -match '\s') { $word = $word -replace '(\\+)$', '$1$1' }
        if ($word -eq '') { $word = '""' }
        $word
    })
}

# What the program writes into a pipe is UTF-8; PowerShell reads it in the console's code page.
$before = [Console]::OutputEncoding
try { [Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false } catch { } # no console: nothing to set
# Python's install manager, asked for any Python where it has none, would install one without a word.
$allowed = $env:PYTHON_MANAGER_AUTOMATIC_INSTALL
$env:PYTHON_MANAGER_AUTOMATIC_INSTALL = 'false'
try {
    $python = @(Find-Python)
    if ($python.Count -eq 0) {
        & (Join-Path $PSScriptRoot 'launcher\get_python.ps1') $own | Out-Null
        $python = @(Find-Python)
    }
    if ($python.Count -gt 0) {
        $options = @($python | Select-Object -Skip 1)
        & $python[0] @options -E (Join-Path $PSScriptRoot 'launch.py') @handed
        exit $LASTEXITCODE
    }
} finally {
    $env:PYTHON_MANAGER_AUTOMATIC_INSTALL = $allowed
    try { [Console]::OutputEncoding = $before } catch { }
}

[Console]::Error.WriteLine('fanslymotion needs Python 3.11, 3.12 or 3.13 (64-bit), found none and could not fetch one. To get it:')
[Console]::Error.WriteLine('  winget install --architecture x64 Python.Python.3.13')
[Console]::Error.WriteLine('  or the installer from https://www.python.org/downloads/windows/ ; then open a new window and start again.')
[Console]::Error.WriteLine('Is it in an unusual place? Set FANSLYMOTION_PYTHON to its python.exe and start again.')
exit 1
