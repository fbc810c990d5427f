"""What programs send to the page. A package, so that its tests share a studio until the last one is over."""
