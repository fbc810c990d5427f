"""One job: photo and settings in, video file out. Knows no queue, no UI, no database.

Importing this package is cheap; torch and diffusers are imported by the modules that compute.
"""

import os

# Before torch is imported: its threads would wait for each other in a busy loop, and with anything else running on the
# computer each of the thousands of small parallel regions of a step loses a time slice (two cores: 74 s became 13 s).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
