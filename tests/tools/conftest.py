import sys
from pathlib import Path

# The bake tool is run from its own folder and is no part of the package.
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
