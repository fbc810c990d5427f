"""The page in a real Chromium. A package, so that its tests share a browser and a studio until the last one is over."""
