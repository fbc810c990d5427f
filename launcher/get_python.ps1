# Fetch a Python of our own on Windows, where there is none that suits: uv, checked against uv.txt, and Python by uv.
#   get_python.ps1 FOLDER    FOLDER: an absolute path. exit code 0: FOLDER\cpython-*\python.exe is there
param([string]$Folder)
$ErrorActionPreference = 'Stop'
# On ARM, too: the packages come for Intel and AMD alone, and Windows runs them there.
$build = 'win_amd64'
$python = 'cpython-3.13-windows-x86_64-none'

$part = Join-Path $Folder "part-$PID"
try {
    $pins = Get-Content -LiteralPath (Join-Path $PSScriptRoot 'uv.txt')
    $sum, $address = ($pins | Where-Object { $_ -like "*$build*" } | Select-Object -First 1) -split ' '
    $note = "no Python 3.11, 3.12 or 3.13 is here; fetching one into $Folder (50 MB, with uv, which installs it)"
    [Console]::Error.WriteLine("fanslymotion: $note")
    [IO.Directory]::CreateDirectory($part) | Out-Null
    $archive = Join-Path $part 'uv.zip'
    # Windows PowerShell on an older Windows 10 begins with TLS 1.0, which the package index refuses.
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor 3072
    # Not Invoke-WebRequest: that of 5.1 reads brackets in the folder's name as wildcards, and knows no HTTPS_PROXY.
    $client = New-Object Net.WebClient
    if ($env:HTTPS_PROXY) { $client.Proxy = New-Object Net.WebProxy $env:HTTPS_PROXY }
    try { $client.DownloadFile($address, $archive) }
    catch { throw "$address cannot be fetched: $($_.Exception.GetBaseException().Message)" }
    # Not Get-FileHash: a Windows PowerShell that PowerShell 7 has started by way of another program lacks it.
    $found = [Security.Cryptography.SHA256]::Create().ComputeHash([IO.File]::ReadAllBytes($archive))
    if (([BitConverter]::ToString($found) -replace '-') -ne $sum) {
        throw "what came from $address is not what was expected"
    }
    Add-Type -AssemblyName System.IO.Compression.FileSystem
    [IO.Compression.ZipFile]::ExtractToDirectory($archive, $part)
    $uv = (Get-ChildItem -LiteralPath $part -Recurse -Filter 'uv.exe').FullName
    $ErrorActionPreference = 'Continue' # what uv says of its progress on stderr is no error
    & $uv python install $python --install-dir $Folder --no-bin --no-registry --no-config
    $code = $LASTEXITCODE
} catch {
    [Console]::Error.WriteLine("fanslymotion: $_")
    $code = 1
}
# A virus scanner may still read what was unpacked.
foreach ($try in 1..20) {
    Remove-Item -LiteralPath $part -Recurse -Force -ErrorAction SilentlyContinue
    if (-not (Test-Path -LiteralPath $part)) { break }
    Start-Sleep -Milliseconds 250
}
exit $code
