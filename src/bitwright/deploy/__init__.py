"""Files that bring a design onto a board: Vivado scripts and a driver."""

from bitwright.deploy.driver import write_driver
from bitwright.deploy.folder import deploy
from bitwright.deploy.vivado import write_overlay, write_vivado

__all__ = ["deploy", "write_driver", "write_overlay", "write_vivado"]
